"""Leases: one process at a time does a piece of work, on one machine or on several that share a folder.

A lease is a file `lease.N` in the folder of the work, made with O_EXCL, which file servers make once. N grows by one
with every holder, and the highest number holds. The holder touches its file several times within `seconds`; if that
stops, another process may make the next number. Numbers are never used again while the folder is there, so a holder
that was paused finds a higher one when it wakes, or no folder, and stops. If the file names a process of this machine
that has ended, nobody needs to wait.

Times are those of the file server, so clocks of machines may differ.
"""

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tasks.files import make_folder
from tasks.machine import machine

SECONDS = 120.0  # without a sign of life, after which a lease is stale, where the holder has not said
BEATS = 6  # signs of life within that time
PREFIX = "lease."
FREE = b"free"  # in place of the holder, once it has let go
CLOCK_KEPT = 600.0  # seconds for which the difference between two clocks is believed


class Held(Exception):  # noqa: N818
    """Another process does this work."""


class Lost(Exception):  # noqa: N818
    """Another process has taken this work over, or finished it."""


class Stopped(Exception):  # noqa: N818
    """This process was asked to stop, and has kept what it did."""


class Holder(NamedTuple):
    """Holder of a lease."""

    number: int
    host: str
    since: float  # seconds since the epoch
    silent: float  # seconds since the last sign of life
    live: bool  # else anybody may take the work over


class Lease:
    """The right to do a piece of work, kept by a thread that gives signs of life."""

    def __init__(self, folder: Path, number: int, seconds: float, stop: threading.Event | None) -> None:
        self.folder, self.number, self.seconds = folder, number, seconds
        self.file = folder / f"{PREFIX}{number}"
        self._lost = False
        self._asked, self._ended = stop or threading.Event(), threading.Event()
        self._heart = threading.Thread(target=self._live, daemon=True)
        self._heart.start()

    @property
    def asked_to_stop(self) -> bool:
        return self._asked.is_set()

    def check(self) -> None:
        """Raise `Lost` if another process has the work now. Call it before anything is written."""
        self._beat()
        self.look()

    def look(self) -> None:
        """Raise `Lost` if the last sign of life, given by the thread, has shown it. This costs nothing."""
        if self._lost:
            raise Lost(f"{self.folder.name} was taken over by another process, or finished")

    def release(self) -> None:
        """Let go; whoever comes next need not wait."""
        self._ended.set()
        self._heart.join()
        with contextlib.suppress(OSError):
            handle = os.open(self.file, os.O_WRONLY | os.O_TRUNC)  # no other holder ever has this name
            try:
                os.write(handle, FREE)
            finally:
                os.close(handle)

    def _live(self) -> None:
        while not self._lost and not self._ended.wait(self.seconds / BEATS):
            self._beat()

    def _beat(self) -> None:
        try:
            os.utime(self.file)
            self._lost = self._lost or _newest(self.folder) != self.number
        except FileNotFoundError:
            self._lost = True
        except OSError:  # the server does not answer: the next beat may reach it
            pass


@contextlib.contextmanager
def held(folder: Path, seconds: float = SECONDS, stop: threading.Event | None = None) -> Iterator[Lease]:
    """Hold the lease of a folder, which is made if it is missing; raise `Held` if another process has it.

    Args:
        folder: of the work.
        seconds: without a sign of life, after which another process may take the work over.
        stop: set to ask the holder to stop.
    """
    lease = _claim(folder, seconds, stop)
    try:
        yield lease
    finally:
        lease.release()


def _claim(folder: Path, seconds: float, stop: threading.Event | None) -> Lease:
    make_folder(folder)
    before = holder(folder)
    if before is not None and before.live:
        raise Held(folder)
    number = 1 if before is None else before.number + 1
    try:
        handle = os.open(folder / f"{PREFIX}{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise Held(folder) from None
    except FileNotFoundError:  # somebody has just finished the work, and removed it
        raise Held(folder) from None
    try:
        os.write(handle, _me(seconds))
    finally:
        os.close(handle)
    for other in _numbers(folder):
        if other > number:  # our look at the folder was an old one
            (folder / f"{PREFIX}{number}").unlink(missing_ok=True)
            raise Held(folder)
        if other < number:
            (folder / f"{PREFIX}{other}").unlink(missing_ok=True)
    return Lease(folder, number, seconds, stop)


def holder(folder: Path) -> Holder | None:
    """Find out who holds the lease of a folder; None if nobody ever did."""
    number = _newest(folder)
    if not number:
        return None
    try:
        handle = os.open(folder / f"{PREFIX}{number}", os.O_RDONLY)  # to open it brings its present time
    except FileNotFoundError:  # a later holder, or the end of the work, has removed it
        return holder(folder)
    try:
        text, touched = os.read(handle, 4096), os.fstat(handle).st_mtime
    finally:
        os.close(handle)
    if text == FREE:
        return Holder(number, "", touched, 0.0, False)
    try:
        said = json.loads(text)
        host, since, pid = str(said["host"]), float(said["since"]), int(said["pid"])
        seconds, where, started = float(said["seconds"]), said["machine"], said["started"]
    except (ValueError, KeyError, TypeError):  # being written, or damaged
        host, since, pid, seconds, where, started = "", touched, 0, SECONDS, "", ""
    silent = max(0.0, time.time() + _ahead(folder) - touched)
    dead = where == machine() and started != _started(pid)
    return Holder(number, host, since, silent, not dead and silent < seconds)


def _newest(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(name[len(PREFIX) :]) for name in names if name.startswith(PREFIX) and name[len(PREFIX) :].isdigit()]


def _me(seconds: float) -> bytes:
    pid = os.getpid()
    return json.dumps(
        {"host": platform.node(), "machine": machine(), "pid": pid, "started": _started(pid), "since": time.time()}
        | {"seconds": seconds}
    ).encode()


def _started(pid: int) -> str:
    """Tell when a process of this machine began, in any form; empty if it has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            return "running"
        return ""
    return "" if state in "ZX" else rest[18]  # a zombie has ended


_clocks: dict[int, tuple[float, float]] = {}  # by disk: when it was measured, and the difference


def _ahead(folder: Path) -> float:
    """Measure by how many seconds the clock of the file server is ahead of ours."""
    try:
        disk = os.stat(folder).st_dev
        measured, ahead = _clocks.get(disk, (-CLOCK_KEPT, 0.0))
        if time.monotonic() - measured >= CLOCK_KEPT:
            probe = folder / f".now.{os.getpid()}.{threading.get_ident()}"
            with open(probe, "wb") as stream:
                stream.write(b"now")
                stream.flush()
                ahead = os.fstat(stream.fileno()).st_mtime - time.time()
            probe.unlink()
            _clocks[disk] = time.monotonic(), ahead
    except OSError:  # a folder that cannot be written, or is gone
        return 0.0
    return ahead
