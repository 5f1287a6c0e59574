"""python -m benchmarks.kernels [--quick | --protocol]: training with kernels beside the eager form, in one process.

A step is loss, gradient, clip and update; rates are examples a second of processor time, the best of short rounds in
turn. What is found goes into results/benchmarks/throughput.json after each model, so that an interrupted run leaves
what it came to. Eight minutes on an idle core. With --protocol, in six: the hours that all restarts of all tasks would
take with the epochs of conf/experiment, from a few batches of each task.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch
from hydra.utils import get_class
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import page
from benchmarks.copying import BATCH, COPY, LENGTHS, sequences
from benchmarks.measure import ROOT, config, evenly, finish, options
from benchmarks.plain import PLAIN, loader_of, optimizer_of, plain_of
from benchmarks.plain import step as plain_step
from tasks.batch import Batch
from tasks.errors import UserError
from zoo import kernels, records
from zoo.kinds.stories import training_batches
from zoo.models.ntm import SequenceNTM
from zoo.runs.data import load_data
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.module import EnsembleTraining
from zoo.training.recipe import Recipe

TASKS, RESTARTS = (1, 2, 3), (1, 10)
ROUNDS, SECONDS = 3, 0.1  # of a measurement, but once through its batches at least
BATCHES = 8  # of all lengths, or as many as the eager form goes through in twice the seconds, but one at least
CORES = 2  # of the protocol's machine
SAMPLED = 2  # batches of each task in the protocol
EXPERIMENT = re.compile(r"[a-z]+\d{4}_(?P<model>[a-z0-9_]+?)_babi_(?P<size>1k|10k)")


class Trained:
    """Restarts in training, and some of their batches."""

    def __init__(self, ensemble: Ensemble, recipe: Recipe, batches: list[Batch]) -> None:
        if ensemble.linear is not None:
            ensemble.linear.fill_(False)
        self.training, self.batches = EnsembleTraining(ensemble, recipe), batches
        self.optimizer = self.training.configure_optimizers()
        self.training.on_train_epoch_start()
        if ensemble.linear is not None:
            ensemble.linear.fill_(False)
        self.before = ensemble.weights.detach().clone()

    @property
    def examples(self) -> int:
        return int(sum(batch.asked.sum() for batch in self.batches))

    def run(self) -> None:
        for batch in self.batches:
            self.training.step(batch, self.optimizer)

    def begin_again(self) -> None:
        """Puts the weights back: what many steps on few batches lead to is no usual training."""
        with torch.no_grad():
            self.training.ensemble.weights.copy_(self.before)

    def shorten(self, seconds: float) -> float:
        """Keeps as many batches as the eager form goes through in these seconds; counts MFLOP of an example.

        Those are of the products of the middle batch.
        """
        middle = self.batches[len(self.batches) // 2]
        with kernels.switched(False), FlopCounterMode(display=False) as counter:
            began = time.process_time()
            self.training.step(middle, self.optimizer)
            taken = time.process_time() - began
        with kernels.switched(False):
            if taken < seconds:  # now that it is warm
                began = time.process_time()
                self.training.step(middle, self.optimizer)
                taken = time.process_time() - began
        count = max(1, int(seconds / taken))
        if count < len(self.batches):
            self.batches = evenly(self.batches, count)
        return counter.get_total_flops() / int(middle.asked.sum()) / 1e6


def corpora(size: str, ids: tuple[int, ...], *more: str) -> dict:
    task = ("task=babi", f"task.size={size}", f"task.ids=[{','.join(map(str, ids))}]", "task.fill_missing=generated")
    return load_data(config("model=memn2n", *task, *more)).trainings


def trained(model: dict, corpus: object, restarts: int, count: int) -> Trained:
    """Some batches of all lengths that there are."""
    seeds = list(range(restarts))
    ensemble = Ensemble([build(model, corpus.sizes, seed) for seed in seeds])
    recipe = Recipe.from_config(model["recipe"])
    drawn = training_batches(corpus, ensemble.network, seeds, recipe.batch_size, recipe.by_length)
    some = sorted(islice(drawn, 4 * count), key=lambda batch: batch.stories.shape[-1])
    return Trained(ensemble, recipe, evenly(some, min(count, len(some))))


def copying(restarts: int) -> Trained:
    generator = torch.Generator().manual_seed(0)
    ensemble = Ensemble([SequenceNTM(*COPY.widths) for _ in range(restarts)])
    recipe = Recipe(optimizer="adam", learning_rate=1e-4, batch_size=BATCH)
    return Trained(ensemble, recipe, [sequences(length, restarts, generator) for length in LENGTHS])


def best_of(runs: dict[str, Callable[[], None]], rounds: int, seconds: float, again: Callable[[], None]) -> dict:
    """Processor seconds of each, the least of several rounds in turn; on several threads seconds of the clock."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            again()
            began, count = clock(), 0
            while not count or clock() - began < seconds:
                run()
                count += 1
            least[name] = min(least[name], (clock() - began) / count)
    return least


def peak() -> float:
    """GFLOP/s of a product of two matrices, by processor time."""
    a, b = torch.rand(2, 1024, 1024)
    taken = best_of({"product": lambda: torch.mm(a, b)}, 5, 0.1, lambda: None)["product"]
    return 2 * 1024**3 / taken / 1e9


def form(given: Trained, wish: bool) -> Callable[[], None]:
    """A run through the batches with kernels or without."""

    def run() -> None:
        with kernels.switched(wish):
            given.run()

    return run


def compare(given: Trained, rounds: int, seconds: float) -> dict:
    """Rates of the forms, side by side."""
    runs = {"eager": form(given, False), "kernels": form(given, True)}
    runs["kernels"]()
    taken = best_of(runs, rounds, seconds, given.begin_again)
    return {name: round(given.examples / least, 1) for name, least in taken.items()}


def rival(model: dict, corpus: object, batches: int) -> tuple[Callable[[], None], int] | None:
    """The plain baseline on some batches, and their examples, if the model has one."""
    if get_class(model["_target_"]) not in PLAIN:
        return None
    network, recipe = build(model, corpus.sizes, 0), Recipe.from_config(model["recipe"])
    plain = plain_of(network)
    optimizer = optimizer_of(plain, recipe)
    drawn = list(islice(loader_of(corpus, corpus.train, network, recipe.batch_size, shuffle=True), batches))

    def run() -> None:
        for batch in drawn:
            plain_step(plain, batch, optimizer, recipe.clip)

    return run, sum(len(batch.answer) for batch in drawn)


class Cells:
    """The models and tasks that are measured.

    Args:
        models: their names.
        quick: a task and a number of restarts only, with little data.
    """

    def __init__(self, models: list[str], quick: bool) -> None:
        more = ("task.source=generated", "task.size=64", "task.generator.test=20") if quick else ()
        self.data = corpora("10k", (1,) if quick else TASKS, *more)
        self.models = {name: config(f"model={name}")["model"] for name in models}
        self.quick, self.restarts = quick, (2,) if quick else RESTARTS
        self.rounds, self.seconds = (1, 0.0) if quick else (ROUNDS, SECONDS)

    def of(self, name: str) -> Iterator[dict]:
        """Yield the measured cells of a model."""
        for task in [*map(int, self.data), *(["copy"] if name == "ntm" else [])]:
            for count in self.restarts:
                yield {"model": name, "task": task, "restarts": count}

    def prepare(self, model: str, task: int | str, restarts: int) -> tuple[Trained, float]:
        """Restarts with their batches, and the MFLOP of an example."""
        if task == "copy":
            given = copying(restarts)
        else:
            given = trained(self.models[model], self.data[str(task)], restarts, BATCHES)
        return given, given.shorten(2 * self.seconds)

    def measure(self, model: str, task: int | str, restarts: int, top: float | None) -> dict:
        """Rates on one thread: eager and with kernels, and that of the plain rival if there is one.

        Args:
            model: its name.
            task: its number, or `copy`.
            restarts: how many.
            top: GFLOP/s of a product of matrices.
        """
        given, mflop = self.prepare(model, task, restarts)
        found = compare(given, self.rounds, self.seconds)
        if top is not None:
            found["mflop"] = round(mflop, 4)  # of products, as the eager form makes them
            found |= {f"{name}_peak_percent": round(mflop * found[name] / top / 10, 1) for name in ("eager", "kernels")}
        if task == "copy":
            return found
        options, corpus = self.models[model], self.data[str(task)]
        plain = rival(options, corpus, len(given.batches)) if restarts == 1 or self.quick else None
        if plain is not None:
            run, examples = plain
            found["plain"] = round(examples / self._seconds_of(run), 1)
        return found

    def _seconds_of(self, run: Callable[[], None]) -> float:
        run()
        return best_of({"it": run}, self.rounds, self.seconds, lambda: None)["it"]


def measure(
    models: list[str], quick: bool = False, threads: tuple[int, ...] = (1, 2), note: Callable[[dict], None] = print
) -> dict:
    """Entries of throughput.json: `kernels` on one thread, `kernels_on_threads` on two, and how they were made.

    Args:
        models: names of those to be measured.
        quick: little, once.
        threads: numbers of them, no more than there are cores.
        note: is given what there is, model by model.
    """
    began, load = time.monotonic(), os.getloadavg()[0]
    cells, top = Cells(models, quick), None if quick else peak()
    found: dict = {"kernels": [], "kernels_on_threads": []}

    def made(complete: bool = False) -> dict:
        made = {
            "complete": complete,
            "load": round(max(load, os.getloadavg()[0]), 1),
            "gemm_gflops": top and round(top, 1),
        }
        return {name: of for name, of in found.items() if of} | {"kernels_made": made | finish(began)}

    for number in threads if not quick else (1,):
        if number > records.cores():
            continue
        torch.set_num_threads(number)
        for name in models:
            for labels in cells.of(name):
                if number == 1:
                    entry = labels | cells.measure(**labels, top=top)
                    found["kernels"].append(entry)
                else:
                    given, _ = cells.prepare(**labels)
                    entry = labels | {"threads": number} | compare(given, ROUNDS - 1, SECONDS)
                    found["kernels_on_threads"].append(entry)
                print(f"{json.dumps(entry)}  {entry['kernels'] / entry['eager']:.2f}x", file=sys.stderr)
            note(made())
    torch.set_num_threads(1)
    return made(complete=True)


def protocol(models: list[str], note: Callable[[dict], None] = print) -> dict:
    """Hours on two cores of ten restarts of all 20 tasks, drawing of batches included, patience not.

    An example at 1k takes what it takes at 10k, where all options but epochs and rates are the same.
    """
    began, load = time.monotonic(), os.getloadavg()[0]
    hours: dict = {}

    def made(complete: bool = False) -> dict:
        made = {"complete": complete, "load": round(max(load, os.getloadavg()[0]), 1), "cores": CORES}
        made |= {"restarts": 10, "batches": SAMPLED}
        return {"protocol_hours": hours, "protocol_made": made | finish(began)}

    data = {size: corpora(size, tuple(range(1, 21))) for size in ("10k", "1k")}
    known: dict[str, list[float]] = {}  # seconds of an example, by the options that decide them
    torch.set_num_threads(1)
    for file in sorted((ROOT / "conf/experiment").glob("*.yaml")):
        named = EXPERIMENT.fullmatch(file.stem)
        if not named or named["model"] not in models:
            continue
        model, corpora_of_it = config(f"experiment={file.stem}")["model"], data[named["size"]].values()
        recipe = Recipe.from_config(model["recipe"])
        decisive = ("optimizer", "batch_size", "by_length")
        key = json.dumps(model | {"recipe": [getattr(recipe, name) for name in decisive]}, sort_keys=True)
        if key not in known:
            known[key] = [seconds_of_example(model, corpus) for corpus in corpora_of_it]
        examples = [10 * len(corpus.train) * recipe.all_epochs for corpus in corpora_of_it]
        each = sum(one * count for one, count in zip(known[key], examples, strict=True))
        of_model = hours.setdefault(named["model"], {})
        of_model[named["size"]] = round(each / 3600 / CORES, 3)
        print(f"{named['model']} {named['size']}: {of_model[named['size']]:.2f} h", file=sys.stderr)
        note(made())
    return made(complete=True)


def seconds_of_example(model: dict, corpus: object, most: float = 0.2) -> float:
    """Processor seconds of a training example with ten restarts.

    Args:
        model: with its recipe.
        corpus: a task.
        most: seconds of drawing batches; the epoch's rest takes as long in proportion.
    """
    seeds = list(range(10))
    ensemble = Ensemble([build(model, corpus.sizes, seed) for seed in seeds])
    recipe = Recipe.from_config(model["recipe"])
    batches = training_batches(corpus, ensemble.network, seeds, recipe.batch_size, recipe.by_length)
    every = max(1, len(batches) // (4 * SAMPLED))
    some, asked = [], 0
    with kernels.switched("auto"):
        began = time.process_time()
        for number, batch in enumerate(batches):
            asked += int(batch.asked.sum())
            if number % every == 0:
                some.append(batch)
            if time.process_time() - began > most and len(some) >= SAMPLED:
                break
        taken = (time.process_time() - began) / asked
        some.sort(key=lambda batch: batch.stories.shape[-1])
        given = Trained(ensemble, recipe, evenly(some, min(SAMPLED, len(some))))
        given.training.step(given.batches[0], given.optimizer)
        return taken + best_of({"steps": given.run}, 1, 0.0, given.begin_again)["steps"] / given.examples


def write(results: Path, make: Callable[[Callable[[dict], None]], dict]) -> None:
    """Write what is found, as it is found, into the record of throughput, and the page."""
    found = make(lambda some: page.update(results, page.THROUGHPUT, some))
    page.update(results, page.THROUGHPUT, found)
    print(f"written: {results.name}/{page.THROUGHPUT} and {results.name}/{page.PAGE}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--protocol", action="store_true", help="the table of hours instead")
    parser.add_argument("--threads", type=int, nargs="+", default=(1, 2), choices=(1, 2), help="only on so many")
    given, results = options(parser, arguments)
    if given.protocol:
        write(results, lambda note: protocol(given.models, note))
    else:
        write(results, lambda note: measure(given.models, given.quick, given.threads, note))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
