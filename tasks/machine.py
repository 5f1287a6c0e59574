"""This machine: its name for other processes, its memory, and the refusal of what cannot fit into it."""

import os
import platform
from functools import cache
from pathlib import Path

from tasks.errors import UserError

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@cache
def machine() -> str:
    """Name this machine, since its start, and the space of its process numbers, which a container may have its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def memory() -> int:
    """Bytes of main memory that this process may use; a container's limit counts."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return 2**63 - 1
    for file in LIMITS:
        try:
            installed = min(installed, int(file.read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return installed


def check_memory(given: str, needed: float, advice: str) -> None:
    """Refuse an option whose least need of memory is more than the machine has, before anything is allocated.

    Args:
        given: the option and its value, as in `restarts=1000`.
        needed: bytes, estimated from below.
        advice: what to type instead.
    """
    has = memory()
    if needed > has:
        raise UserError(
            f"{given}: that takes {_gib(needed)} of memory at least, and this machine has {_gib(has)}; {advice}"
        )


def _gib(size: float) -> str:
    return f"{size / 2**30:,.0f} GiB" if size >= 2**30 else f"{size / 2**30:.2g} GiB"
