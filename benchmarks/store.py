"""python -m benchmarks.store [--quick]: measure time and memory of questions to a large store.

A generated film world is made, read and indexed, with one thread; then questions are answered one by one, each from its
text to an entity: its entities are found, the index is asked, the triples are weighed by kv_memnn as it is on
WikiMovies, untrained, and all entities are scored. Writes results/benchmarks/store.json, and results/benchmarks.md.
Under a minute; --quick has a small world, and writes where --results says only.
"""

import argparse
import sys
import time
from typing import NamedTuple

import torch

from benchmarks import page
from benchmarks.measure import config, finish, options, peak_memory
from tasks.wikimovies.generator import HELD, FilmWorld, generate
from tasks.wikimovies.tables import Store, read
from zoo.interface import MemoryNetwork
from zoo.training.build import build

WARM_UP = 20  # questions


class Plan(NamedTuple):
    triples: int
    questions: int


USUAL, QUICK = Plan(1_000_000, 500), Plan(1_000, 10)


def measure(plan: Plan) -> dict:
    """Measure everything, and return the record. Its peak of memory includes the making of the world."""
    started = time.monotonic()
    given = config("model=kv_memnn", "task=wikimovies")
    torch.set_num_threads(1)
    asked = plan.questions + WARM_UP
    began = time.perf_counter()
    files = generate(FilmWorld(plan.triples, HELD * asked))
    made = time.perf_counter() - began
    texts = [line[2:].partition("\t")[0] for line in files["test"].decode().splitlines()][:asked]
    began = time.perf_counter()
    store, _ = read(files, {role: role for role in files}, given["task"]["slots"], given["task"]["frequency"])
    opened = time.perf_counter() - began
    network = build(given["model"], store.sizes, seed=0)
    taken = 1000 * torch.tensor([_seconds(network, store, text) for text in texts][WARM_UP:])  # (questions, 2)
    passed, worked = taken.unbind(1)
    return {
        "schema": 1,
        "triples": len(store.triples) // 2,  # each is stored in both directions
        "entities": len(store.names),
        "slots": given["task"]["slots"],
        "questions": len(taken),
        "making_s": round(made, 1),
        "opening_s": round(opened, 1),
        "ms": round(float(passed.median()), 2),
        "slowest_ms": round(float(passed.max()), 2),
        "processor_ms": round(float(worked.median()), 2),  # what it takes where nobody else computes
        "peak_mb": round(peak_memory() / 2**20, 1),
    } | finish(started)


@torch.inference_mode()
def _seconds(network: MemoryNetwork, store: Store, text: str) -> tuple[float, float]:
    """Read the seconds that have passed, and those that this process has computed."""
    began, worked = time.perf_counter(), time.process_time()
    store.vocabulary[int(network(store.question(text)).scores[0].argmax())]
    return time.perf_counter() - began, time.process_time() - worked


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    given, results = options(parser, arguments, every_model=False)
    page.add(results, page.STORE, measure(QUICK if given.quick else USUAL))


if __name__ == "__main__":
    main(sys.argv[1:])
