"""The networks that read along: one per model, each trained on all tasks of bAbI together."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from torch.nn.utils import vector_to_parameters

from tasks.batch import Sizes
from tasks.corpus import Corpus
from tasks.errors import UserError, nearest
from zoo import records
from zoo.commands.asking import load
from zoo.families.babi import TASKS
from zoo.interface import MemoryNetwork
from zoo.records import Record
from zoo.runs.again import plan_again
from zoo.training.build import build


class Member(NamedTuple):
    """A trained network, and what is known of it."""

    name: str  # of the model
    network: MemoryNetwork
    words: list[str]
    unseen: Tensor  # (V,) words that never occur in training
    sizes: Sizes
    error: float  # mean test error over the tasks, in percent
    learned_from: str  # size of the data, "10k" for example


def members(results_dir: Path, models: Sequence[str] = ()) -> tuple[list[Member], Record]:
    """Load the joint network of every model, or of those named, in the order of their papers; and the record of one.

    Of several records of a model that one is taken whose selected restart has the least validation error.
    """
    best: dict[str, Record] = {}
    for record in records.readable(results_dir).values():
        whole = record.family == "babi" and record.protocol == "joint" and len(record.tasks) == len(TASKS)
        if not whole or record.source != "official" or not records.weights_of(record.file).exists():
            continue
        if record.model not in best or _valid_error(record) < _valid_error(best[record.model]):
            best[record.model] = record
    for name in models:
        if name not in best:
            raise UserError(f"models={name}: no joint network of it is here{nearest(name, list(best))}")
    chosen = [record for name, record in best.items() if not models or name in models]
    if not chosen:
        raise UserError(
            f"no weights of joint networks in {results_dir}/weights; "
            "zoo run model=gated_memn2n task=babi_joint makes the first"
        )
    found = sorted(map(_member, chosen), key=lambda member: (member.network.paper.year, member.name))
    return found, chosen[0]


def corpus_of(record: Record, data_dir: str | None) -> Corpus:
    """Read the stories of the task that a network has learned."""
    where = [f"data_dir={data_dir}"] if data_dir else []
    corpus: Corpus = plan_again(record, record.parts[0], where, None, {}).data.trainings["joint"]
    return corpus


def _valid_error(record: Record) -> float:
    return sum(task.valid_errors[task.selected] for task in record.tasks.values())


def _member(record: Record) -> Member:
    ensemble, words, learned, sizes = load(record, "joint")
    network = build(record.settings["model"], sizes, seed=0)
    vector_to_parameters(ensemble.weights[0].detach().half().float(), network.parameters())
    error = sum(task.error for task in record.tasks.values()) / len(record.tasks)
    return Member(record.model, network.eval(), words, ~learned, sizes, error, record.settings["task"]["size"])
