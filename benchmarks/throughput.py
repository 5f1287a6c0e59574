"""python -m benchmarks.throughput [--quick]: time every model in training and evaluation, beside a plain baseline.

Writes results/benchmarks/throughput.json, and results/benchmarks.md with its plot. Under ten minutes, and then those of
benchmarks.kernels; --quick is under one, on small generated data, and writes where --results says only.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from hydra.utils import get_class

from benchmarks import kernels, page
from benchmarks.measure import Measurer, config, finish, options
from benchmarks.plain import PLAIN
from benchmarks.sides import Rate, of_copying, of_plain, of_zoo, switched
from tasks.errors import UserError
from zoo import records
from zoo.runs.data import load_data


class Plan(NamedTuple):
    tasks: tuple[int, ...]
    data: tuple[str, ...]  # options of the data
    rounds: int  # everything is measured so often, in turn
    seconds: float  # of one measurement, but a batch at least
    threads: tuple[int, ...]


USUAL = Plan((1, 2, 3), ("task.source=auto",), 5, 0.1, tuple(sorted({1, records.cores()})))
# several threads wait for one another where other processes, or other tests, have the cores
QUICK = Plan((1,), ("task.source=generated", "task.size=64", "task.generator.test=20"), 1, 0.0, (1,))


class Form(NamedTuple):
    """A way to train, measured beside the others on every model and task. A line in FORMS adds one."""

    name: str
    restarts: int
    prepare: Callable
    options: tuple[str, ...] = ()  # of `run.py`


FORMS = (
    Form("plain", 1, of_plain),
    Form("zoo", 1, of_zoo, ("trainer.kernels=false",)),
    Form("zoo ×10", 10, of_zoo, ("trainer.kernels=false",)),
)

# a model at another size, on the longer stories, where ten restarts at once may outgrow the cache
WIDE = {"memn2n, d = 50": ("memn2n", "model.dim=50")}
LONGER = (2, 3)


# which models are compared with and without what; one restart and ten are compared among FORMS
SWITCHES = {
    "sentences": ("memn2n", "dmn_plus", "entnet"),
    "story": ("entnet", "lstm", "ntm", "dmn"),
    "attention": ("memn2n", "gated_memn2n"),
}


class Side(NamedTuple):
    """One of the things that are measured in turn."""

    labels: dict
    measurer: Measurer
    asked: tuple[str, ...]
    threads: tuple[int, ...]


def in_turn(sides: list[Side], rounds: int) -> list[dict]:
    """Ask every side in every round, and return a cell for each of them and each number of threads.

    Sides without a goal (evaluation, several threads) are asked in every second round only.
    """
    found: dict[tuple, list[Rate]] = {}
    for turn in range(rounds):
        for i, side in enumerate(sides):
            for number in side.threads:
                for what in side.asked:
                    if turn % 2 == 0 or (number == 1 and what != "evaluate"):
                        found.setdefault((i, number, what), []).append(side.measurer.ask(what, number))
    cells = []
    for i, side in enumerate(sides):
        peak = side.measurer.close()
        for number in side.threads:
            cell = side.labels | {"threads": number, "peak_mb": round(peak / 2**20, 1)}
            for what in side.asked:
                rates = found[i, number, what]
                cell[what] = [round(rate.examples / rate.seconds, 1) for rate in rates]
                if rates[0].outside is not None:
                    cell["outside"] = [round(100 * rate.outside, 1) for rate in rates]
            cells.append(cell)
    return cells


def measure(plan: Plan, models: list[str]) -> dict:
    """Measure everything, and return the record."""
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {words}", file=sys.stderr)

    ids = f"task.ids=[{','.join(map(str, plan.tasks))}]"

    def settings(model: str, *more: str) -> dict:
        return config(f"model={model}", "task=babi", ids, *plan.data, *more)

    data = load_data(settings(models[0]))
    if data.notice:
        print(data.notice, file=sys.stderr)
    cells, switches, copying = [], [], []
    usual = [(model, model, (), plan.tasks) for model in models]
    wide = [(label, model, (size,), LONGER) for label, (model, size) in WIDE.items() if model in models]
    for label, model, size, tasks in usual + wide:
        has_plain = get_class(settings(model)["model"]["_target_"]) in PLAIN
        forms = [form for form in FORMS if has_plain or form.prepare is not of_plain]
        given = {form.name: settings(model, f"restarts={form.restarts}", *size, *form.options) for form in forms}
        for task in (task for task in data.trainings if int(task) in tasks):
            sides = [
                Side(
                    {"model": label, "task": int(task), "form": form.name},
                    Measurer(form.prepare, given[form.name], task, plan.seconds),
                    ("train", "evaluate"),
                    plan.threads,
                )
                for form in forms
            ]
            got = in_turn(sides, plan.rounds)
            cells += got
            rates = (f"{cell['form']} {median(cell['train']):,.0f}" for cell in got if cell["threads"] == 1)
            say(f"{label}, task {task}: {', '.join(rates)}")
    for what, names in SWITCHES.items():
        for model in filter(models.__contains__, names):
            for task in data.trainings:
                measurer = Measurer(switched, settings(model, "restarts=10"), task, what, plan.seconds)
                labels = {"switch": what, "model": model, "task": int(task)}
                switches += in_turn([Side(labels, measurer, ("on", "off"), (1,))], plan.rounds)
        say(f"with and without: {what}")
    if "ntm" in models:
        sides = [
            Side(
                {"form": form.name},
                Measurer(of_copying, form.name, form.restarts),
                ("train",),
                plan.threads,
            )
            for form in FORMS
        ]
        copying = in_turn(sides, plan.rounds)
        say("the copy task")
    return {
        "schema": 1,
        "source": data.source,
        "data_sha256": data.fingerprint,
        "rounds": plan.rounds,
        "seconds_of_a_measurement": plan.seconds,
        "forms": {form.name: form.restarts for form in FORMS},
        "cells": cells,
        "switches": switches,
        "copying": copying,
    } | finish(began)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    given, results = options(parser, arguments)
    page.update(results, page.THROUGHPUT, measure(QUICK if given.quick else USUAL, given.models))
    kernels.write(results, lambda note: kernels.measure(given.models, given.quick, note=note))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
