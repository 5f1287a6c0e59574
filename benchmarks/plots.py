"""Plots as SVG, written out: the same numbers give the same bytes, on any machine."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
           "#000000")  # fmt: skip


class Line(NamedTuple):
    name: str
    x: Sequence[float]
    y: Sequence[float]


class Axis:
    """A logarithmic scale from one place of a plot to another."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low, self.high = math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05
        self.begin, self.end = begin, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]


def number(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def text(x: float, y: float, words: str, anchor: str = "middle", colour: str = "#333") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd") -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'


def whole(width: float, height: float, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="{width}" height="{height}" fill="white"/>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def dots(rows: list[tuple[str, list[float | None]]], series: Sequence[str], label: str) -> str:
    """A row a line, a dot for each of its values; the colour says which series a value is of."""
    left, top, width = 150, 40, 760
    bottom = top + 16 * len(rows)
    axis = Axis([value for _, values in rows for value in values if value], left, width - 30)
    parts = [line(axis(tick), top, axis(tick), bottom) for tick in axis.ticks()]
    parts += [text(axis(tick), bottom + 14, number(tick)) for tick in axis.ticks()]
    for i, name in enumerate(series):
        place = left + 20 + 190 * i
        parts += [f'<circle cx="{place}" cy="18" r="5" fill="{COLOURS[i]}"/>', text(place + 10, 22, name, "start")]
    for i, (name, values) in enumerate(rows):
        y = top + 16 * i + 8
        parts.append(text(left - 8, y + 4, name, "end"))
        known = [axis(value) for value in values if value]
        if known:
            parts.append(line(min(known), y, max(known), y, "#bbb"))
        for k, value in enumerate(values):
            if value:
                parts.append(f'<circle cx="{axis(value)}" cy="{y}" r="4.5" fill="{COLOURS[k]}"/>')
    parts.append(text((left + width) / 2, bottom + 32, label))
    return whole(width, bottom + 42, parts)


def curves(panels: list[tuple[str, list[Line]]], x_label: str) -> str:
    """Panels side by side, both axes logarithmic, with one legend."""
    names = sorted({one.name for _, lines in panels for one in lines})
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    wide, high, left, top, gap = 340, 260, 60, 30, 60
    parts = []
    for i, (title, lines) in enumerate(panels):
        begin = left + i * (wide + gap)
        x = Axis([value for one in lines for value in one.x], begin, begin + wide)
        y = Axis([value for one in lines for value in one.y], top + high, top)
        parts += [line(x(tick), top, x(tick), top + high) for tick in x.ticks()]
        parts += [text(x(tick), top + high + 14, number(tick)) for tick in x.ticks()]
        parts += [line(begin, y(tick), begin + wide, y(tick)) for tick in y.ticks()]
        parts += [text(begin - 5, y(tick) + 4, number(tick), "end") for tick in y.ticks()]
        parts += [text(begin + wide / 2, top - 10, title), text(begin + wide / 2, top + high + 32, x_label)]
        for one in lines:
            points = " ".join(f"{x(a)},{y(b)}" for a, b in zip(one.x, one.y, strict=True))
            colour = colours[one.name]
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            parts += [
                f'<circle cx="{x(a)}" cy="{y(b)}" r="2.5" fill="{colour}"/>' for a, b in zip(one.x, one.y, strict=True)
            ]
    right = left + len(panels) * (wide + gap) - 30
    for i, name in enumerate(names):
        parts += [
            line(right, top + 10 + 18 * i, right + 18, top + 10 + 18 * i, colours[name]),
            text(right + 24, top + 14 + 18 * i, name, "start"),
        ]
    return whole(right + 130, top + high + 45, parts)
