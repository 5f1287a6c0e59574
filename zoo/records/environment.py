"""The machine, the versions and the commit that a run is made with."""

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zoo.paths import ROOT

PACKAGES = ("memory-zoo", "torch", "pytorch-lightning", "hydra-core", "numpy")


def environment() -> dict:
    """Describe the machine and its versions; no host, user or path."""
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "peak_memory_mb": round(usage / (2**20 if sys.platform == "darwin" else 2**10)),
        "processor": _processor(),
        "cores": cores(),
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def cores() -> int:
    """Count the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str | None]:
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def commit_of_code(results_dir: Path) -> dict:
    """Ask git for the commit, and whether the tree differs from it; results and the README do not count."""
    home = results_dir.resolve()
    results = ["results"] + ([home.relative_to(ROOT).as_posix()] if ROOT in home.parents else [])

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    head = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", ".", ":!README.md", *(f":!{folder}" for folder in results))
    return {"commit": head, "dirty": None if changed is None else bool(changed)}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # a run on a GPU has loaded it
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
