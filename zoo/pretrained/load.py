"""Trained networks, found by the name of a model, an experiment, a record or a folder, and loaded."""

from pathlib import Path

import torch

from tasks.batch import Sizes, Widths
from tasks.errors import UserError, nearest
from zoo import records
from zoo.clock import clock
from zoo.families.board import valid_error
from zoo.interface import MemoryNetwork
from zoo.paths import choices
from zoo.pretrained.export import MODEL, pull
from zoo.pretrained.find import available, file_of, has_file
from zoo.pretrained.machine import Machine
from zoo.pretrained.network import Network
from zoo.records import Record, weights
from zoo.records.weights import About, Trained
from zoo.runs.bounds import check_layers, check_networks, is_small
from zoo.runs.known import check_known
from zoo.training.build import build

USUAL = Path("results")
IN_THIS_PROCESS = "trainer.workers=1"  # others would import the script that trains


def load(
    name: str | Path,
    task: int | str | None = None,
    size: str | int | None = None,
    joint: bool = False,
    make: bool = False,
    results_dir: str = "results",
) -> Network | Machine:
    """Load a trained network.

    Args:
        name: a model ("gated_memn2n"), an experiment, a record or the beginning of its name, a folder of `zoo export`,
            or "hub:OWNER/NAME".
        task: the number of a task that it learned; without it the joint network, which knows the words of all tasks.
        size: of the data that it learned from, "1k" or "10k"; without it the larger.
        joint: whether the network is wanted that has learned all tasks.
        make: whether networks that are not here are made, by training them again, which may take hours.
        results_dir: where weights are looked for, beside those that come with the zoo; another folder than the usual
            one comes first.
    """
    name, asked, size = str(name), None if task is None else str(task), None if size is None else str(size)
    if name.startswith("hub:"):
        return network_of(pull(name.removeprefix("hub:")), asked)
    if (Path(name) / MODEL).is_file():
        return network_of(Path(name) / MODEL, asked)
    if Path(name).suffix == ".json" and Path(name).is_file():
        return of_record(records.read(Path(name)), asked, Path(results_dir))
    about = choose(name, asked, size, joint, Path(results_dir))
    if about is not None:
        return network_of(about.file, asked)
    record = choose_record(name, asked, size, joint, Path(results_dir))
    if record is None:
        raise UserError(_missing(name, asked, size, joint, Path(results_dir)))
    if has_file(record, Path(results_dir)):
        weights.about(file_of(record, Path(results_dir)))  # which says what is damaged
    training = _training_of(record, asked) or next(iter(record.trainings))
    alone = asked if asked == training and record.tasks else None
    if make:
        from zoo.commands.weights import make as made

        return network_of(made(record, alone, Path(results_dir), [IN_THIS_PROCESS]), asked)
    command = f"zoo weights {record.name}" + (f" task={alone}" if alone else "")
    raise UserError(
        f"{name}: the weights of {record.name} are not here; {command} makes them, or zoo.load(…, make=True): "
        f"{clock(record.trainings[training].seconds)} of training"
    )


def choose(name: str, task: str | None, size: str | None, joint: bool, results_dir: Path) -> About | None:
    """Choose among the files of weights: official data first, the user's own, most data, least validation error.

    An experiment is first of all its recipe with names as they are, and without the questions of validation.
    """

    def is_own(about: About) -> bool:  # others come with the zoo
        return about.file.is_relative_to(results_dir)

    known = list(available(results_dir))
    named = [about for about in known if name in (about.model, about.experiment)]
    named = named or [about for about in known if about.record.startswith(name)]
    fitting = [
        about
        for about in named
        if (size is None or about.label == size)
        and (task is not None or len(about.trainings) == 1)
        and (not joint or about.protocol != "per_task")
        and (task is None or about.training_of(task))
    ]
    return min(
        fitting,
        key=lambda about: (
            results_dir != USUAL and not is_own(about),  # who names a folder means what is there
            about.source != "official",
            not is_own(about),
            (joint or task is None) != (about.protocol == "joint"),
            name == about.experiment and (about.renamed or about.refit),
            -size_of(about.label),
            about.valid_error,
            about.record,
        ),
        default=None,
    )


def choose_record(name: str, task: str | None, size: str | None, joint: bool, results_dir: Path) -> Record | None:
    """Choose among the records whose weights may be made, in the same order."""
    known = list(records.readable(results_dir).values())
    named = [record for record in known if name in (record.model, record.experiment)]
    named = named or [record for record in known if record.name.startswith(name)]
    fitting = [
        record
        for record in named
        if (size is None or record.label == size)
        and (task is not None or len(record.trainings) == 1)
        and (not joint or record.protocol != "per_task")
        and (task is None or _training_of(record, task))
    ]
    return min(
        fitting,
        key=lambda record: (
            record.source != "official",
            (joint or task is None) != (record.protocol == "joint"),
            name == record.experiment and (record.renamed or record.refit),
            -size_of(record.label),
            valid_error(record),
            record.name,
        ),
        default=None,
    )


def _training_of(record: Record, task: str | None) -> str | None:
    """Find the training that a task was learned in, as `About.training_of` does."""
    if task in record.tasks:
        return record.tasks[task].training
    return task if task in record.trainings else None


def size_of(label: str) -> int:
    """Read how much data a label names: 10k is 10,000; 0 for labels that name none."""
    number = label.removesuffix("k")
    return int(number) * (1000 if label.endswith("k") else 1) if number.isdigit() else 0


def _missing(name: str, task: str | None, size: str | None, joint: bool, results_dir: Path) -> str:
    """Say in one sentence which networks there are instead."""
    wanted = "".join(f", {of}={value}" for of, value in (("task", task), ("size", size)) if value)
    known = list(available(results_dir))
    named = [about for about in known if name in (about.model, about.experiment) or about.record.startswith(name)]
    if named:
        hint = "give task=; " if task is None else ""
        there = "; ".join(sorted({f"{about.label}: {', '.join(about.trainings)}" for about in named}))
        return f"zoo.load('{name}'{wanted}): {hint}there are {there}"
    if name in choices("model"):
        return f"zoo.load('{name}'{wanted}): no trained network of this model is here; zoo.train makes one"
    names = sorted({*(about.model for about in known), *choices("model")})
    return f"zoo.load('{name}'{wanted}): no network and no record has this name{nearest(name, names)}"


def of_record(record: Record, task: str | None, results_dir: Path) -> Network | Machine:
    """Load the network that learned a task in the run of a record."""
    check_known(record)
    return network_of(file_of(record, results_dir), task)


def of_stories(network: Network | Machine) -> Network:
    """Refuse a network that hears sequences of vectors."""
    if isinstance(network, Machine):
        raise UserError(f"{network.about.record} hears sequences of vectors; expected a network that is told stories")
    return network


def network_of(file: Path, task: str | None) -> Network | Machine:
    """Load a network of a file of weights."""
    about = weights.about(file)
    training = about.training_of(task) if task else next(iter(about.trainings))
    if training is None or (task is None and len(about.trainings) > 1):
        asked = f"task={task}" if task else "task= is missing"
        raise UserError(f"{file.name}: {asked}; expected one of {', '.join(about.trainings)}")
    _, trained = weights.load(file, [training])
    of = Network if trained[training].facts.words else Machine
    return of(model_of(about, trained[training]), about, training, trained[training])


def model_of(about: About, trained: Trained) -> MemoryNetwork:
    """Build the network that a file of weights describes; it runs nothing that the file names but registered models."""
    check_known(about)
    options, given_sizes = about.settings["model"], trained.facts.sizes
    sizes = Sizes(*given_sizes) if len(given_sizes) == len(Sizes._fields) else Widths(*given_sizes)
    check_layers(options)
    if not is_small(options, sizes):
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
