"""A record of a run: a frozen, typed view of its JSON, checked once where it enters."""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from tasks.errors import CONTROL, UserError
from zoo.records.identity import SCHEMA

TARGETS = ("settings.model._target_", "settings.task._target_")
FILE_NAME = re.compile(r"[\w+][\w.+-]{0,249}")
LARGEST = 64 * 2**20  # bytes of a record

Name = Annotated[str, Field(pattern=r"^[\w./+-]{1,100}$")]
Text = Annotated[str, Field(max_length=20_000)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Seconds = Annotated[float, Field(ge=0, lt=1e10)]
Percent = Annotated[float, Field(ge=0, le=100)]
Percents = list[Percent]  # of every restart
Bits = list[float]  # of every restart; not finite where a restart has diverged


class Checked(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Training(Checked):
    """A training of a run: all restarts of one task, or of several tasks together."""

    parameters: Count  # of one network
    state_size: Count  # numbers that the memory of the longest story holds
    examples: Count  # questions or sequences learned from, over all epochs and restarts
    seconds: Seconds
    compiled: bool = False  # by torch, as older versions could
    kernels: bool = False


class Environment(Checked):
    """The machine and the versions that a run was made with; no host, user or path."""

    finished: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    peak_memory_mb: Count
    processor: Text
    cores: Annotated[int, Field(ge=1, lt=2**20)]
    gpu: Text | None
    system: Text
    versions: dict[Name, Text | None]
    rounding: dict[Name, Text] = {}  # what decides rounding beside them; older records do not say


class Part(Checked):
    """One of the runs that a record holds; most records hold one."""

    restarts: Annotated[int, Field(ge=1, lt=2**31)]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    identity: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    command: Text
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{3,64}$")] | None
    dirty: bool | None  # None: not known
    resumed: bool
    workers: Annotated[int, Field(ge=1, lt=2**20)]
    train_seconds: Seconds
    wall_seconds: Seconds
    trainings: dict[Name, Training]
    environment: Environment


class TaskFigures(Checked):
    """Errors of every restart on one task of questions, in percent."""

    valid_errors: Percents
    test_errors: Percents
    oov_errors: Percents | None = None  # of the test set with unknown words
    valid_dialog_errors: Percents | None = None  # of whole dialogs
    test_dialog_errors: Percents | None = None
    oov_dialog_errors: Percents | None = None
    facts_found: Percents | None = None  # questions whose supporting facts got most attention
    selected: Count  # the restart that validation selected
    best_epochs: list[Annotated[int, Field(ge=-1, lt=2**31)]]
    training: Name

    def chosen(self, figures: str) -> float | None:
        """Get the figure of the selected restart; None if the record has no such figures."""
        of_all = getattr(self, figures)
        return None if of_all is None else of_all[self.selected]

    @property
    def error(self) -> float:
        return self.test_errors[self.selected]


class FormFigures(Checked):
    """Cost and wrong bits of every restart on test sequences of one form, means per sequence."""

    bits: Bits
    wrong_bits: Bits
    optimal_bits: float | None  # of the best possible predictor; None where it is zero


class Validation(Checked):
    """Validation of a run on sequences."""

    bits: Bits
    wrong_bits: Bits
    selected: Count
    best_epochs: list[Annotated[int, Field(ge=-1, lt=2**31)]]


def interval(share: float, n: int) -> tuple[float, float]:
    """Compute Wilson's interval of a share of n questions, in percent, that holds it with 95 % confidence."""
    z = 1.96
    centre, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, 100 * (centre - half) / (1 + z * z / n)), min(100.0, 100 * (centre + half) / (1 + z * z / n))


class LongFigures(Checked):
    """The selected network of a task, told stories of one length in one way."""

    task: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}$")]
    kind: Name  # of the sentences that do not matter
    length: Annotated[int, Field(ge=1, lt=2**53)]  # sentences
    way: Literal["all", "index", "filter", "rule"]
    asked: Count  # questions
    right: Count
    ms_median: Annotated[float, Field(ge=0, lt=1e10)]  # of a question
    ms_p99: Annotated[float, Field(ge=0, lt=1e10)]
    sentences_per_second: Count
    memory_mb: Count  # of the process
    refused: Text = ""  # why it could not be told or asked

    @property
    def accuracy(self) -> float | None:
        """Right answers in percent; None if nothing was asked."""
        return 100 * self.right / self.asked if self.asked else None

    @property
    def interval(self) -> tuple[float, float]:
        """Compute the interval of the accuracy, in percent."""
        return interval(self.right / self.asked, self.asked)


class Record(Checked):
    """A run. Read it with `zoo.records.read`; nothing edits it."""

    schema_: Annotated[int, Field(alias="schema")]
    selection: Text
    identity: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    model: Annotated[str, Field(pattern=r"^[\w+][\w.+-]{0,99}$")]  # becomes a part of file names
    experiment: Name | None
    overrides: list[Text]
    published: Name | None  # key of the published figures
    command: Text
    memory: Name
    supervision: Annotated[str, Field(pattern=r"^[\w -]{1,40}$")]
    paper: Annotated[str, Field(pattern=r"^https?://[^\s\"'<>]{1,500}$")]
    traces: Name | None = None  # meaning of the attention, a key of zoo.traces.TRACES
    family: Name
    source: Name
    world: Text
    filled: dict[Name, Count] = {}  # generated training questions per task that fill a hole of the release
    recall: dict[Name, Percent] = {}  # percent of questions with an answer in reach, per part
    settings: dict[str, Any]
    train_seconds: Seconds
    wall_seconds: Seconds
    resumed: bool
    workers: Annotated[int, Field(ge=1, lt=2**20)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{3,64}$")] | None
    dirty: bool | None
    tasks: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}$")], TaskFigures] = {}  # of questions
    validation: Validation | None = None  # of sequences
    tests: dict[Annotated[str, Field(pattern=r"^[\w= .]{1,200}$")], FormFigures] = {}  # of sequences
    long: list[LongFigures] = []  # of questions about stories longer than those of training
    trainings: dict[Name, Training]
    examples_per_second: Count
    environment: Environment
    parts: list[Part]
    arrays_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None  # of the file beside it
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None  # of the record without this line

    _file: Path = PrivateAttr(default=Path())

    @property
    def file(self) -> Path:
        return self._file

    @property
    def name(self) -> str:
        return self._file.stem

    @property
    def title(self) -> str:
        """The first part of its file name: model, data and protocol."""
        return self.name.rsplit("-", 2)[0]

    @property
    def label(self) -> str:
        """The data, as the title names them: 1k, 10k, dialog …"""
        return self.title.removeprefix(f"{self.model}-").removesuffix(f"-{self.protocol}")

    @property
    def kind(self) -> str:
        """The kind of data that the run learned from: "stories" or "sequences"."""
        return "stories" if self.validation is None else "sequences"

    @property
    def validated(self) -> Validation:
        """Validation of a run on sequences, which always has one."""
        assert self.validation is not None
        return self.validation

    @property
    def restarts(self) -> int:
        return int(self.settings["restarts"])

    @property
    def protocol(self) -> str:
        return str(self.settings["protocol"])

    @property
    def refit(self) -> bool:
        """Whether its networks have learned the questions of validation, too, after these had chosen."""
        return bool(self.settings["model"].get("recipe", {}).get("refit"))

    @property
    def tests_release(self) -> bool:
        """Tell whether the test is that of the published release."""
        return self.source in ("official", "transfer") and not self.world

    @property
    def renamed(self) -> bool:
        """Tell whether the names in the stories of training were exchanged for each other."""
        return bool(self.settings["task"].get("rename"))

    @property
    def examples(self) -> int:
        return sum(training.examples for training in self.trainings.values())

    @property
    def parameters(self) -> int:
        """Parameters of one network, of the largest where tasks differ."""
        return max(training.parameters for training in self.trainings.values())

    @property
    def state_size(self) -> int:
        return max(training.state_size for training in self.trainings.values())

    @property
    def commits(self) -> list[str]:
        """Commits of the code that made it, as far as they are known."""
        return [part.commit for part in self.parts if part.commit]

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        """Fill in what records of older versions do not hold."""
        if not isinstance(data, dict) or not isinstance(data.get("settings"), dict):
            return data
        data = {"family": "babi"} | data
        if "parts" not in data:
            own = {name: data["settings"].get(name) for name in ("restarts", "seed")}
            own |= {name: data.get(name) for name in Part.model_fields if name not in own}
            data["parts"] = [own]
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Check what one field says against another."""
        check_settings(self.settings)
        if not self.trainings or not self.parts:
            raise ValueError("it holds no training")
        if bool(self.tasks) == bool(self.tests) or bool(self.tests) != (self.validation is not None):
            raise ValueError("expected figures of tasks, or of tests with validation")
        if sum(part.restarts for part in self.parts) != self.restarts:
            raise ValueError(f"its parts do not have {self.restarts} restarts together")
        figures: list[Checked] = [*self.tasks.values(), *self.tests.values()]
        figures += [self.validation] if self.validation else []
        for one in self.long:
            if one.right > one.asked or bool(one.asked) == bool(one.refused) or one.task not in self.tasks:
                raise ValueError(f"its figures of task {one.task} at {one.length} sentences contradict each other")
        for of in figures:
            for name in type(of).model_fields:
                value = getattr(of, name)
                if isinstance(value, list) and len(value) != self.restarts:
                    raise ValueError(
                        f"{name} has {len(value)} figures, expected one for each of {self.restarts} restarts"
                    )
            selected, training = getattr(of, "selected", 0), getattr(of, "training", next(iter(self.trainings)))
            if selected >= self.restarts:
                raise ValueError(f"selected is {selected}, expected less than {self.restarts}")
            if training not in self.trainings:
                raise ValueError(f"training '{training}' is not among its trainings")
        return self


def check_settings(settings: dict[str, Any]) -> None:
    """Check the settings that every record has; the others are the model's and the task's own."""
    expected = {"model": dict, "task": dict, "protocol": str, "restarts": int, "seed": int}
    for name, kind in expected.items():
        if type(settings.get(name)) is not kind:
            raise ValueError(f"settings.{name} is {settings.get(name)!r}, expected {kind.__name__}")
    _check_plain(settings, "settings")
    if not isinstance(settings["model"].get("recipe", {}), dict):
        raise ValueError(f"settings.model.recipe is {settings['model']['recipe']!r}, expected options")
    packs = settings.get("together", [])
    if not isinstance(packs, list) or not all(
        isinstance(pack, list) and all(isinstance(one, str) for one in pack) for pack in packs
    ):
        raise ValueError(f"settings.together is {packs!r}, expected lists of trainings")
    for name in ("model", "task"):
        if not isinstance(settings[name].get("_target_"), str):
            raise ValueError(f"settings.{name}._target_ is {settings[name].get('_target_')!r}, expected a name")
    if not 1 <= settings["restarts"] < 2**31 or not 0 <= settings["seed"] < 2**31:
        raise ValueError("settings.restarts or settings.seed is out of range")
    if settings["protocol"] not in ("per_task", "joint", "fresh"):
        raise ValueError(f"settings.protocol is {settings['protocol']!r}, expected per_task, joint or fresh")


def _check_plain(value: Any, place: str) -> None:
    """Check that settings are data: nothing below the model and the task names code, or is looked up elsewhere."""
    if isinstance(value, dict):
        for name, of in value.items():
            if not name or (name.startswith("_") and f"{place}.{name}" not in TARGETS):
                raise ValueError(f"{place}.{name[:100]} is no option")
            _check_plain(of, f"{place}.{name}")
    elif isinstance(value, list):
        for of in value:
            _check_plain(of, place)
    elif isinstance(value, str) and "${" in value:
        raise ValueError(f"{place} is {value[:100]!r}, expected a value that is not looked up elsewhere")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}, expected a finite number")


def check_text(value: Any) -> None:
    """Check that no text holds characters that a terminal would obey."""
    if isinstance(value, dict):
        for name, of in value.items():
            check_text(name)
            check_text(of)
    elif isinstance(value, list):
        for of in value:
            check_text(of)
    elif isinstance(value, str) and (found := CONTROL.search(value) or re.search(r"\n", value)):
        raise ValueError(f"it holds the control character {found[0]!a}")


def sealed(record: dict, arrays: bytes) -> dict:
    """Add checksums to a record: of the arrays beside it, and of itself."""
    record = {name: value for name, value in record.items() if name != "sha256"}
    record["arrays_sha256"] = hashlib.sha256(arrays).hexdigest()
    return record | {"sha256": _digest(record)}


def _digest(record: dict) -> str:
    own = {name: value for name, value in record.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def parse(file: Path) -> Record:
    """Read a record and check it; a fault is named in one sentence."""
    try:
        if not FILE_NAME.fullmatch(file.name):
            raise ValueError("its name holds other characters than names of records")
        if not file.is_file():
            raise ValueError("it is no file")
        if file.stat().st_size > LARGEST:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        data = json.loads(file.read_bytes())
        check_text(data)
        if isinstance(data, dict) and data.get("schema", SCHEMA) != SCHEMA:
            raise UserError(f"{file}: schema {data['schema']!r}, expected {SCHEMA}; it was written by another version")
        record = Record.model_validate(data)
        if record.sha256 not in (None, _digest(data)):
            raise ValueError("its checksum is another one")
    except UserError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = f"{place}: {first['msg']}" if place else first["msg"]
        raise UserError(f"{file} is not a record of a run ({said}); remove it or restore it with git") from None
    except (OSError, ValueError, RecursionError) as error:
        said = str(error).partition("\n")[0][:200]
        raise UserError(f"{file} is not a record of a run ({said}); remove it or restore it with git") from None
    record._file = file
    return record
