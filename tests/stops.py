"""python -m tests.stops [model …]: end a training of every model by SIGTERM, and say how many seconds it takes.

Each must end within five seconds, in a sentence, with nothing but its checkpoint left. Exits with 1 if one does not.
"""

import functools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.configs import MODELS
from tests.forks import children, forked
from tests.kills import make
from zoo.training.module import EnsembleTraining

COMPILING = "compiling"  # a training whose kernels are being compiled
LONGEST = 5  # seconds
ENDLESS = (
    "task=babi", "task.ids=[2]", "task.source=generated", "task.size=500", "task.generator.test=100", "logger=csv",
    "restarts=10", "trainer.workers=1",
)  # fmt: skip


def begin(arguments: tuple[str, ...], folder: Path, cache: str) -> None:
    """Train, and make the file `begun` at the first step."""
    os.environ["ZOO_CACHE"] = cache
    step = EnsembleTraining.training_step

    def first_step(training: EnsembleTraining, batches: list) -> object:
        (folder / "begun").touch()
        EnsembleTraining.training_step = step
        return step(training, batches)

    EnsembleTraining.training_step = first_step
    make(arguments, folder)


def is_compiling(process: int) -> bool:
    return any(Path(f"/proc/{one}/comm").read_text().strip() in ("g++", "c++", "clang++") for one in children(process))


def seconds_to_end(model: str, folder: Path, cache: str, compiling: bool = False) -> float:
    """Train a model, end it, and return how long that took."""
    told = 0.0

    def end(process: int) -> None:
        nonlocal told
        deadline = time.monotonic() + 100
        while not (folder / "begun").exists() or (compiling and not is_compiling(process)):
            gone = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            assert not gone and time.monotonic() < deadline, f"{model}: {(folder / 'said').read_text()}"
            time.sleep(0.02)
        time.sleep(random.uniform(0, 1))
        told = time.monotonic()
        os.kill(process, signal.SIGTERM)

    ended = forked(functools.partial(begin, (f"model={model}", *ENDLESS), folder, cache), folder, watch=end)
    seconds = time.monotonic() - told
    assert ended.status == 130, f"{model}: status {ended.status}: {ended.said}"
    assert ended.said.rstrip().endswith("stopped; the same command goes on from here"), ended.said
    assert "Traceback" not in ended.said, ended.said
    left = [file.name for file in folder.rglob("*") if file.suffix == ".lock" or file.name.startswith(".")]
    assert not left, f"{model}: {left}"
    return seconds


def main(models: list[str]) -> int:
    home, slow = Path(tempfile.mkdtemp()), []
    cache = str(Path(os.environ.get("ZOO_CACHE", "~/.cache/memory-zoo")).expanduser())
    try:
        for number, model in enumerate(models or [*MODELS, COMPILING]):
            folder = home / str(number)
            if model == COMPILING:
                seconds = seconds_to_end("entnet", folder, str(folder / "compiled"), compiling=True)
            else:
                seconds = seconds_to_end(model, folder, cache)
            print(f"{model:12} {seconds:5.1f} s", flush=True)
            slow += [model] if seconds > LONGEST else []
    finally:
        shutil.rmtree(home)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
