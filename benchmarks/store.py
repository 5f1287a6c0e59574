"""python -m benchmarks.store [--triples N] [--questions N]: what it takes to answer questions to a large store.

A generated film world is made, read and indexed, with one thread; then questions are answered one by one, each from its
text to an entity: its entities are found, the index is asked, the triples are weighed by kv_memnn as it is on
WikiMovies, untrained, and all entities are scored. Prints what it measured; the peak of memory is that of all of it.
"""

import argparse
import time

import torch

from benchmarks.measure import config, peak_memory
from tasks.wikimovies.generator import HELD, World, generate
from tasks.wikimovies.tables import Store, read
from zoo.interface import MemoryNetwork
from zoo.training.build import build

WARM_UP = 20  # questions


def measure(options: dict, triples: int, questions: int) -> dict[str, float]:
    """Seconds to make the world and to read and index it, milliseconds a question, and the peak of memory in MB."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    files = generate(World(triples, HELD * (questions + WARM_UP)))
    made = time.perf_counter() - began
    texts = [line[2:].partition("\t")[0] for line in files["test"].decode().splitlines()][: questions + WARM_UP]
    began = time.perf_counter()
    store, _ = read(files, {role: role for role in files}, options["task"]["slots"], options["task"]["frequency"])
    opened = time.perf_counter() - began
    network = build(options["model"], store.sizes, seed=0)
    taken = 1000 * torch.tensor([_seconds(network, store, text) for text in texts][WARM_UP:])  # (questions, 2)
    passed, worked = taken.median(0).values.tolist()
    return {
        "triples": len(store.triples) // 2,
        "entities": len(store.names),
        "seconds to make": round(made, 1),
        "seconds to read and index": round(opened, 1),
        "ms a question, median": round(passed, 2),
        "ms of processor time a question, median": round(worked, 2),  # what it takes where nobody else computes
        "peak memory in MB": peak_memory() >> 20,
    }


@torch.inference_mode()
def _seconds(network: MemoryNetwork, store: Store, text: str) -> tuple[float, float]:
    """That have passed, and that this process has computed."""
    began, worked = time.perf_counter(), time.process_time()
    store.vocabulary[int(network(store.question(text)).scores[0].argmax())]
    return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description="Questions to a large store.")
    parser.add_argument("--triples", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=500)
    given = parser.parse_args()
    options = config("model=kv_memnn", "task=wikimovies")
    for name, value in measure(options, given.triples, given.questions).items():
        print(f"{name}: {value:,}")


if __name__ == "__main__":
    main()
