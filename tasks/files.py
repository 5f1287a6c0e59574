"""Files that are on the disk whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(file: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file in one step, once all of its bytes are on the disk; its folder is made if it is missing.

    Args:
        file: the file to replace.
        write: is called with a stream that takes the bytes.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
