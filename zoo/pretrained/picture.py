"""A picture of networks that answer one question: where each one looked, and what each one answered."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo.pretrained.reply import LEAST, Reply, shade

MARGIN, ROW, CELL, GAP, BLOCK = 16, 22, 37, 14, 120  # pixels; BLOCK is the least width of a network's columns
LETTER = 6.7  # pixels, the width of a letter of the story
SHOWN = {  # what the numbers of a network are
    "weights": "attention",
    "gates": "gate",
    "writing": "origin of the read",
    "nothing": "does not say",
}


class Picture(str):
    """An SVG as text. A notebook shows it."""

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, file: str | Path) -> Path:
        """Write the picture, and return its path."""
        write_atomically(Path(file), lambda stream: stream.write(self.encode()))
        return Path(file)


class Answered(NamedTuple):
    """A network's answer to the question, with where it looked."""

    name: str
    traces: str  # a key of SHOWN
    attention: list[list[float]]  # per hop, a weight for each of the last sentences of the story
    said: str
    probability: float
    right: bool | None = None  # None: nobody knows
    facts: tuple[int, ...] = ()  # positions of the supporting facts, counted from the last sentence: -1

    @classmethod
    def of(cls, reply: Reply, right: bool | None = None, facts: Sequence[int] = ()) -> "Answered":
        """Take what is drawn from a reply; passes at the end that were not made are left out."""
        attention = reply.attention.tolist()
        while attention and max(attention[-1], default=0.0) < LEAST:
            attention.pop()
        return cls(reply.network, reply.traces, attention, reply.answer, reply.probability, right, tuple(facts))


def compare(replies: Sequence[Reply]) -> Picture:
    """Draw the replies of several networks to one question side by side."""
    longest = max(replies, key=lambda reply: len(reply.story))
    for reply in replies:
        if reply.question != longest.question:
            raise UserError(f"'{reply.question}?' and '{longest.question}?': expected replies to one question")
        if list(reply.places) != list(longest.places)[len(longest.places) - len(reply.places) :]:
            raise UserError(f"{reply.network} saw other sentences than {longest.network}, so they share no picture")
    return picture(longest.story, f"{longest.question}?", [Answered.of(reply) for reply in replies])


def picture(told: Sequence[str], question: str, answers: Sequence[Answered]) -> Picture:
    """Draw an SVG: a row per sentence, and a block of columns per network, one column per hop.

    Args:
        told: the sentences of the story.
        question: stands below them.
        answers: of every network. A dot marks the supporting facts that they name.
    """
    facts = {len(told) + fact for answer in answers for fact in answer.facts}
    left = MARGIN + 16 + LETTER * max(len(said) for said in [*told, question])
    top = MARGIN + 3 * ROW
    bottom = top + ROW * len(told) + 8
    parts = []
    for place, said in enumerate(told):
        y = top + ROW * place + 15
        if place in facts:
            parts.append(f'<circle cx="{MARGIN + 4}" cy="{y - 5}" r="4" fill="#c2410c"/>')
        parts.append(_text(MARGIN + 16, y, said))
    parts.append(_text(MARGIN + 16, bottom + 15, question, weight="bold"))
    if facts:
        parts.append(f'<circle cx="{MARGIN + 4}" cy="{MARGIN + 2 * ROW + 10}" r="4" fill="#c2410c"/>')
        parts.append(_text(MARGIN + 16, MARGIN + 2 * ROW + 15, "supporting fact", size=11))
    x = left + GAP
    for answer in answers:
        parts += _block(answer, x, top, bottom, len(told))
        x += max(BLOCK, CELL * len(answer.attention)) + GAP
    width, height = x - GAP + MARGIN, bottom + 2 * ROW + MARGIN
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" role="img">\n'
        f"<title>{escape(question)} {escape('; '.join(f'{of.name}: {of.said}' for of in answers))}</title>\n"
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _block(answer: Answered, x: float, top: float, bottom: float, sentences: int) -> list[str]:
    """Draw the columns of a network: its name, a cell per sentence and hop, and its answer."""
    parts = [
        _text(x, MARGIN + 14, answer.name, weight="bold"),
        _text(x, MARGIN + ROW + 12, SHOWN[answer.traces], size=11),
    ]
    for hop, weights in enumerate(answer.attention):
        across = x + CELL * hop
        parts.append(_text(across + CELL / 2, MARGIN + 2 * ROW + 15, f"hop {hop + 1}", size=11, anchor="middle"))
        largest = max([*weights, 0.0]) or 1.0
        first = sentences - len(weights)  # earlier sentences are outside of the network's window
        for place, weight in enumerate(weights):
            red, green, blue = shade(weight, largest)
            y = top + ROW * (first + place)
            parts.append(
                f'<rect x="{across:.1f}" y="{y}" width="{CELL - 1}" height="{ROW - 1}" '
                f'fill="rgb({red},{green},{blue})" stroke="#d4d4d8" stroke-width="0.5"/>'
            )
            grey = "#a1a1aa" if weight < LEAST else "#18181b"
            parts.append(_text(across + (CELL - 1) / 2, y + 15, f"{weight:.2f}", 11, "middle", grey))
    parts.append(_text(x, bottom + 15, answer.said, weight="bold"))
    verdict, colour = {True: ("✓ right, ", "#15803d"), False: ("✗ wrong, ", "#b91c1c"), None: ("", "#18181b")}[
        answer.right
    ]
    parts.append(_text(x, bottom + ROW + 13, f"{verdict}{100 * answer.probability:.0f} %", size=12, colour=colour))
    return parts


def _text(
    x: float,
    y: float,
    said: str,
    size: int = 13,
    anchor: str = "start",
    colour: str = "#18181b",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(said)}</text>'
    )
