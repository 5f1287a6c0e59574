"""Trained networks, found by the name of a model, an experiment, a record or a folder, and loaded."""

from collections.abc import Iterator
from pathlib import Path

import torch

from tasks.batch import Sizes
from tasks.errors import UserError, nearest
from zoo import records
from zoo.interface import MemoryNetwork
from zoo.paths import IS_CHECKOUT, ROOT
from zoo.pretrained.network import Network
from zoo.records import Record, weights
from zoo.records.weights import About, Trained
from zoo.runs.bounds import check_layers, check_networks
from zoo.runs.known import check_known
from zoo.training.build import build


def load(
    name: str, task: int | str | None = None, size: str | None = None, joint: bool = False, results_dir: str = "results"
) -> Network:
    """Load a trained network.

    Args:
        name: a model ("gated_memn2n"), an experiment, a record or the beginning of its name, a file of weights, or a
            folder of `zoo export`.
        task: the number of a task that it learned; without it the joint network, which knows the words of all tasks.
        size: of the data that it learned from, "1k" or "10k"; without it the larger.
        joint: whether one network is wanted that has learned all tasks.
        results_dir: where weights are looked for, beside those that come with the zoo.
    """
    asked = None if task is None else str(task)
    file = Path(name)
    if file.suffix == ".safetensors" and file.is_file():
        return network_of(file, asked)
    if file.suffix == ".json" and file.is_file():
        return network_of(records.weights_of(file), asked)
    about = choose(name, asked, size, joint or asked is None, Path(results_dir))
    return network_of(about.file, asked)


def folders(results_dir: Path) -> list[Path]:
    """List the folders of results whose weights are looked at."""
    given = [results_dir, results_dir / "repeated"]
    return [*given, ROOT / "results"] if IS_CHECKOUT and results_dir.resolve() != ROOT / "results" else given


def available(results_dir: Path) -> Iterator[About]:
    """Read what every file of weights says of itself; one that is damaged is left out."""
    for folder in folders(results_dir):
        for file in sorted((folder / "weights").glob("*.safetensors")):
            try:
                yield weights.about(file)
            except UserError:
                continue


def choose(name: str, task: str | None, size: str | None, joint: bool, results_dir: Path) -> About:
    """Choose among the files of weights: official data first, then the most data, then the least validation error."""
    known = list(available(results_dir))
    named = [about for about in known if name in (about.model, about.experiment)]
    named = named or [about for about in known if about.record.startswith(name)]
    fitting = [
        about
        for about in named
        if (size is None or about.label == size)
        and (not joint or about.protocol != "per_task" or len(about.trainings) == 1)
        and (task is None or about.training_of(task))
    ]
    if not fitting:
        raise UserError(_missing(name, task, size, joint, named, known))
    return min(
        fitting,
        key=lambda about: (
            about.source != "official",
            (about.protocol != "joint") if joint else (about.protocol == "joint"),
            -_questions(about.label),
            about.valid_error,
            about.record,
        ),
    )


def _questions(label: str) -> int:
    """Read how much data a label names: 10k is 10,000; 0 for labels that name none."""
    number = label.removesuffix("k")
    return int(number) * (1000 if label.endswith("k") else 1) if number.isdigit() else 0


def _missing(name: str, task: str | None, size: str | None, joint: bool, named: list[About], known: list[About]) -> str:
    """Say in one sentence which networks there are instead."""
    wanted = f" task={task}" if task else ""
    wanted += f" size={size}" if size else ""
    if named:
        tasks = sorted({f"{about.label}: {', '.join(about.trainings)}" for about in named})
        hint = "; give task=" if joint and task is None else ""
        return f"{name}{wanted}: no such network is here{hint} (there are {'; '.join(tasks)})"
    names = sorted({about.model for about in known})
    return (
        f"{name}: no weights of it are here{nearest(name, names)} (there are {', '.join(names) or 'none'}); "
        f"zoo weights lists the records whose weights can be made"
    )


def of_record(record: Record, task: str | None, results_dir: Path) -> Network:
    """Load the network that learned a task in the run of a record."""
    check_known(record)
    own = records.weights_of(record.file)
    for file in (own, *(folder / "weights" / own.name for folder in folders(results_dir))):
        if file.exists():
            return network_of(file, task)
    raise UserError(
        f"{own} is not here: weights stay on the machine that made a run\n"
        f"  to make them here:  zoo weights {record.name}"
    )


def network_of(file: Path, task: str | None) -> Network:
    """Load a network of a file of weights."""
    about = weights.about(file)
    training = about.training_of(task) if task else next(iter(about.trainings))
    if training is None or (task is None and len(about.trainings) > 1):
        asked = f"task={task}" if task else "task= is missing"
        raise UserError(f"{file.name}: {asked}; expected one of {', '.join(about.trainings)}")
    _, trained = weights.load(file, [training])
    return Network(model_of(about, trained[training]), about, training, trained[training])


def model_of(about: About, trained: Trained) -> MemoryNetwork:
    """Build the network that a file of weights describes; it runs nothing that the file names but registered models."""
    check_known(about)
    options, sizes = about.settings["model"], Sizes(*trained.facts.sizes)
    check_layers(options)
    with torch.device("meta"):
        check_networks(build(options, sizes, seed=0), 1, 1)
    model = build(options, sizes, seed=0).eval()
    given = {name: torch.from_numpy(table.astype("float32")) for name, table in trained.weights.items()}
    expected = dict(model.named_parameters())
    if {name: table.shape for name, table in given.items()} != {name: of.shape for name, of in expected.items()}:
        raise UserError(f"{about.file}: its weights do not fit {type(model).__name__} of its settings")
    model.load_state_dict(given, strict=False)
    model.requires_grad_(False)
    return model
