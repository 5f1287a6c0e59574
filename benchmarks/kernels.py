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
BATCHES = (2, 8)  # at least and at most, of all lengths; as many as the eager form goes through in twice the seconds
CORES = 2  # of the protocol's machine
SAMPLED = 2  # batches of each task in the protocol
EXPERIMENT = re.compile(r"[a-z]+\d{4}_(?P<model>[a-z0-9_]+?)_babi_(?P<size>1k|10k)")
# compiled in this process, with ten restarts on one thread: each shape of a batch is a program, which takes its time
COMPILED = {
    "memn2n": (1, 2), "gated_memn2n": (1, 2), "kv_memnn": (1, 2), "memnn": (1,), "entnet": (1, 2), "wmn": (1,),
    "ntm": (1,),
}  # fmt: skip


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

    def shorten(self, seconds: float) -> None:
        """Keeps as many batches as the eager form goes through in these seconds."""
        middle = self.batches[len(self.batches) // 2]
        with kernels.switched(False):
            began = time.process_time()
            self.training.step(middle, self.optimizer)
            taken = time.process_time() - began
        count = max(BATCHES[0], int(seconds / taken))
        if count < len(self.batches):
            self.batches = evenly(self.batches, count)


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


def best_of(
    runs: dict[str, Callable[[], None]], rounds: int, seconds: float, again: Callable[[], None], warm: bool = True
) -> dict:
    """Processor seconds of each, the least of several rounds in turn; on several threads seconds of the clock."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    least = dict.fromkeys(runs, float("inf"))
    for run in runs.values() if warm else ():
        again()
        run()
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


def compare(given: Trained, rounds: int, seconds: float, top: float | None) -> dict:
    """Rates of the forms, side by side.

    Args:
        given: the restarts.
        rounds: of each form, in turn.
        seconds: that a form runs in a round, at least.
        top: GFLOP/s of a product of matrices; None: no FLOPs are counted.
    """
    runs = {"eager": form(given, False), "kernels": form(given, True)}
    taken = best_of(runs, rounds, seconds, given.begin_again)
    found = {name: round(given.examples / least, 1) for name, least in taken.items()}
    if top is not None:
        with FlopCounterMode(display=False) as counter:
            runs["eager"]()
        each = counter.get_total_flops() / given.examples
        found["mflop"] = round(each / 1e6, 4)  # of products, as the eager form makes them
        found |= {f"{name}_peak_percent": round(100 * each / 1e9 * found[name] / top, 1) for name in runs}
    return found


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
        self.restarts, self.seconds = ((2,), 0.0) if quick else (RESTARTS, 2 * SECONDS)

    def of(self, name: str) -> Iterator[tuple[dict, Callable[[], Trained]]]:
        """Labels of what is measured of a model, and how to prepare it."""
        for task, corpus in self.data.items():
            for count in self.restarts:
                labels = {"model": name, "task": int(task), "restarts": count}
                yield labels, lambda corpus=corpus, count=count: self._prepared(name, corpus, count)
        if name == "ntm":
            for count in self.restarts:
                yield {"model": name, "task": "copy", "restarts": count}, lambda count=count: self._copying(count)

    def _prepared(self, name: str, corpus: object, count: int) -> Trained:
        given = trained(self.models[name], corpus, count, BATCHES[1])
        given.shorten(self.seconds)
        return given

    def _copying(self, count: int) -> Trained:
        given = copying(count)
        given.shorten(self.seconds)
        return given


def measure(models: list[str], quick: bool = False, note: Callable[[dict], None] = lambda found: None) -> dict:
    """Entries of throughput.json: `kernels` on one thread, `kernels_on_threads` on two, and how they were made.

    Args:
        models: names of those to be measured.
        quick: little, once.
        note: is given what there is, model by model.
    """
    began, load = time.monotonic(), os.getloadavg()[0]
    cells, top, seconds = Cells(models, quick), None if quick else peak(), 0.0 if quick else SECONDS
    found: dict = {"kernels": [], "kernels_on_threads": []}

    def told(entry: dict) -> None:
        print(f"{json.dumps(entry)}  {entry['kernels'] / entry['eager']:.2f}x", file=sys.stderr)

    def made() -> dict:
        made = {"load": round(max(load, os.getloadavg()[0]), 1), "gemm_gflops": top and round(top, 1)}
        return found | {"kernels_made": made | finish(began)}

    for threads in (1,) if quick or records.cores() == 1 else (1, 2):
        torch.set_num_threads(threads)
        for name in models:
            for labels, prepare in cells.of(name):
                if threads > 1:
                    entry = labels | {"threads": threads} | compare(prepare(), 2, seconds, None)
                    found["kernels_on_threads"].append(entry)
                else:
                    entry = labels | beside(cells, labels, prepare(), 1 if quick else ROUNDS, seconds, top)
                    found["kernels"].append(entry)
                told(entry)
            note(made())
    torch.set_num_threads(1)
    return made()


def beside(cells: Cells, labels: dict, given: Trained, rounds: int, seconds: float, top: float | None) -> dict:
    """Rates on one thread: eager, with kernels, and those of the plain rival and of the compiled form that there are."""
    found = compare(given, rounds, seconds, top)
    name, task, restarts = labels.values()
    if task == "copy":
        return found
    model, corpus = cells.models[name], cells.data[str(task)]
    plain = rival(model, corpus, len(given.batches)) if restarts == 1 else None
    if plain is not None:
        taken = best_of({"plain": plain[0]}, rounds, seconds, lambda: None)["plain"]
        found["plain"] = round(plain[1] / taken, 1)
    if top is not None and restarts > 1 and task in COMPILED.get(name, ()):
        recipe = given.training.recipe
        batches = training_batches(
            corpus, given.training.ensemble.network, list(range(restarts)), recipe.batch_size, recipe.by_length
        )
        given.training.ensemble.compile_for(batches.batch_size)
        taken = best_of({"compiled": form(given, False)}, rounds, seconds, given.begin_again)["compiled"]
        found["compiled"] = round(given.examples / taken, 1)
    return found


def protocol(models: list[str], note: Callable[[dict], None] = lambda found: None) -> dict:
    """Hours on two cores of ten restarts of all 20 tasks, drawing of batches included, patience not."""
    began, load = time.monotonic(), os.getloadavg()[0]
    hours: dict = {}

    def made() -> dict:
        made = {"load": round(max(load, os.getloadavg()[0]), 1), "restarts": 10, "batches": SAMPLED, "cores": CORES}
        return {"protocol_hours": hours, "protocol_made": made | finish(began)}

    torch.set_num_threads(1)
    for size in ("10k", "1k"):
        data = corpora(size, tuple(range(1, 21)))
        for file in sorted((ROOT / "conf/experiment").glob("*.yaml")):
            named = EXPERIMENT.fullmatch(file.stem)
            if not named or named["size"] != size or named["model"] not in models:
                continue
            model = config(f"experiment={file.stem}")["model"]
            each = [seconds_of_training(model, corpus) for corpus in data.values()]
            hours.setdefault(named["model"], {})[size] = round(sum(each) / 3600 / CORES, 3)
            print(f"{named['model']} {size}: {hours[named['model']][size]:.2f} h", file=sys.stderr)
            note(made())
    return made()


def seconds_of_training(model: dict, corpus: object, most: float = 0.3) -> float:
    """Processor seconds of all epochs of ten restarts.

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
        taken += best_of({"step": given.run}, 2, 0.0, given.begin_again, warm=False)["step"] / given.examples
    return taken * len(seeds) * len(corpus.train) * recipe.all_epochs


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--protocol", action="store_true", help="the table of hours instead")
    given, results = options(parser, arguments)

    def note(found: dict) -> None:
        page.update(results, page.THROUGHPUT, found)

    found = protocol(given.models, note) if given.protocol else measure(given.models, given.quick, note)
    page.update(results, page.THROUGHPUT, found)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
