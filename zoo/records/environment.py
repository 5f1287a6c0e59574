"""The machine, the versions and the commit that a run is made with."""

import hashlib
import os
import platform
import re
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
        "rounding": rounding(),
    }


def rounding() -> dict[str, str]:
    """Name what decides rounding, beside the versions: on machines that agree in it, equal runs have equal figures.

    The name of a processor is not enough: torch, its library of matrix products and the compiler of the kernels choose
    their instructions by what the processor offers, which differs between machines that give it the same name. Whether
    kernels ran is said of every training.
    """
    torch = sys.modules.get("torch")  # a run has loaded it
    if torch is None:
        return {}
    matrices = re.search(r"Math Kernel Library Version (\S+)|OpenBLAS (\S+)", torch.__config__.show())
    told = [f"{name}={os.environ[name]}" for name in ("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS") if name in os.environ]
    build = sys.modules.get("zoo.kernels.build")  # and this one with it, where kernels may run
    return {
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "matrices": " ".join([matrices[0] if matrices else "unknown", *told]),
        "threads": str(torch.get_num_threads()),
        "instructions": _instructions(),
        "kernels": build.digest() if build else "none",
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

    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":!README.md", *(f":!{folder}" for folder in results))
    return {"commit": head, "dirty": None if changed is None else bool(changed)}


def is_as_committed(file: Path, commit: str | None) -> bool:
    """Tell whether a source file is still that of a commit; False if git cannot say."""
    return commit is not None and _git("diff", "--name-only", commit, "--", str(file.resolve())) == ""


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _instructions() -> str:
    """Digest the flags of the processor, which decide the instructions that libraries choose."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next(line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return "unknown"
    return hashlib.sha256(" ".join(sorted(flags)).encode()).hexdigest()[:12]


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # a run on a GPU has loaded it
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
