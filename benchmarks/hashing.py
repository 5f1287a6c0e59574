"""python -m benchmarks.hashing [--epochs N]: count the memories that hashing leaves to score, and those it loses.

open_memnn learns tasks 1 to 3 of bAbI without hashing, then reads the test stories with all memories, with those that
share a word with what it asks, and with those that share a cluster of words. Of the film world it says how many of its
triples the inverted index finds for a question. Prints a table.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.measure import config
from tasks.batch import NONE, PAD
from tasks.corpus import Corpus
from zoo.models.memnn import CHOSEN, QUESTION
from zoo.models.open_memnn import OpenMemNN
from zoo.runs.data import load_data
from zoo.training.build import build
from zoo.training.train import train

TASKS = (1, 2, 3)
WAYS = ({"hashing": "none"}, {"hashing": "words"}, *({"hashing": "clusters", "clusters": k} for k in (5, 10, 20)))


def learned(options: dict, task: int) -> tuple[Corpus, torch.Tensor]:
    """Train a network on a task, and return the corpus and the weights."""
    corpus = load_data(options, str(task)).trainings[str(task)]
    with tempfile.TemporaryDirectory() as folder:
        named = options | {"run": {"name": "hashing", "identity": "x"}, "results_dir": folder}
        return corpus, train(named, {str(task): corpus}, Path(folder), lambda name, state: None)[str(task)]["weights"]


@torch.no_grad()
def measure(options: dict, corpus: Corpus, weights: torch.Tensor, way: dict) -> dict[str, float]:
    """Measure the percent of memories scored, of facts among them, and of wrong answers, over all test questions.

    Each read asks with the question and the right facts before it, so the fact that it should find is known."""
    network = build(options["model"] | way, corpus.sizes, seed=0)
    torch.nn.utils.vector_to_parameters(weights, network.parameters())
    batch = corpus.by_question(corpus.test, torch.arange(len(corpus.test)), network.window)
    compared, found = reached(network, batch)
    right = network(batch).scores.argmax(-1) == batch.answer
    return {
        "memories scored": 100 * float(compared.double().mean()),
        "facts among them": 100 * float(found.double().mean()),
        "test error": 100 * float((~right).double().mean()),
    }


def reached(network: OpenMemNN, batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute, for every read of a fact, the share of memories compared, and whether the fact is among them."""
    features = network.encode(batch)
    memory = network.write(features, batch)
    x, chosen, slots = network.embed(features, batch.question, QUESTION), batch.told, batch.stories.shape[1]
    shares, found = [], []
    for fact in batch.support.unbind(1):
        candidates, there, _ = network.look(x, chosen, memory, batch)
        compared = (network.reach(candidates, x, features, batch).match.isfinite() & there)[:, :slots]
        reads = (fact != NONE) & (batch.answer != PAD)
        shares.append((compared.sum(1) / batch.told)[reads])
        found.append(compared.gather(1, fact.clamp(min=0)[:, None])[reads, 0])
        chosen = torch.where(reads, fact, chosen)
        x = x + network.embed(features, batch.stories.gather(1, chosen.clamp(max=slots - 1)[:, None])[:, 0], CHOSEN)
    return torch.cat(shares), torch.cat(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hashing", description="What hashing saves and loses.")
    parser.add_argument("--epochs", type=int, default=None, help="of training; all of the recipe if left out")
    given = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("task", "hashing", "memories scored", "facts among them", "test error")
    for task in TASKS:
        options = config(
            "model=open_memnn", "task=babi", f"task.ids=[{task}]", "restarts=1", "logger=none",
            f"trainer.max_epochs={given.epochs or 'null'}",
        )  # fmt: skip
        corpus, weights = learned(options, task)
        for way in WAYS:
            got = measure(options, corpus, weights, way)
            table.add_row(
                f"{task}", " ".join(map(str, way.values())), *(f"{percent:.1f} %" for percent in got.values())
            )
    films = load_data(config("model=memnn", "task=wikimovies", "task.source=generated"))
    corpus = films.trainings["joint"]
    triples = int(corpus.train.question[0]) - 1
    share = 100 * float(corpus.test.told.double().mean()) / triples
    table.add_row("wikimovies", f"words, {triples:,} triples", f"{share:.3f} %", f"{films.recall['test']:.1f} %", "")
    Console().print(table)


if __name__ == "__main__":
    main()
