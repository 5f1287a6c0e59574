"""python -m benchmarks.engines [--quick] [--rounds 3] [--before TREE]: how long a list of runs takes with each engine.

The list has a run of each of four models, all 20 tasks of generated bAbI at 1k. Measured are this machine, and Slurm
and Ray where they are: a Slurm that answers, with as many jobs as there are cores, and a Ray of this machine. TREE is a
checkout of an earlier version, whose campaign is measured beside them. The engines take turns. It wants an idle
machine. Writes results/benchmarks/engines.json, and results/benchmarks.md.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import page
from benchmarks.measure import ROOT, finish, options
from zoo import records
from zoo.paths import cache_dir

RUN = "task=babi_all task.source=generated restarts=10 trainer.max_epochs=50"
LIST = [f"model={model} {RUN}" for model in ("memn2n", "gated_memn2n", "kv_memnn", "memnn")]
QUICK = ["model=memn2n task=babi task.ids=[1] task.source=generated restarts=1 trainer.max_epochs=1"]
BEFORE = "before"


def engines() -> dict[str, tuple[str, ...]]:
    """List the engines that can be measured here, with what their command needs."""
    found: dict[str, tuple[str, ...]] = {"local": ()}
    if shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True).returncode == 0:
        found["slurm"] = ("engine=slurm", f"engine.jobs={records.cores()}")
    if importlib.util.find_spec("ray"):
        found["ray"] = ("engine=ray",)
    return found


def seconds(tree: Path, lines: list[str], options: tuple[str, ...]) -> float:
    """Make a list of runs, in a folder of its own, and return how long that takes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "list.yaml"
        file.write_text("runs:\n" + "".join(f"  - {line}\n" for line in lines))
        folders = [f"results_dir={folder}/results", f"cache_dir={cache_dir()}"]
        command = [sys.executable, "-m", "zoo", "campaign", str(file), "logger=none", *folders, *options]
        own = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        began = time.monotonic()
        done = subprocess.run(command, cwd=tree, env=own, capture_output=True, text=True)
        took = time.monotonic() - began
        made = len(list(Path(folder).glob("results/runs/*.json")))
        if done.returncode or made != len(lines):
            raise RuntimeError(f"{' '.join(command)}: {made} of {len(lines)} records\n{done.stdout}{done.stderr}")
    return took


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--before", type=Path, metavar="TREE", help="a checkout of an earlier version")
    given, results = options(parser, arguments, every_model=False)
    began = time.monotonic()
    lines = QUICK if given.quick else LIST
    ways = {name: (ROOT, options) for name, options in engines().items()}
    if given.before:
        ways = {BEFORE: (given.before.resolve(), ())} | ways
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 if given.quick else given.rounds):
        for name, (tree, options_) in ways.items():
            took[name].append(round(seconds(tree, lines, options_), 1))
            print(f"{name}: {took[name][-1]} s", file=sys.stderr, flush=True)
    found = [{"engine": name, "seconds": of} for name, of in took.items()]
    page.add(results, page.ENGINES, {"schema": 1, "list": lines, "engines": found} | finish(began))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
