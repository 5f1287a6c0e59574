"""Files that are on the disk whole or not at all, and locks between processes."""

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tasks.machine import machine

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
    remove_left(file.parent)
    with _permitted(file.parent), _temporary(file.parent, file.name, write) as temporary:
        os.replace(temporary, file)


def replace(file: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file as `write_atomically` does, but never make its folder: without it FileNotFoundError is raised."""
    with _temporary(file.parent, file.name, write) as temporary:
        os.replace(temporary, file)


def place_once(file: Path, write: Callable[[IO[bytes]], object], stage: Path) -> None:
    """Put a file in its place in one step; one that is there stays.

    Args:
        file: the place; its folder is made if it is missing.
        write: is called with a stream that takes the bytes.
        stage: a folder of the same disk, for the bytes until then. Once it is gone nothing can be placed from it, and
            FileNotFoundError is raised.
    """
    remove_left(stage)
    with _temporary(stage, file.name, write) as temporary:
        make_folder(file.parent)
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
        except OSError as error:
            if isinstance(error, FileNotFoundError) or file.exists():
                raise
            os.replace(temporary, file)  # a disk that knows no links


@contextlib.contextmanager
def _temporary(folder: Path, name: str, write: Callable[[IO[bytes]], object]) -> Iterator[str]:
    """Write a temporary file to the disk; it is gone afterwards."""
    stream, temporary = _opened(folder, name)
    with stream:
        try:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            yield temporary
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _opened(folder: Path, name: str) -> tuple[IO[bytes], str]:
    """Open a new temporary file, and lock it as long as it is open: its writer lives."""
    while True:
        handle, file = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=_ending())
        with contextlib.suppress(OSError):  # a disk that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return os.fdopen(handle, "wb"), file
        os.close(handle)  # another process has found it before it was locked, and removed it


def _ending() -> str:
    """End the name of a temporary file; a lock may be known to the machine alone whose process holds it."""
    return f".{hashlib.sha256(machine().encode()).hexdigest()[:6]}{TEMPORARY}"


def remove_left(folder: Path) -> None:
    """Remove the temporary files that killed processes of this machine have left in a folder."""
    for left in folder.glob(f".*{_ending()}"):
        with contextlib.suppress(OSError), left.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while somebody writes it
            left.unlink()


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Wait for a lock that one process of this machine has at a time; its file is gone afterwards."""
    make_folder(lock.parent)
    while True:
        with _permitted(lock.parent):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
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
