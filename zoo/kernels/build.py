"""Libraries of C++ kernels, compiled at first use into the cache folder and loaded by ctypes."""

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tasks.errors import UserError
from tasks.files import exclusive
from zoo.paths import cache_dir

HERE = Path(__file__).parent
# -ffast-math is not among them: it sets flush-to-zero for the whole process and takes numbers for finite
FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-pthread", "-Wno-psabi", "-fno-math-errno",
    "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math",
)  # fmt: skip


@cache
def compiler() -> str | None:
    """The C++ compiler of this machine, if there is one."""
    return next(
        (found for name in (os.environ.get("CXX"), "g++", "clang++") if name and (found := shutil.which(name))), None
    )


@cache
def _target(program: str) -> bytes:
    """Ask the compiler for its definitions on this processor: its version and the processor's instructions."""
    asked = [program, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]
    return subprocess.run(asked, capture_output=True, check=False).stdout


def digest() -> str:
    """Digest what decides how kernels round: their sources, compiler, flags, and the processor's instructions."""
    program = compiler()
    if program is None:
        return "none"
    return _key(program, [file for file in sorted(HERE.iterdir()) if file.suffix in (".h", ".cpp")])[:12]


def _key(program: str, sources: list[Path]) -> str:
    """Digest a compiler, with what it compiles."""
    contents = [source.read_bytes() for source in sources]
    return hashlib.sha256(b"\0".join([*contents, _target(program), " ".join(FLAGS).encode()])).hexdigest()[:20]


@cache
def library(name: str) -> ctypes.CDLL:
    """The library of `NAME.cpp`, compiled if no process has done it before.

    A library that is incomplete or damaged is compiled again. Several processes may ask at once.
    """
    program = compiler()
    if program is None:
        raise UserError("kernels are compiled with a C++ compiler (package g++, say), which was not found")
    key = _key(program, [HERE / "common.h", HERE / f"{name}.cpp"])
    file = cache_dir() / "kernels" / f"{name}-{key}.so"
    file.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(Path(f"{file}.lock")):
        if not _whole(file):
            _compile(program, HERE / f"{name}.cpp", file)
        return ctypes.CDLL(str(file))


def _whole(file: Path) -> bool:
    """Tell whether a library is there as it was written; it ends with its digest."""
    content = file.read_bytes() if file.exists() else b""
    return len(content) > 32 and hashlib.sha256(content[:-32]).digest() == content[-32:]


def _compile(program: str, source: Path, file: Path) -> None:
    for left in file.parent.glob(f".{file.name}.*"):  # by a process that was killed; who calls holds the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as scratch:
        made = Path(scratch) / file.name
        status, said = _run([program, *FLAGS, "-o", str(made), str(source)], scratch)
        if status:
            says = next((line for line in said.splitlines() if "error" in line), "no message")
            raise UserError(f"{program} could not compile the kernels of {source.name}: {says}")
        with made.open("ab") as stream:
            stream.write(hashlib.sha256(made.read_bytes()).digest())
        os.replace(made, file)


def _run(command: list[str], scratch: str) -> tuple[int, str]:
    """Run a compiler, which ends with all that it has started if this process is told to end; return what it says.

    Args:
        command: of the compiler.
        scratch: a folder for its temporary files, so that one that is killed leaves none elsewhere.
    """
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"TMPDIR": scratch},
    ) as running:  # fmt: skip
        try:
            said = running.communicate()[1]
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            raise
    return running.returncode, said
