"""The names of `import zoo`, for notebooks and scripts: models, trainings and tables."""

import contextlib
import io
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.errors import UserError, check_whole, nearest, typed
from zoo import records
from zoo.families import family_of
from zoo.leaderboard.table_csv import as_csv
from zoo.paths import choices
from zoo.pretrained.find import available
from zoo.records import Record
from zoo.runs.compose import OPTIONS, compose_config
from zoo.runs.messages import message_of

if TYPE_CHECKING:
    import pandas as pd

    from zoo.interface import MemoryNetwork
    from zoo.pretrained.machine import Machine
    from zoo.pretrained.network import Network


class Pretrained(NamedTuple):
    """A file of trained networks; `zoo.load(model, task=…, size=…)` loads one of them."""

    model: str
    family: str
    size: str  # label of the data: 1k, 10k, dialog …
    protocol: str
    tasks: tuple[str, ...]
    error: float  # of the test in percent, the mean over the tasks; of sequences bits
    record: str


def list_models(pattern: str = "*") -> list[str]:
    """List the models, as `zoo models` does.

    Args:
        pattern: of their names, "memn*" for example.
    """
    return [name for name in choices("model") if fnmatch(name, pattern)]


def list_pretrained(pattern: str = "*", results_dir: str = "results") -> list[Pretrained]:
    """List the trained networks that are here.

    Args:
        pattern: of the names of models.
        results_dir: where weights are looked for, beside those that come with the zoo.
    """
    found = {}
    for about in available(Path(results_dir)):
        tests = [error for facts in about.trainings.values() for error in facts.test.values()]
        found[about.record] = Pretrained(
            about.model,
            about.family,
            about.label,
            about.protocol,
            tuple(part for facts in about.trainings.values() for part in facts.test),
            sum(tests) / len(tests),
            about.record,
        )
    return [one for one in found.values() if fnmatch(one.model, pattern)]


def create(name: str, *, seed: int = 0, **options: Any) -> "MemoryNetwork":
    """Build a model that is not trained, a `torch.nn.Module`: `model(batch)` gives scores and a trace.

    Args:
        name: of the model.
        seed: of its first weights.
        options: the sizes of the task (`vocabulary`, `sentence_length` and `story_length`, or `inputs` and `outputs`),
            and options of the model.
    """
    from tasks.batch import Sizes, Widths
    from zoo.training.build import build

    check_choice("model", name)
    hears_vectors = "inputs" in options and f"copy/{name}" in choices("model_on_task")
    kind = Widths if hears_vectors else Sizes
    config: Any = composed([f"model={name}", *(["task=copy"] if hears_vectors else [])]).model
    target = {str(key): value for key, value in config.items()}
    if "_target_" in options:
        raise UserError(f"_target_={options['_target_']}: the class is that of model={name}; leave it out")
    if missing := [size for size in kind._fields if size not in options]:
        raise UserError(f"zoo.create('{name}'): {' and '.join(missing)} missing; expected {', '.join(kind._fields)}")
    sizes = {size: options.pop(size) for size in kind._fields}
    for size, value in sizes.items():
        check_whole(size, value, 1)
    check_whole("seed", seed, 0, 2**31 - 1)
    return build(target | options, kind(**sizes), seed)


class Run:
    """A run that was made: its record, and its figures as tables of pandas."""

    def __init__(self, file: Path) -> None:
        self.record: Record = records.read(file)

    def __repr__(self) -> str:
        return f"Run({self.record.name}, {self.error:.2f})"

    @property
    def error(self) -> float:
        """The figure of the run, as its leaderboard shows it."""
        return family_of(self.record.family).figure_of(self.record)

    @cached_property
    def errors(self) -> "pd.DataFrame":
        """A row per part of the test and restart: figures on validation and test, and the selected restart."""
        parts = family_of(self.record.family).parts_of(self.record)
        return frame(
            {"part": part, "restart": k, "valid": of.valid[k], "test": of.test[k], "selected": k == of.selected}
            for part, of in parts.items()
            for k in range(self.record.restarts)
        )

    @cached_property
    def curves(self) -> "pd.DataFrame":
        """A row per training, epoch and restart: loss in training, loss and error on validation."""
        arrays = records.arrays(self.record)
        rows = []
        for training in self.record.trainings:
            tables = {name: arrays[f"{training}/{name}"] for name in records.CURVES}
            epochs, restarts = next(iter(tables.values())).shape
            rows += [
                {"training": training, "epoch": epoch, "restart": k}
                | {name: float(table[epoch, k]) for name, table in tables.items()}
                for epoch in range(epochs)
                for k in range(restarts)
            ]
        return frame(rows)

    def load(self, task: int | str | None = None) -> "Network | Machine":
        """Load the network that validation selected."""
        from zoo.pretrained.load import of_record

        only = list(self.record.trainings) if task is None else [str(task)]
        return of_record(self.record, only[0] if len(only) == 1 else None, self.record.file.parent.parent)


def train(*overrides: str, **options: Any) -> Run:
    """Make a run, as `zoo run` does; a run that has been made is not made again.

    Args:
        overrides: options as they are typed, "model.recipe.epochs=20" for example.
        options: by their names: model, task, experiment, restarts, seed, results_dir …; options of the task (ids, size,
            source …) and of the model (hops, dim …) need no prefix.
    """
    from zoo.pretrained.load import IN_THIS_PROCESS
    from zoo.runs.plan import plan_of
    from zoo.runs.run import run

    chosen = []
    for group in ("model", "task", "experiment"):
        if group in options:
            check_choice(group, options[group])
            chosen.append(f"{group}={options[group]}")
    config = composed(chosen)
    arguments = list(chosen)
    for name, value in options.items():
        if name in ("model", "task", "experiment"):
            continue
        places = [f"{group}." for group in ("task", "model") if name in config[group]]
        if name not in OPTIONS and not places:
            known = [*OPTIONS, *config.task, *config.model]
            raise UserError(f"'{name}' is no option of this run{nearest(name, list(map(str, known)))}")
        arguments.append(f"{'' if name in OPTIONS else places[0]}{name}={typed(value)}")
    if not any(override.startswith("trainer.workers=") for override in overrides):
        arguments.append(IN_THIS_PROCESS)
    arguments += overrides
    with explained(arguments):
        plan = plan_of(arguments)
    return Run(run(plan))


@contextlib.contextmanager
def explained(arguments: list[str]) -> Iterator[None]:
    """Say in a sentence what is wrong with arguments, as the command line does."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if (said := message_of(error, arguments)) is None:
            raise
        raise UserError(said) from None


def composed(arguments: list[str]) -> Any:
    """Compose the configuration of some arguments."""
    with explained(arguments):
        return compose_config(arguments)[0]


def check_choice(group: str, name: str) -> None:
    """Refuse a name that no yaml of a group has."""
    known = list(choices(group))
    if name not in known:
        raise UserError(f"{group}={name} is not known{nearest(str(name), known)} ({', '.join(known)})")


def leaderboard(family: str = "babi", size: str | None = None, results_dir: str = "results") -> "pd.DataFrame":
    """Read the leaderboard of a family as a table: a row per model, setting and condition, best first.

    Args:
        family: "babi", "haystack", "dialog", "wikimovies" or "algorithmic".
        size: of the data, "1k" or "10k"; without it all.
        results_dir: the folder with the records.
    """
    found = family_of(family)
    rows = found.rows(records.readable(Path(results_dir)).values(), Path(results_dir))
    if not rows:
        raise UserError(f"no record of {found.title} in {results_dir}/runs")
    table = pandas().read_csv(io.StringIO(as_csv(found, rows)), dtype={"size": str})
    if size is None:
        return table
    if "size" not in table:
        raise UserError(f"size={size}: the leaderboard of {found.title} has no sizes; leave it out")
    if str(size) not in set(table["size"]):
        raise UserError(f"size={size}: no row has it; expected one of {', '.join(sorted(set(table['size'])))}")
    return table[table["size"] == str(size)].reset_index(drop=True)


def frame(rows: Any) -> "pd.DataFrame":
    return pandas().DataFrame(list(rows))


def pandas() -> Any:
    """Import pandas, which is optional."""
    try:
        import pandas
    except ImportError:
        raise UserError("tables need pandas, which is not installed: pip install -e '.[pandas]'") from None
    return pandas
