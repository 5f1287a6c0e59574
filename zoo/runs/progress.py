"""Progress of a run in the terminal: one row per training, and the time left."""

import io
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from zoo.clock import clock, label
from zoo.families.board import Measure

if TYPE_CHECKING:  # they load torch, and `zoo run --help` does not need it
    from zoo.runs.tracking import Rows, Tracking

SILENCE = 300  # seconds without a line, at most


class Labelled(io.TextIOBase):
    """A stream that several runs share: whole lines, each behind the name of its run."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream, self.name, self.begun = stream, name, ""

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        if lines:
            self.stream.write("".join(f"{self.name}  {line}\n" for line in lines))
            self.stream.flush()
        return len(text)


class Progress:
    """A live table in a terminal; in a file or a pipe a line per finished training, and one in five silent minutes."""

    def __init__(
        self,
        title: str,
        epochs: dict[str, int],
        weights: dict[str, float],
        measure: Measure,
        tracking: "Tracking | None",
    ) -> None:
        """
        Args:
            title: stands above the table.
            epochs: of every training at most, by name.
            weights: how long an epoch of each takes, relative to the others.
            measure: how its figures are shown.
            tracking: is told the curves.
        """
        self.title, self.epochs, self.weights, self.measure = title, epochs, weights, measure
        self.tracking = tracking
        self.state: dict[str, dict] = {}
        self.done: dict[str, float] = {}  # the figure of the restart that validation selected
        self.console = Console(stderr=True)
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if self.console.is_terminal else None
        self.before: dict[str, int] = {}  # epochs that an interrupted attempt had already done
        self.begin = time.monotonic()
        self.drawn = 0.0 if self.live else self.begin  # when something was shown last

    def __enter__(self) -> "Progress":
        if self.live:
            self.live.start()
        else:
            print(self.title, file=sys.stderr, flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def report(self, name: str, state: dict) -> None:
        self.before.setdefault(name, state["epoch"] - 1)
        self.state[name] = state
        if self.tracking:
            self.tracking.report(name, state["told"], state["curves"])
        if self.live:
            self.draw()
        elif time.monotonic() - self.drawn >= SILENCE:
            best = "" if state["best"] is None else f", best on validation {self.measure.said_of_error(state['best'])}"
            self.say(f"{label(name)}: epoch {state['epoch']} of at most {state['epochs']}{best}, {self.left()} left")

    def finish(self, name: str, error: float, curves: "Mapping[str, Rows]") -> None:
        """Say that a training has ended, in this attempt or in an earlier one."""
        if self.tracking:
            self.tracking.report(name, 0, curves)
        self.before.setdefault(name, self.epochs[name])
        self.done[name] = error
        if self.live:
            self.draw()
        else:
            left = f", {self.left()} left" if len(self.done) < len(self.epochs) else ""
            figure = f"{self.measure.name} {self.measure.said_of_error(error)}"
            self.say(f"{label(name)}: {figure}{left}")

    def say(self, line: str) -> None:
        self.drawn = time.monotonic()
        print(f"  {len(self.done)}/{len(self.epochs)}  {line}", file=sys.stderr, flush=True)

    def work(self, epochs: dict[str, int]) -> float:
        return sum(self.weights[name] * number for name, number in epochs.items())

    def did(self) -> float:
        reached = {name: state["epoch"] for name, state in self.state.items()}
        return self.work(reached | {name: self.epochs[name] for name in self.done})

    def left(self) -> str:
        """Estimate the time for the rest, at the pace of this attempt."""
        did = self.did()
        gained = did - self.work(self.before)
        return clock((time.monotonic() - self.begin) * (self.work(self.epochs) - did) / gained) if gained else "?"

    def draw(self) -> None:
        if self.live is None or time.monotonic() - self.drawn < 0.2:
            return
        self.drawn = time.monotonic()
        table = Table(title=self.title, title_justify="left", box=None, pad_edge=False)
        for column in ("training", "epoch", "validation, mean", "best", self.measure.name):
            table.add_column(column, justify="left" if column == "training" else "right")
        for name in self.epochs:
            if name in self.done:
                table.add_row(label(name), "done", "", "", self.measure.said_of_error(self.done[name]), style="dim")
            elif name in self.state:
                now = self.state[name]
                best = "linear start" if now["best"] is None else self.measure.said_of_error(now["best"])
                table.add_row(
                    label(name), f"{now['epoch']}/{now['epochs']}", self.measure.said_of_error(now["error"]), best, ""
                )
        waiting = len(self.epochs) - len(self.done.keys() | self.state.keys())
        passed = clock(time.monotonic() - self.begin)
        table.caption = (
            f"{waiting} waiting · {self.did() / self.work(self.epochs):.0%} · {passed} passed · {self.left()} left"
        )
        self.live.update(table, refresh=True)
