"""The answer of a network, with its probability and where it was found."""

from collections.abc import Callable
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from zoo.traces import TRACES

if TYPE_CHECKING:
    from zoo.pretrained.picture import Picture

SHOWN = 60  # sentences of a story, those looked at most, if it has more
SEEN = 0.05  # share of the largest weight of a hop that is coloured in a terminal
LEAST = 0.005  # smaller weights are nothing


class Look(NamedTuple):
    """A sentence of the story, and how much a network looked at it."""

    sentence: str
    place: int  # in the story as it was told, from 0
    weights: tuple[float, ...]  # at each hop


class Reply:
    """An answer. `print(reply)` shows a table; a notebook shows a heat map.

    Attributes:
        answer: the word, or the reply of a dialog.
        probability: that the network gives to it.
        question: as it was read.
        network: the name of the network that answered.
        traces: what the attention is, a key of zoo.traces.TRACES.
    """

    def __init__(
        self,
        network: str,
        question: str,
        answers: list[str],
        scores: np.ndarray,
        places: np.ndarray,
        story: Callable[[], list[str]],
        look: Callable[[], np.ndarray],
        traces: str,
    ) -> None:
        self.network, self.question, self.traces = network, question, traces
        self.places, self._answers, self._story, self._look = places, answers, story, look
        spread = np.exp(scores.astype(np.float64) - scores.max())
        self._probabilities = spread / spread.sum()
        best = int(scores.argmax())
        self.answer, self.probability = answers[best], float(self._probabilities[best])

    def ranking(self, count: int = 5) -> list[tuple[str, float]]:
        """List the likeliest answers with their probabilities, best first."""
        best = np.argsort(-self._probabilities, kind="stable")[:count]
        return [(self._answers[number], float(self._probabilities[number])) for number in best]

    @cached_property
    def story(self) -> list[str]:
        """The sentences that the network could see, oldest first.

        They are all that were told, the last of its window, or those that its index has found.
        """
        return self._story()

    @cached_property
    def attention(self) -> np.ndarray:
        """The attention to each of them, (hops, sentences). `traces` says what the numbers are."""
        return self._look()[:, : len(self.story)]

    @property
    def looked_at(self) -> list[Look]:
        """The sentences that it looked at, most first; none if the model does not say where it looks."""
        if not len(self.attention):
            return []
        most = self.attention.max(0)
        order = np.argsort(-most, kind="stable")
        return [self._look_at(int(place)) for place in order[: int((most >= LEAST).sum())]]

    def _look_at(self, seen: int) -> Look:
        weights = tuple(float(weight) for weight in self.attention[:, seen])
        return Look(self.story[seen], int(self.places[seen]), weights)

    def rows(self) -> list[Look]:
        """The story as it is shown; of a long one the sentences that were looked at most, in their order."""
        places = np.arange(len(self.story))
        if len(places) > SHOWN:
            most = self.attention.max(0) if len(self.attention) else places  # the last ones, where it looks nowhere
            places = np.sort(np.argsort(-most, kind="stable")[:SHOWN])
        return [self._look_at(int(place)) for place in places]

    def __rich__(self) -> Group:
        """For a terminal: a row per sentence, a column per hop, and the answer below."""
        hops = len(self.attention)
        table = Table(box=None, pad_edge=False)
        table.add_column("story", overflow="fold")
        for hop in range(hops):
            table.add_column(f"{hop + 1}", justify="right", no_wrap=True)
        largest = self.attention.max(1) if hops and len(self.story) else np.ones(hops)
        for row in self.rows():
            table.add_row(Text(row.sentence), *map(cell, row.weights, largest))
        said = Text.assemble(f"{self.question}?  ", (self.answer, "bold"), f"  {100 * self.probability:.1f} %")
        return Group(Text(TRACES[self.traces if hops else "nothing"], style="dim"), table, said)

    def __str__(self) -> str:
        console = Console(width=100, color_system=None, force_terminal=False)
        with console.capture() as captured:
            console.print(self)
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    def __repr__(self) -> str:
        return f"Reply({self.answer!r}, probability={self.probability:.3f})"

    def _repr_html_(self) -> str:
        """A heat map for a notebook."""
        hops = len(self.attention)
        largest = self.attention.max(1) if hops and len(self.story) else np.ones(hops)
        head = "".join(f"<th>{hop + 1}</th>" for hop in range(hops))
        lines = [
            f'<tr><td style="text-align:left">{escape(row.sentence)}</td>'
            + "".join(
                f'<td style="background:rgb({",".join(map(str, shade(weight, most)))});color:#18181b">{weight:.2f}</td>'
                for weight, most in zip(row.weights, largest, strict=True)
            )
            + "</tr>"
            for row in self.rows()
        ]
        others = ", ".join(f"{escape(answer)} {100 * p:.1f} %" for answer, p in self.ranking(4)[1:])
        return (
            f"<table><caption>{escape(TRACES[self.traces if hops else 'nothing'])}</caption>"
            f'<tr><th style="text-align:left">{escape(self.network)}</th>{head}</tr>{"".join(lines)}'
            f'<tr><td style="text-align:left" colspan="{hops + 1}">{escape(self.question)}? '
            f"<b>{escape(self.answer)}</b> {100 * self.probability:.1f} % <small>then {others}</small>"
            "</td></tr></table>"
        )

    def plot(self, *others: "Reply") -> "Picture":
        """Draw where the network looked, and beside it those of `others`; `save` of the picture writes an SVG."""
        from zoo.pretrained.picture import compare

        return compare([self, *others])


def cell(weight: float, largest: float) -> Text:
    """A weight in a terminal, coloured by its share of the largest of its hop."""
    share = weight / (largest or 1.0)
    if share <= SEEN:
        return Text(f" {weight:.2f} ", style="dim")
    red, green, blue = shade(weight, largest)
    return Text(f" {weight:.2f} ", style=f"black on rgb({red},{green},{blue})")


def shade(weight: float, largest: float) -> tuple[int, int, int]:
    """The colour of a weight: white for nothing, blue for the largest of its hop."""
    share = min(max(weight, 0.0) / (largest or 1.0), 1.0)
    return round(255 - 175 * share), round(255 - 95 * share), 255
