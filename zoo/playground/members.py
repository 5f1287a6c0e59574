"""The networks of the page: one per model, each trained on all tasks of bAbI together, and one that holds a dialog."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import cast

from tasks.corpus import Corpus
from tasks.errors import UserError, nearest
from zoo.playground.dialog import Bot
from zoo.pretrained.find import available
from zoo.pretrained.load import network_of, of_stories, size_of
from zoo.pretrained.network import Network
from zoo.records.weights import About
from zoo.runs.compose import compose_config
from zoo.runs.data import load_data

DIALOG = "2"  # the task whose dialogs end with the order: the bot needs no knowledge base to answer


def members(results_dir: Path, models: Sequence[str] = ()) -> list[Network]:
    """Load the joint network of every model, or of those named, in the order of their papers."""
    known = {about.model: about for about in sorted(filter(_reads_along, available(results_dir)), key=_preferred)}
    for name in models:
        if name not in known:
            raise UserError(f"models={name}: no joint network of it is here{nearest(name, list(known))}")
    if not known:
        raise UserError(
            f"no joint networks in {results_dir}/weights; zoo run model=gated_memn2n task=babi_joint makes the first"
        )
    found = [of_stories(network_of(known[name].file, None)) for name in models or known]
    return sorted(found, key=lambda network: (network.model.paper.year, network.name))


def _reads_along(about: About) -> bool:
    return (about.family, about.source, about.protocol) == ("babi", "official", "joint")


def _preferred(about: About) -> tuple[int, float]:
    """Sort the best of a model last: the one that has learned from more, then with the lesser error."""
    return size_of(about.label), -about.valid_error


def corpus_of(network: Network, data_dir: str | None) -> Corpus:
    """Read the stories that a network has learned from, and was tested on."""
    task = network.about.settings["task"]
    options = [f"task.{name}={task[name]}" for name in ("size", "variant", "fill_missing") if task.get(name)]
    config = compose_config(["task=babi_joint", *options, *([f"data_dir={data_dir}"] if data_dir else [])])[0]
    return cast(Corpus, load_data(dict(config)).trainings["joint"])


def find_bot(results_dir: Path, data_dir: str | None) -> Bot | None:
    """Load the network that holds dialogs best, by validation, and its dialogs; None if there is none."""
    known = [about for about in available(results_dir) if _holds_dialogs(about)]
    if not known:
        return None
    best = min(known, key=lambda about: (mean(about.trainings[DIALOG].valid.values()), about.record))
    options = ["task=dialog", f"task.ids=[{DIALOG}]", *([f"data_dir={data_dir}"] if data_dir else [])]
    corpus = cast(Corpus, load_data(dict(compose_config(options)[0])).trainings[DIALOG])
    return Bot(of_stories(network_of(best.file, DIALOG)), corpus)


def _holds_dialogs(about: About) -> bool:
    return (about.label, about.source) == ("dialog", "official") and DIALOG in about.trainings
