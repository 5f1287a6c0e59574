"""Processes that start at once: forks of this one, in which everything is loaded.

This process must never train: a fork of a process whose autograd has begun cannot train.
"""

import atexit
import contextlib
import ctypes
import multiprocessing.util
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a fork of a process with more threads has only one of them

PR_SET_CHILD_SUBREAPER = 36  # of Linux: orphans come to this process
CHANGING = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
DEADLINE = 300  # seconds for what takes a few, on a machine with much else to do
PARTING = 60  # seconds in which what a killed process has started must end


class Kill(NamedTuple):
    """A kill: of whom, and when. The moment is a file operation, or a number of seconds."""

    who: str  # "it": the process of the operation; "parent": the first one; "worker": one it started; "all"
    at: int | None = None
    after: float | None = None


class Ended(NamedTuple):
    """A fork that has ended, with all that it had started."""

    status: int  # negative: the signal that ended it
    operations: int  # files made, renamed or removed
    said: str  # on stderr
    seconds: float


def forked(
    action: Callable[[], object],
    home: Path,
    kill: Kill | None = None,
    watch: Callable[[int], object] | None = None,
) -> Ended:
    """Do something in a child process, and wait until no process that it started is left.

    Args:
        action: what to do; it ends as a program does.
        home: holds two files of ours, and everything below which operations are counted.
        kill: a process that is to die.
        watch: is called in this process with the child's id.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    home.mkdir(parents=True, exist_ok=True)
    told, said = home / "operations", home / "said"
    told.write_bytes(b"")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        atexit._clear()  # of this process, which would remove its own folders
        atexit.register(multiprocessing.util._exit_function)
        os.setsid()
        _point(0, os.devnull, os.O_RDONLY)
        _point(1, os.devnull, os.O_WRONLY)
        _point(2, str(said), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        _count(home, told, kill)
        _end(action)
    if kill and kill.after is not None:
        time.sleep(kill.after)
        _strike(kill.who, child)
    if watch:
        watch(child)
    status = _waited(child, DEADLINE)
    seconds = time.monotonic() - began
    left = _descendants_after(PARTING)
    text = said.read_text(errors="replace") if said.exists() else ""
    if left:
        raise AssertionError(f"orphans after {PARTING} s: {left}")
    return Ended(os.waitstatus_to_exitcode(status), told.stat().st_size, text, seconds)


def _point(number: int, file: str, flags: int) -> None:
    handle = os.open(file, flags, 0o644)
    os.dup2(handle, number)
    os.close(handle)


def _end(action: Callable[[], object]) -> None:
    """Do it, and end this process as Python would; never return."""
    status = 1
    try:
        action()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        atexit._run_exitfuncs()
        os._exit(status)


def _count(home: Path, told: Path, kill: Kill | None) -> None:
    """Count file operations in this process and its forks, by Python's audit events, and kill at the right one.

    The count is the length of a file, so that processes share it.
    """
    counter = os.open(told, os.O_WRONLY | os.O_APPEND)
    first, inside = os.getpid(), False

    def hook(event: str, given: tuple) -> None:
        nonlocal inside
        if inside or not (event in CHANGING or (event == "open" and isinstance(given[2], int) and given[2] & WRITES)):
            return
        within_a_folder = event != "open" and isinstance(given[-1], int) and given[-1] >= 0  # `dir_fd`, of shutil
        if not within_a_folder and not str(given[0]).startswith(f"{home}/"):
            return
        inside = True
        try:
            os.write(counter, b".")
            if kill and kill.at == os.fstat(counter).st_size:
                _strike(kill.who, first)
        finally:
            inside = False

    sys.addaudithook(hook)


def _strike(who: str, first: int) -> None:
    """Kill the first process, one that it or another has started, this one, or all."""
    if who == "all":
        _kill(-first)
    elif who == "worker" and (started := descendants(first)):
        _kill(random.choice(started))
    elif who == "it" and os.getpgid(0) == first:
        _kill(os.getpid())
    else:
        _kill(first)


def _kill(process: int) -> None:
    """Kill a process, or, by a negative number, a group."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def children(process: int) -> list[int]:
    """The ids of processes that one has started."""
    found: list[int] = []
    for thread in Path(f"/proc/{process}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += map(int, (thread / "children").read_text().split())
    return found


def descendants(process: int) -> list[int]:
    """The ids of processes that one has started, and of those that these have started."""
    return [one for child in children(process) for one in (child, *descendants(child))]


def _waited(child: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while True:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return status
        if time.monotonic() > deadline:
            _kill(-child)
            _kill(child)
            os.waitpid(child, 0)
            raise AssertionError(f"not ended after {seconds} s")
        time.sleep(0.005)


def _descendants_after(seconds: float) -> list[str]:
    """Wait for orphans to end; kill those that do not, and return their names."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            process, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if not process and time.monotonic() > deadline:
            break
        if not process:
            time.sleep(0.01)
    left = children(os.getpid())
    names = [Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ")[:80] for one in left]
    for one in left:
        _kill(one)
    _descendants_after(5)
    return names
