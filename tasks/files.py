"""Files that are on the disk whole or not at all, and locks between processes."""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

TEMPORARY = ".unfinished"  # ends the names of files that are being written


@contextlib.contextmanager
def _permitted(folder: Path) -> Iterator[None]:
    """Say of a folder that takes no files, as those in /proc, that it takes none; the system says there is no such."""
    try:
        yield
    except FileNotFoundError:
        raise PermissionError(errno.EACCES, "no file can be made here", str(folder)) from None


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, if it is missing."""
    with _permitted(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_atomically(file: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file in one step, once all of its bytes are on the disk; its folder is made if it is missing.

    Args:
        file: the file to replace.
        write: is called with a stream that takes the bytes.
    """
    make_folder(file.parent)
    _remove_left(file.parent)
    with _permitted(file.parent):
        stream, temporary = _temporary(file)
    with stream:
        try:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, file)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


def _temporary(file: Path) -> tuple[IO[bytes], str]:
    """Open a new file beside another, and lock it as long as it is open: its writer lives."""
    while True:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=TEMPORARY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return os.fdopen(handle, "wb"), name
        os.close(handle)  # another process has found it before it was locked, and removed it


def _remove_left(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in a folder."""
    for left in folder.glob(f".*{TEMPORARY}"):
        with contextlib.suppress(OSError), left.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while somebody writes it
            left.unlink()


class Held(Exception):  # noqa: N818
    """Another process holds the lock."""


@contextlib.contextmanager
def exclusive(lock: Path, wait: bool = False) -> Iterator[None]:
    """Hold a lock that one process has at a time; its file is gone afterwards.

    Args:
        lock: the file of the lock.
        wait: whether to wait for a process that holds it; else `Held` is raised.
    """
    make_folder(lock.parent)
    while True:
        with _permitted(lock.parent):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            raise Held(lock) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(lock), os.fstat(handle)):
                break
        os.close(handle)  # whoever held it has removed the file in between
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            lock.unlink()
        os.close(handle)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process is alone in a folder; no file tells it, so none is left where a process is killed."""
    make_folder(folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
