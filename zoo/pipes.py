"""The end of a program whose reader has read enough, as in `zoo models | head`."""

import contextlib
import os
import sys
from collections.abc import Iterator

PIPE_CLOSED = 141  # exit code, as shells have it


@contextlib.contextmanager
def quiet_pipes() -> Iterator[None]:
    """End without a traceback if nobody reads what is printed."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # now, and not when Python ends, which could only complain
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
        sys.exit(PIPE_CLOSED)
