"""python -m benchmarks.kernels [--quick | --protocol]: training with kernels beside the eager form, in one process.

A step is loss, gradient, clip and update; rates are examples a second of processor time, the best of short rounds in
turn. What is found goes into results/benchmarks/throughput.json. With --protocol: the hours that all restarts of all
tasks would take with the epochs of conf/experiment, from a few batches of each task.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from itertools import islice

import torch
from hydra.utils import get_class
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import page
from benchmarks.copying import BATCH, COPY, LENGTHS, sequences
from benchmarks.measure import ROOT, config, evenly, options
from benchmarks.plain import PLAIN, loader_of, optimizer_of, plain_of
from benchmarks.plain import step as plain_step
from tasks.batch import Batch
from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import kernels, records
from zoo.kinds.stories import training_batches
from zoo.models.ntm import SequenceNTM
from zoo.runs.data import load_data
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.module import EnsembleTraining
from zoo.training.recipe import Recipe

TASKS, RESTARTS, ROUNDS, SECONDS, BATCHES = (1, 2, 3), (1, 10), 4, 0.3, 8
CORES = 2  # of the protocol's machine
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
        self.examples = int(sum(batch.asked.sum() for batch in batches))
        self.before = ensemble.weights.detach().clone()

    def run(self) -> None:
        for batch in self.batches:
            self.training.step(batch, self.optimizer)

    def begin_again(self) -> None:
        """Puts the weights back: what many steps on few batches lead to is no usual training."""
        with torch.no_grad():
            self.training.ensemble.weights.copy_(self.before)


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
    for run in runs.values():
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
    taken = best_of({"product": lambda: torch.mm(a, b)}, 3, 0.2, lambda: None)["product"]
    return 2 * 1024**3 / taken / 1e9


def compare(given: Trained, plain: Callable[[], None] | None, rounds: int, seconds: float, top: float | None) -> dict:
    """Rates of the forms, side by side."""

    def form(wish: bool) -> Callable[[], None]:
        def run() -> None:
            with kernels.switched(wish):
                given.run()

        return run

    runs = {"eager": form(False), "kernels": form(True)}
    taken = best_of(runs, rounds, seconds, given.begin_again)
    found = {name: round(given.examples / taken[name], 1) for name in runs}
    if plain is not None:
        plain_taken = best_of({"plain": plain}, rounds, seconds, lambda: None)["plain"]
        found["plain"] = round(given.examples / len(given.training.ensemble) / plain_taken, 1)
    if top is not None:
        with FlopCounterMode(display=False) as counter, kernels.switched(False):
            given.run()
        each = counter.get_total_flops() / given.examples
        found["mflop"] = round(each / 1e6, 4)  # of products, as the eager form makes them
        found["eager_peak_percent"] = round(100 * each / 1e9 * found["eager"] / top, 1)
    return found


def rival(model: dict, corpus: object, batches: int) -> Callable[[], None] | None:
    """The plain baseline on as many batches, if the model has one."""
    if get_class(model["_target_"]) not in PLAIN:
        return None
    network, recipe = build(model, corpus.sizes, 0), Recipe.from_config(model["recipe"])
    plain = plain_of(network)
    optimizer = optimizer_of(plain, recipe)
    drawn = list(islice(loader_of(corpus, corpus.train, network, recipe.batch_size, shuffle=True), batches))

    def run() -> None:
        for batch in drawn:
            plain_step(plain, batch, optimizer, recipe.clip)

    return run


def measure(models: list[str], quick: bool = False) -> dict:
    """Entries of throughput.json: `kernels` on one thread, `kernels_on_threads` on two, and the peak."""
    tasks, restarts, rounds, seconds = ((1,), (2,), 1, 0.0) if quick else (TASKS, RESTARTS, ROUNDS, SECONDS)
    more = ("task.source=generated", "task.size=64", "task.generator.test=20") if quick else ()
    data, top = corpora("10k", tasks, *more), None if quick else peak()
    one, several = [], []

    def note(label: dict, given: Trained, plain: Callable[[], None] | None) -> None:
        one.append(label | compare(given, plain, rounds, seconds, top))
        if not quick and records.cores() > 1:
            torch.set_num_threads(2)
            several.append(label | {"threads": 2} | compare(given, None, rounds, seconds, None))
            torch.set_num_threads(1)
        ratio = one[-1]["kernels"] / one[-1]["eager"]
        print(f"{json.dumps(one[-1])}  {ratio:.2f}x", file=sys.stderr)

    torch.set_num_threads(1)
    for name in models:
        model = config(f"model={name}")["model"]
        for task, corpus in data.items():
            for count in restarts:
                given = trained(model, corpus, count, BATCHES)
                plain = rival(model, corpus, len(given.batches)) if count == 1 else None
                note({"model": name, "task": int(task), "restarts": count}, given, plain)
    if "ntm" in models:
        for count in restarts:
            note({"model": "ntm", "task": "copy", "restarts": count}, copying(count), None)
    return {"kernels": one, "kernels_on_threads": several, "gemm_gflops": top and round(top, 1)}


def protocol(models: list[str], sizes: tuple[str, ...] = ("10k", "1k"), count: int = 2) -> dict:
    """Hours on two cores of ten restarts of all 20 tasks, drawing of batches included, patience not."""
    hours = {}
    for size in sizes:
        data = corpora(size, tuple(range(1, 21)))
        for file in sorted((ROOT / "conf/experiment").glob("*.yaml")):
            found = EXPERIMENT.fullmatch(file.stem)
            if not found or found["size"] != size or found["model"] not in models:
                continue
            model = config(f"experiment={file.stem}")["model"]
            total = 0.0
            for corpus in data.values():
                given = trained(model, corpus, 10, count)
                recipe = Recipe.from_config(model["recipe"])
                with kernels.switched("auto"):
                    taken = best_of({"step": given.run}, 1, 0.0, given.begin_again)["step"] / given.examples
                    seeds = list(range(10))
                    drawn = training_batches(
                        corpus, given.training.ensemble.network, seeds, recipe.batch_size, recipe.by_length
                    )
                    began, asked = time.process_time(), 0
                    for batch in islice(drawn, 32):
                        asked += int(batch.asked.sum())
                    taken += (time.process_time() - began) / asked
                total += taken * 10 * len(corpus.train) * recipe.all_epochs
            hours.setdefault(found["model"], {})[size] = round(total / 3600 / CORES, 3)
            print(f"{found['model']} {size}: {total / 3600 / CORES:.2f} h", file=sys.stderr)
    sums = {size: round(sum(of.get(size, 0) for of in hours.values()), 2) for size in sizes}
    print(f"sum: {sums}", file=sys.stderr)
    return {"protocol_hours": hours | {"sum": sums}}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--protocol", action="store_true", help="the table of hours instead")
    given, results = options(parser, arguments)
    found = protocol(given.models) if given.protocol else measure(given.models, given.quick)
    file = results / page.THROUGHPUT
    record = json.loads(file.read_text()) if file.exists() else {}
    write_atomically(file, lambda stream: stream.write(page.dump(record | found).encode()))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
