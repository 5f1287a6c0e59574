"""python -m benchmarks.throughput [--quick]: how fast every model trains and answers, beside a plain baseline.

Writes results/benchmarks/throughput.json, and results/benchmarks.md with its plots. Under ten minutes; --quick is under
one, on small generated data, and writes where --results says only.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from rich.console import Console
from torch import Tensor

from benchmarks import page
from benchmarks.copying import BATCH, LENGTHS, Copiers, PlainCopier, sequences
from benchmarks.measure import MODELS, ROOT, Measurer, Stopwatch, config, evenly, seconds_of, times_in
from benchmarks.plain import PLAIN, loader_of, optimizer_of, plain_of, step
from benchmarks.without import GATHERED, read_for_each_question, told_apart
from tasks.batch import PAD, Questions
from tasks.corpus import Corpus
from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import records
from zoo.runner import load_data
from zoo.training.build import build
from zoo.training.data import EvaluationBatches, TrainingBatches, training_batches
from zoo.training.ensemble import Ensemble
from zoo.training.loggers import csv
from zoo.training.module import EnsembleTraining, predict
from zoo.training.recipe import Recipe
from zoo.training.train import Report

RESTARTS = (1, 10)


class Plan(NamedTuple):
    tasks: tuple[int, ...]
    options: tuple[str, ...]  # of the data
    rounds: int  # everything is measured so often, in turn
    seconds: float  # of one measurement, but a batch at least


USUAL = Plan((1, 2, 3), ("task.source=auto",), 5, 0.06)
QUICK = Plan((1,), ("task.source=generated", "task.size=200", "task.generator.test=50"), 1, 0.01)


class Rate(NamedTuple):
    examples: int
    seconds: float
    outside: float | None = None  # share of the seconds that were spent outside the model


class Drawn:
    """Batches that have been drawn already."""

    def __init__(self, batches: list[Questions]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):  # noqa: ANN204
        return iter(self.batches)


class Timed(EnsembleTraining):
    """The training as it is, with a stopwatch around what the model and its optimizer do."""

    def __init__(self, ensemble: Ensemble, recipe: Recipe) -> None:
        super().__init__(ensemble, recipe)
        self.model, self.validation = Stopwatch(), Stopwatch()
        ensemble.learn = self.model.around(ensemble.learn)
        ensemble.forward = self.validation.around(ensemble.forward)
        torch.Tensor.backward = self.model.around(torch.Tensor.backward)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = super().configure_optimizers()
        optimizer.step = self.model.around(optimizer.step)
        return optimizer


class EpochClock(pl.Callback):
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter() - self.began


def asked(batch: Questions) -> int:
    """Questions of a batch, over all restarts."""
    return int((batch.answer != PAD).sum())


def learn(ensemble: Ensemble, batch: Questions) -> None:
    ensemble.zero_grad()
    sum(ensemble.learn(batch).values()).sum().backward()


def begin(model: dict, task: dict, name: str, restarts: int) -> tuple[Corpus, Ensemble, TrainingBatches]:
    corpus = load_data(task, name).trainings[name]
    ensemble = Ensemble([build(model, corpus.sizes, seed) for seed in range(restarts)])
    if ensemble.linear is not None:
        ensemble.linear.fill_(False)
    batch_size = Recipe.from_config(model["recipe"]).batch_size
    return corpus, ensemble, training_batches(corpus, ensemble.network, list(range(restarts)), batch_size)


def some_of(batches: list, action: Callable, seconds: float, length: Callable[[object], int]) -> list:
    """As many batches as `action` goes through in a measurement, of all lengths that there are."""
    batches = sorted(batches, key=length)
    return evenly(batches, times_in(seconds, lambda: action(batches[len(batches) // 2]), len(batches)))


def of_zoo(model: dict, task: dict, name: str, restarts: int, seconds: float) -> dict[str, Callable]:
    """Training as `run.py` makes it: loader, Lightning, progress and a csv logger; and its evaluation."""
    corpus, ensemble, loader = begin(model, task, name, restarts)
    drawn = some_of(list(loader), lambda batch: learn(ensemble, batch), seconds, lambda batch: batch.stories.shape[-1])
    # an epoch ends with its validation; here of one story, the time of which is taken off
    shortest = int(corpus.valid.lengths.argmin())
    brief = EvaluationBatches(corpus, corpus.valid.stories(shortest, shortest + 1), ensemble.network)
    recipe = replace(Recipe.from_config(model["recipe"]), linear_start_epochs=0, epochs=1000)
    training, folder = Timed(ensemble, recipe), tempfile.mkdtemp(prefix="zoo-benchmark-")

    def train() -> Rate:
        drawing = seconds_of(lambda: list(loader)) / len(loader)
        clock = EpochClock()
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=1, logger=csv(folder, "run", name),
            callbacks=[clock, Report(lambda **state: None)], enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        training.model.seconds = training.validation.seconds = 0.0
        trainer.fit(training, Drawn(drawn), brief)
        whole = clock.seconds - training.validation.seconds + drawing * len(drawn)
        return Rate(sum(map(asked, drawn)), whole, 1 - training.model.seconds / whole)

    evaluation = EvaluationBatches(corpus, corpus.valid, ensemble.network)
    often = times_in(seconds, lambda: predict(ensemble, evaluation))

    def evaluate() -> Rate:
        taken = seconds_of(lambda: [predict(ensemble, evaluation) for _ in range(often)])
        return Rate(often * restarts * len(corpus.valid), taken)

    return {"train": train, "evaluate": evaluate}


def of_plain(model: dict, task: dict, name: str, seconds: float) -> dict[str, Callable]:
    corpus = load_data(task, name).trainings[name]
    network = build(model, corpus.sizes, 0)
    if hasattr(network, "linear"):
        network.linear.fill_(False)
    plain, recipe = plain_of(network), Recipe.from_config(model["recipe"])
    optimizer = optimizer_of(plain, recipe)
    train_loader = loader_of(corpus, corpus.train, network, recipe.batch_size, shuffle=True)
    valid_loader = loader_of(corpus, corpus.valid, network, recipe.batch_size, shuffle=False)
    first = next(iter(train_loader))
    count = times_in(seconds, lambda: step(plain, first, optimizer, recipe.clip), len(train_loader))

    def train() -> Rate:
        plain.train()
        began, examples = time.perf_counter(), 0
        for batch in islice(train_loader, count):
            step(plain, batch, optimizer, recipe.clip)
            examples += len(batch.answer)
        return Rate(examples, time.perf_counter() - began)

    @torch.inference_mode()
    def answer_all() -> int:
        plain.eval()
        return sum(int((plain(batch).argmax(-1) != batch.answer).sum()) for batch in valid_loader)

    often = times_in(seconds, answer_all)

    def evaluate() -> Rate:
        taken = seconds_of(lambda: [answer_all() for _ in range(often)])
        return Rate(often * len(corpus.valid), taken)

    return {"train": train, "evaluate": evaluate}


def switched(model: dict, task: dict, name: str, restarts: int, what: str, seconds: float) -> dict[str, Callable]:
    """Forwards and backwards, with one of the zoo's ways of saving time and without it."""
    corpus, ensemble, loader = begin(model, task, name, restarts)
    on = off = ensemble
    form = GATHERED.get(type(ensemble.network))
    if form:  # elsewhere memories are gathered anyway
        off = begin(model | {"_target_": f"{form.__module__}.{form.__name__}"}, task, name, restarts)[1]
    if what == "story":
        order = torch.randperm(loader.rows).expand(restarts, -1)
        alike = order.gather(1, corpus.train.lengths[order].argsort(1)).split(loader.batch_size, dim=1)
        pairs = [(corpus.by_story(corpus.train, some), read_for_each_question(corpus, some)) for some in alike]
    elif what == "sentences":
        on, pairs = off, [(batch, told_apart(batch)) for batch in loader]
    else:
        pairs = [(batch, batch) for batch in loader]
    pairs = some_of(pairs, lambda pair: learn(off, pair[1]), seconds, lambda pair: pair[0].stories.shape[-1])

    def rate(ensemble: Ensemble, side: int) -> Rate:
        taken = seconds_of(lambda: [learn(ensemble, pair[side]) for pair in pairs])
        return Rate(sum(asked(pair[side]) for pair in pairs), taken)

    return {"on": lambda: rate(on, 0), "off": lambda: rate(off, 1)}


def of_copying(form: str) -> dict[str, Callable]:
    """Steps of training on the copy task, one of each length."""
    generator = torch.Generator().manual_seed(0)
    restarts = {"plain": 1, "one": 1, "ten": 10}[form]
    network = PlainCopier() if form == "plain" else Copiers(restarts)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def learn_one(length: int) -> None:
        heard, bits = sequences(length, restarts, generator)
        optimizer.zero_grad()
        (network(heard[0], bits[0]) if form == "plain" else network(heard, bits)).backward()
        optimizer.step()

    learn_one(2)

    def train() -> Rate:
        taken = seconds_of(lambda: [learn_one(length) for length in LENGTHS])
        return Rate(len(LENGTHS) * BATCH * restarts, taken)

    return {"train": train}


# which models are compared with and without what; restarts are, in every cell, by their two numbers
SWITCHES = {
    "sentences": ("memn2n", "wmn", "transformer", "dmn_plus", "entnet", "ntm"),
    "story": ("entnet", "lstm", "ntm", "dmn"),
    "attention": ("memn2n", "gated_memn2n"),
}


class Side(NamedTuple):
    """Something that is measured beside others."""

    labels: dict
    measurer: Measurer
    asked: tuple[str, ...]


def in_turn(sides: list[Side], rounds: int, threads: tuple[int, ...]) -> list[dict]:
    """Asks every side in every round, and returns a cell for each of them and each number of threads."""
    found: dict[tuple, list[Rate]] = {}
    for _ in range(rounds):
        for number in threads:
            for i, side in enumerate(sides):
                for what in side.asked:
                    found.setdefault((i, number, what), []).append(side.measurer.ask(what, number))
    cells = []
    for i, side in enumerate(sides):
        peak = side.measurer.close()
        for number in threads:
            cell = side.labels | {"threads": number, "peak_mb": round(peak / 2**20, 1)}
            for what in side.asked:
                rates = found[i, number, what]
                cell[what] = [round(rate.examples / rate.seconds, 1) for rate in rates]
                if rates[0].outside is not None:
                    cell["outside"] = [round(100 * rate.outside, 1) for rate in rates]
            cells.append(cell)
    return cells


def median(cell: dict, what: str = "train") -> float:
    return statistics.median(cell[what])


def measure(plan: Plan, models: list[str]) -> dict:
    """The record."""
    began = time.monotonic()
    threads = tuple(sorted({1, records.cores()}))
    ids = f"task.ids=[{','.join(map(str, plan.tasks))}]"
    task = config("task=babi", ids, *plan.options)
    data = load_data(task)
    if data.notice:
        print(data.notice, file=sys.stderr)
    task["task"] |= {"source": data.source}
    recipes = {name: config(f"model={name}")["model"] for name in models}
    screen, cells, switches = Console(), [], []
    for model in models:
        for name in data.trainings:
            given = (recipes[model], task, name)
            sides = [
                Side(
                    {"model": model, "task": int(name), "form": "zoo", "restarts": restarts},
                    Measurer(of_zoo, *given, restarts, plan.seconds),
                    ("train", "evaluate"),
                )
                for restarts in RESTARTS
            ]
            if get_class(recipes[model]["_target_"]) in PLAIN:
                labels = {"model": model, "task": int(name), "form": "plain", "restarts": 1}
                sides.append(Side(labels, Measurer(of_plain, *given, plan.seconds), ("train", "evaluate")))
            got = in_turn(sides, plan.rounds, threads)
            cells += got
            rates = ", ".join(
                f"{cell['form']} ×{cell['restarts']} {median(cell):,.0f}" for cell in got if cell["threads"] == 1
            )
            screen.print(f"[dim]{time.monotonic() - began:4.0f} s[/]  {model:13} task {name}  {rates}", highlight=False)
    for what, names in SWITCHES.items():
        for model in filter(models.__contains__, names):
            for name in data.trainings:
                measurer = Measurer(switched, recipes[model], task, name, RESTARTS[-1], what, plan.seconds)
                labels = {"switch": what, "model": model, "task": int(name), "restarts": RESTARTS[-1]}
                (cell,) = in_turn([Side(labels, measurer, ("on", "off"))], plan.rounds, (1,))
                del cell["peak_mb"]
                switches.append(cell)
        screen.print(f"[dim]{time.monotonic() - began:4.0f} s[/]  with and without: {what}", highlight=False)
    forms = ("plain", "one", "ten")
    sides = [Side({"form": form}, Measurer(of_copying, form), ("train",)) for form in forms]
    copying = in_turn(sides, plan.rounds, threads) if "ntm" in models else []
    return {
        "schema": 1,
        "source": data.source,
        "data_sha256": data.fingerprint,
        "rounds": plan.rounds,
        "seconds_of_a_measurement": plan.seconds,
        "cells": cells,
        "switches": switches,
        "copying": copying,
        "wall_seconds": round(time.monotonic() - began, 1),
        "environment": {k: v for k, v in records.environment().items() if k != "peak_memory_mb"},
        **records.commit(),
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data, one round: does it run?")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL", help="only these")
    parser.add_argument("--results", type=Path, help="folder for the record and the page (default: results)")
    given = parser.parse_args(arguments)
    if given.results is None and (given.quick or given.models != MODELS):
        parser.error("what is not measured whole does not go into results: say where with --results DIR")
    record = measure(QUICK if given.quick else USUAL, given.models)
    results = given.results or ROOT / "results"
    write_atomically(results / page.THROUGHPUT, lambda stream: stream.write(page.dump(record).encode()))
    page.write(results)
    print(f"{record['wall_seconds']:.0f} s; written: {page.THROUGHPUT} and {page.PAGE}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
