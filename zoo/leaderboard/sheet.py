"""What a family of tasks shows beside its own markdown: tables on the page, and a line a run in results/README.md."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """A place in a table of the page."""

    text: str
    value: float | None = None  # by which its column is sorted
    below: str = ""  # stands under the text, smaller
    part: str | None = None  # of the record, which the cell opens
    shade: float | None = None  # how deep its ground is, 0 to 100


@dataclass(frozen=True)
class Grid:
    """A table of the page: a row a model."""

    title: str
    columns: tuple[str, ...]  # behind that of the model
    rows: list[tuple[Any, list[Cell]]]  # a row of the leaderboard, and its cells
    notes: tuple[str, ...] = ()  # stand below it


@dataclass(frozen=True)
class Part:
    """What a record says of one task, or of sequences of one form; figures are of all restarts."""

    title: str
    training: str
    test: list[float]
    valid: list[float]
    selected: int
    best_epochs: list[int]
    unit: str = "error, %"


@dataclass(frozen=True)
class Sheet:
    """The section of a family on the page."""

    name: str
    title: str
    about: str
    grids: list[Grid]
    parts: dict[str, dict[str, Part]] = field(default_factory=dict)  # by record, and by the name that cells use


@dataclass(frozen=True)
class Figure:
    """One of ours, beside the published one."""

    name: str
    ours: float | None
    published: float | None
    sign: str  # of the published figure's standing

    @property
    def difference(self) -> float | None:
        return None if self.ours is None or self.published is None else round(self.ours - self.published, 2)


@dataclass(frozen=True)
class Line:
    """A run in results/README.md."""

    table: str
    measure: str
    model: str
    setting: str
    record: str
    ours: float | None
    published: float | None
    sign: str  # of the published figure's standing
    besides: str  # further figures, ours and published ones
    marks: tuple[str, ...]
    of_errors: bool = True  # whether less is better
    further: tuple[Figure, ...] = ()  # that are not to be behind the published ones either

    @property
    def key(self) -> tuple[str, str, str]:
        return self.table, self.model, self.setting

    @property
    def mean(self) -> Figure:
        return Figure("", self.ours, self.published, self.sign)
