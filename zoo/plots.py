"""Curves over a logarithmic axis, as an SVG."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, LEGEND = 460, 300, 64, 30, 44, 300  # of the plot; the legend stands on the right
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d35400", "#16a085", "#7f8c8d", "#b8860b")
Points = Sequence[tuple[float, float]]


def plot(title: str, x_axis: str, curves: Mapping[str, Points], logarithmic: bool) -> str:
    """Draw curves with points, x logarithmic, y too or from 0 to 100.

    Args:
        title: above the plot.
        x_axis: says what is on the x axis.
        curves: points with x above 0, by the text of the legend; without points nothing is drawn.
        logarithmic: whether y is logarithmic.
    """
    points = [point for curve in curves.values() for point in curve if point[1] > 0 or not logarithmic]
    if not points:
        return ""
    left, right = _decades([x for x, _ in points])
    low, high = _decades([y for _, y in points]) if logarithmic else (0, 100)

    def place(x: float, y: float) -> tuple[float, float]:
        over = math.log10(y) if logarithmic else y
        across = (math.log10(x) - left) / (right - left)
        return LEFT + across * (WIDTH - LEFT), HEIGHT - BOTTOM - (over - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>']
    for power in range(left, right + 1):
        x, _ = place(10.0**power, 10.0**low if logarithmic else 0)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{10**power:,}</text>')
    for mark in range(low, high + 1) if logarithmic else range(0, 101, 20):
        value = 10.0**mark if logarithmic else mark
        _, y = place(10.0**left, value)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_axis)}</text>')
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        dashes = ' stroke-dasharray="5 3"' if number >= len(COLOURS) else ""
        drawn = [place(*point) for point in curve if point[1] > 0 or not logarithmic]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn]
        x, y = WIDTH + 14, TOP + 5 + 16 * number
        stroke = f'stroke="{colour}" stroke-width="3"{dashes}'
        parts.append(f'<line x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}" {stroke}/>')
        parts.append(f'<text x="{x + 28}" y="{y + 4}">{escape(name)}</text>')
    height = max(HEIGHT, TOP + 16 * (len(curves) + 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + LEGEND} {height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Find the powers of ten around positive numbers."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)
