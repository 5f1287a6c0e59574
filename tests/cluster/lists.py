"""A small list of runs whose cells can be held up, and what must come of it, whatever is killed meanwhile."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.configs import ROOT
from tests.runs import environment, figures, made
from tests.tiny_babi import write_release
from zoo import records
from zoo.records.store import dump

EPOCHS = 30
COMMON = f"task=babi task.ids=[1,2] restarts=2 trainer.max_epochs={EPOCHS} model.recipe.linear_start_epochs=0"
RUNS = [f"model=memn2n model.dim=6 {COMMON}", f"model=memn2n model.dim=7 {COMMON}"]
HOLD = """
import time
from pathlib import Path

from pytorch_lightning import Callback


class Hold(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        while trainer.current_epoch >= 5 and Path("hold").exists():
            time.sleep(0.05)
"""
OF_COMMAND = ("command", "workers")  # of a record, which differ with who makes it


class SmallList:
    """A working folder with a list, and the same runs made without a disturbance."""

    started: list[subprocess.Popen]

    def __init__(self, folder: Path) -> None:
        self.folder, self.results, self.started = folder, folder / "results", []
        folder.mkdir(exist_ok=True)
        data = write_release(folder / "data", train=30, test=10)
        self.world = [f"data_dir={data}", f"cache_dir={folder / 'cache'}", "logger=none", "trainer.kernels=false"]
        self.undisturbed = []
        for line in RUNS:
            made(folder / "undisturbed", *line.split(), *self.world, "trainer.workers=1")
        self.undisturbed = self.made_in(folder / "undisturbed/results")
        (folder / "hold.py").write_text(HOLD)
        self.hold = folder / "hold"  # while this file is there, no cell goes on behind its fifth epoch
        (folder / "list.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in RUNS))

    def campaign(self, *arguments: str, log: str = "log") -> subprocess.Popen:
        """Start a campaign in the working folder; what it says goes to a file."""
        hold = "trainer.lightning.callbacks=[{_target_:hold.Hold}]"
        own = environment(self.results) | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with (self.folder / log).open("a") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "zoo", "campaign", "list.yaml", *self.world, hold, "results_dir=results",
                 "trainer.checkpoint_seconds=0", "trainer.lease_seconds=6", "trainer.workers=1", *arguments],
                cwd=self.folder, env=own, stdout=said, stderr=said, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()

    def said(self, log: str = "log") -> str:
        return (self.folder / log).read_text()

    def made_in(self, results: Path) -> list[tuple[dict, dict]]:
        """Figures and arrays of all records, without what differs between two runs of the same."""
        found = []
        for file in sorted((results / "runs").glob("*.json"), key=lambda file: file.name.rsplit("-", 1)[0]):
            kept = figures(json.loads(file.read_text()))
            kept = {name: kept[name] for name in kept if name not in OF_COMMAND}
            found.append((kept, records.arrays(records.read(file))))
        return found

    def check(self) -> None:
        """Hold what was made against the undisturbed runs: every record once, equal in every figure, nothing left."""
        got = self.made_in(self.results)
        assert len(got) == len(RUNS), f"{len(got)} records\n{self.said()}"
        for (record, arrays), (expected, whole) in zip(got, self.undisturbed, strict=True):
            assert record == expected, dump(record)
            assert arrays.keys() == whole.keys()
            for name, values in arrays.items():
                np.testing.assert_array_equal(values, whole[name], err_msg=name)
        left = [str(file) for file in self.results.rglob("*") if ".gone" in file.name or file.name.startswith(".")]
        assert left == []
        assert list((self.results / "unfinished").iterdir()) == []


def until(what: Callable[[], object], seconds: float = 600, process: subprocess.Popen | None = None) -> object:
    """Wait for something; of a process that has ended before, or of time that has run out, an error tells."""
    deadline = time.monotonic() + seconds
    while not (got := what()):
        assert process is None or process.poll() is None, "the campaign has ended before"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)
    return got


def makers(results: Path) -> list[int]:
    """Find the processes that make cells with a checkpoint now."""
    found = []
    for checkpoint in (results / "unfinished").glob("memn2n-*/0-*/*/last.ckpt"):
        for lease in checkpoint.parent.glob("lease.*"):
            try:
                pid = json.loads(lease.read_text())["pid"]
                os.kill(pid, 0)
                found.append(pid)
            except (ValueError, OSError):
                continue
    return found
