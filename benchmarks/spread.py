"""python -m benchmarks.spread [--quick]: train every model to its end with kernels and without, and compare the errors.

One task from our own generator, five restarts with the same seeds, the epochs below. Both forms draw the same batches;
what differs is rounding, which a training magnifies. The errors with kernels are to lie where those without lie. Writes
results/benchmarks/spread.json, and results/benchmarks.md. Half an hour on one core; --quick trains for two epochs.
"""

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, stdev
from unittest import mock

import torch

from benchmarks import page
from benchmarks.measure import config, finish, options
from zoo.runs.data import load_data
from zoo.training.train import train

TASK = ("task=babi", "task.source=generated", "task.ids=[1]", "task.size=1k")
RESTARTS, EPOCHS, QUICK = 5, 60, 2


def measure(models: list[str], epochs: int) -> dict:
    """Train, and return the record: errors of test in percent, by model, of every restart in both forms."""
    began, cells = time.monotonic(), []
    torch.set_num_threads(1)
    data = load_data(config("model=memn2n", *TASK)).trainings
    for model in models:
        cell: dict = {"model": model, "task": 1, "epochs": epochs}
        for form, wish in (("plain", "false"), ("kernels", "true")):
            given = config(
                f"model={model}", *TASK, f"restarts={RESTARTS}", "logger=none", f"trainer.max_epochs={epochs}",
                f"trainer.kernels={wish}", "results_dir=nowhere",
            )  # fmt: skip
            started = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                figures = train(given | {"run": {"name": model, "identity": form}}, data, Path(folder), mock.Mock())
            cell[form] = [round(float(error), 2) for error in figures["1"]["errors"]["test"][1]]
            cell[f"{form}_seconds"] = round(time.process_time() - started, 1)
        cells.append(cell | {"apart": round(apart(cell["plain"], cell["kernels"]), 2)})
        print(cells[-1], file=sys.stderr)
    return {"schema": 1, "trainings": cells} | finish(began)


def apart(plain: list[float], kernels: list[float]) -> float:
    """Compute how far two means lie apart, in standard deviations of their difference; 0 if all are equal."""
    gap = abs(fmean(plain) - fmean(kernels))
    spread = math.sqrt((stdev(plain) ** 2 + stdev(kernels) ** 2) / RESTARTS)
    return gap / spread if spread else 0.0 if gap == 0 else math.inf


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spread", description=__doc__)
    given, results = options(parser, arguments)
    page.add(results, page.SPREAD, measure(given.models, QUICK if given.quick else EPOCHS))


if __name__ == "__main__":
    main(sys.argv[1:])
