"""The weights of a record: the network that validation selected, of every training, in one safetensors file.

A tensor has the name TRAINING/PARAMETER, "2/words" for example. A network is stored in half precision if that changes
none of its answers to the test questions. The metadata hold all that is needed to use the networks without the record.
Nothing here loads torch.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, PrivateAttr, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as as_bytes

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo.records.record import Checked, Count, Name, Text, check_settings, check_text

KEY = "memory_zoo"  # of the metadata; one alone, since the library writes several in any order
Part = Annotated[str, Field(pattern=r"^[\w= ./+-]{1,200}$")]  # of a test: a task, or a form of sequences
LARGEST = 512 * 2**20  # bytes of a file
CANDIDATES = "candidates."  # begins the names of tables that are no parameters


class Facts(Checked):
    """All that belongs to one network beside its weights."""

    sizes: Annotated[list[Count], Field(min_length=2, max_length=3)]  # of its task, `Sizes` or `Widths`
    words: list[Text] = Field(default=[])  # by their numbers; none for sequences
    unlearned: list[Count] = Field(default=[])  # words that never occurred in training
    valid: dict[Part, float]  # error in percent, per task; of sequences bits, under "bits"
    test: dict[Part, float]  # of sequences bits per form

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Check what one field says against another."""
        if not self.valid or not self.test:
            raise ValueError("it names no errors")
        vocabulary = self.sizes[0] if len(self.sizes) == 3 else 0
        if len(self.words) != vocabulary:
            raise ValueError(f"it has {len(self.words)} words, expected {vocabulary}")
        if max(self.unlearned, default=-1) >= vocabulary:
            raise ValueError(f"unlearned has {max(self.unlearned)}, expected numbers of words")
        return self


class About(Checked):
    """The metadata of a file."""

    format: Literal[1]
    record: Name
    model: Annotated[str, Field(pattern=r"^[\w+][\w.+-]{0,99}$")]
    experiment: Name | None
    family: Name
    label: Name  # of the data: 1k, 10k, dialog …
    source: Name
    protocol: Name
    supervision: Text
    licence: Text  # of the data
    settings: dict[str, Any]
    trainings: Annotated[dict[Name, Facts], Field(min_length=1)]

    _file: Path = PrivateAttr(default=Path())

    @property
    def file(self) -> Path:
        return self._file

    @property
    def title(self) -> str:
        """A phrase for people: which data."""
        return f"{self.family} {self.label}, {self.source} data"

    def training_of(self, task: str) -> str | None:
        """Find the training that a task was learned in."""
        return next((name for name, facts in self.trainings.items() if task in facts.test or task == name), None)

    def said_error(self, training: str) -> str:
        """Say how well a network did on the test."""
        facts = self.trainings[training]
        if "bits" in facts.valid:
            return "; ".join(f"{bits:.2f} bits of {form}" for form, bits in facts.test.items())
        return f"{sum(facts.test.values()) / len(facts.test):.1f} % test error"

    @property
    def renamed(self) -> bool:
        """Tell whether the names in the stories of training were exchanged for each other."""
        return bool(self.settings["task"].get("rename"))

    @property
    def refit(self) -> bool:
        """Tell whether its networks have learned the questions of validation, too."""
        return bool(self.settings["model"].get("recipe", {}).get("refit"))

    @property
    def valid_error(self) -> float:
        """Validation error, the mean over all tasks, by which settings are chosen."""
        errors = [error for facts in self.trainings.values() for error in facts.valid.values()]
        return sum(errors) / len(errors)


class Trained(NamedTuple):
    """A network: its weights by name, and what belongs to it."""

    facts: Facts
    weights: dict[str, np.ndarray]
    candidates: dict[str, np.ndarray]  # tables of the replies to choose from, by the names of `Candidates`


def save(
    file: Path,
    about: About,
    trained: dict[str, Trained],
    write: Callable[[Path, Callable], object] = write_atomically,
) -> None:
    """Write the networks of a record.

    Args:
        file: the file.
        about: its metadata.
        trained: the networks, by training.
        write: puts a file in its place, given the path and a function that takes a stream.
    """
    tensors = {f"{name}/{key}": value for name, of in trained.items() for key, value in of.weights.items()}
    for name, of in trained.items():
        tensors |= {f"{name}/{CANDIDATES}{key}": value for key, value in of.candidates.items()}
    tensors = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    said = about.model_dump(mode="json")
    data = as_bytes(tensors, {KEY: json.dumps({"sha256": _digest(said, tensors.items()), "about": said})})
    write(file, lambda stream: stream.write(data))


def about(file: Path) -> About:
    """Read the metadata of a file, and check them; the weights are neither read nor checked."""
    with _opened(file) as archive:
        return _about(file, archive)


def load(file: Path, trainings: Iterable[str] | None = None) -> tuple[About, dict[str, Trained]]:
    """Read networks, all of a file or some, and check all of the file against its checksum."""
    with _opened(file) as archive:
        found = _about(file, archive)
        names = list(archive.keys())
        tensors = {name: archive.get_tensor(name) for name in names}
        said = json.loads(archive.metadata()[KEY])
    if said.get("sha256") != _digest(said["about"], sorted(tensors.items())):
        raise UserError(f"{file} is damaged: its checksum is another one; restore it from git, or make it again")
    trained = {}
    for name in found.trainings if trainings is None else trainings:
        own = {key.removeprefix(f"{name}/"): table for key, table in tensors.items() if key.startswith(f"{name}/")}
        of_candidates = {key.removeprefix(CANDIDATES): own.pop(key) for key in list(own) if key.startswith(CANDIDATES)}
        trained[name] = Trained(found.trainings[name], own, of_candidates)
    return found, trained


def _opened(file: Path) -> Any:
    try:
        if file.stat().st_size > LARGEST:
            raise UserError(f"{file} has {file.stat().st_size:,} bytes; expected at most {LARGEST:,}")
        return safe_open(file, framework="np")
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{file} cannot be read as safetensors ({str(error)[:200]}); restore it from git, or remove it and make it "
            "again"
        ) from None


def _about(file: Path, archive: Any) -> About:
    try:
        data = json.loads((archive.metadata() or {})[KEY])["about"]
        check_text(data)
        found = About.model_validate(data)
        check_settings(found.settings)
    except (KeyError, TypeError):
        raise UserError(f"{file} holds no networks of the zoo: its metadata have no '{KEY}'") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{file} holds no networks of the zoo ({place}: {first['msg']})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} holds no networks of the zoo ({error})") from None
    found._file = file
    return found


def _digest(said: dict, tensors: Iterable[tuple[str, np.ndarray]]) -> str:
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, table in tensors:
        digest.update(f"\n{name} {table.dtype.str} {table.shape}\n".encode())
        digest.update(np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()
