"""Plots as SVG, written out: the same numbers give the same bytes, on any machine."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")


class Line(NamedTuple):
    x: Sequence[float]
    y: Sequence[float]  # 0 where nothing was measured
    shape: Sequence[float]  # what it should look like, but for a factor


class Panel(NamedTuple):
    title: str
    lines: list[Line]


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
    """Draw a line per row, with a dot for each of its values; the colour names the series."""
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


def grid(panels: list[Panel], x_label: str, series: Sequence[str]) -> str:
    """Draw small plots of the same scales, both logarithmic, three in a row; a colour is a series."""
    wide, high, left, top, gap_x, gap_y = 250, 170, 50, 60, 45, 50
    points = [(x, y) for panel in panels for one in panel.lines for x, y in zip(one.x, one.y, strict=True) if y]
    x_scale, y_scale = Axis([x for x, _ in points], 0, wide), Axis([y for _, y in points], high, 0)
    parts = []
    for i, name in enumerate(series):
        parts += [
            line(left + 180 * i, 16, left + 180 * i + 20, 16, COLOURS[i]),
            text(left + 180 * i + 26, 20, name, "start"),
        ]
    for i, panel in enumerate(panels):
        begin, over = left + i % 3 * (wide + gap_x), top + i // 3 * (high + gap_y)

        def place(x: float, y: float, begin: float = begin, over: float = over) -> str:
            return f"{begin + x_scale(x):.1f},{over + min(max(y_scale(y), 0), high):.1f}"

        for tick in x_scale.ticks():
            at = begin + x_scale(tick)
            parts += [line(at, over, at, over + high), text(at, over + high + 13, number(tick))]
        for tick in y_scale.ticks():
            at = over + y_scale(tick)
            parts += [line(begin, at, begin + wide, at), text(begin - 4, at + 4, number(tick), "end")]
        parts.append(text(begin + wide / 2, over - 7, panel.title))
        for colour, one in zip(COLOURS, panel.lines, strict=False):
            known = [(x, y) for x, y in zip(one.x, one.y, strict=True) if y]
            if known:
                last = one.x.index(known[-1][0])
                shape = " ".join(
                    place(x, one.y[last] * v / one.shape[last]) for x, v in zip(one.x, one.shape, strict=True)
                )
                parts.append(f'<polyline points="{shape}" fill="none" stroke="{colour}" stroke-dasharray="3 3"/>')
                drawn = " ".join(place(x, y) for x, y in known)
                parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
                parts += [
                    f'<circle cx="{c[0]}" cy="{c[1]}" r="2.5" fill="{colour}"/>'
                    for c in (place(*p).split(",") for p in known)
                ]
    bottom = top + -(-len(panels) // 3) * (high + gap_y)
    width = left + 3 * (wide + gap_x)
    return whole(width, bottom, [*parts, text(width / 2, bottom - 14, x_label)])
