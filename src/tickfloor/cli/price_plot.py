"""A price and the moments of signals, drawn in a terminal or as a picture."""

import math
import sys
from collections.abc import Sequence
from xml.sax.saxutils import escape

from tickfloor.cli.output import data
from tickfloor.cli.venue_time import time_text

_ROWS = 14
_LABEL = 14
_LEAST_WIDTH = 40
_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _MARGIN = 1200, 480, 60
_LEFT = 100
"""Space for the prices."""


def draw_in_terminal(times_ns: Sequence[int], prices: Sequence[float], signals_ns: Sequence[int]) -> None:
    """Print the price as a curve of the terminal's width, and below it marks where signals are, and its times."""
    from rich.console import Console
    from rich.text import Text

    if not prices:
        return
    console = Console()
    width = max(_LEAST_WIDTH, console.width - _LABEL - 1)
    lines, marks = curve(times_ns, prices, signals_ns, width)
    first, last = time_text(times_ns[0]), time_text(times_ns[-1])
    ends = f"{'UTC':>{_LABEL}} {first}{last:>{max(width - len(first), len(last) + 2)}}"
    if not sys.stdout.isatty():
        for line in (*lines, marks, ends):
            data(line.rstrip())
        return
    for line in lines:
        console.print(Text(line, "cyan"), no_wrap=True)
    console.print(Text(marks, "bold green"), no_wrap=True)
    console.print(Text(ends), no_wrap=True)


def curve(
    times_ns: Sequence[int], prices: Sequence[float], signals_ns: Sequence[int], width: int
) -> tuple[list[str], str]:
    """Return the lines of a curve, the highest first, and the line of marks; each begins with its label."""
    span = max(times_ns[-1] - times_ns[0], 1)

    def column(ts_event: int) -> int:
        return min(width - 1, max(0, (ts_event - times_ns[0]) * width // span))

    last: list[float] = [math.nan] * width
    for ts_event, price in zip(times_ns, prices, strict=True):
        last[column(ts_event)] = price
    low, high = min(prices), max(prices)
    scale = (_ROWS * 8 - 1) / (high - low) if high > low else 0.0
    steps = []
    price = prices[0]
    for value in last:
        price = price if value != value else value
        steps.append(1 + round((price - low) * scale))
    lines = []
    for row in range(_ROWS - 1, -1, -1):
        label = {_ROWS - 1: f"{high:.8g}", 0: f"{low:.8g}"}.get(row, "")
        lines.append(label.rjust(_LABEL) + " " + "".join(_BLOCKS[min(8, max(0, step - 8 * row))] for step in steps))
    marked = {column(ts_event) for ts_event in signals_ns}
    marks = "signals".rjust(_LABEL) + " " + "".join("▲" if at in marked else " " for at in range(width))
    return lines, marks


def picture_of(
    title: str, times_ns: Sequence[int], prices: Sequence[float], signals: Sequence[tuple[int, float]]
) -> str:
    """Return an SVG picture of the price over its time, UTC, with a triangle under it at each signal."""
    inside = []
    if prices:
        first, span = times_ns[0], max(times_ns[-1] - times_ns[0], 1)
        low, high = min(prices), max(prices)

        def place(ts_event: int, price: float) -> tuple[float, float]:
            x = _LEFT + (ts_event - first) / span * (_WIDTH - _LEFT - _MARGIN)
            share = (price - low) / (high - low) if high > low else 0.5
            return x, _HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN)

        points = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in zip(times_ns, prices, strict=True))
        inside.append(f'<polyline points="{points}" fill="none" stroke="#2a6f97" stroke-width="1"/>')
        for ts_event, price in signals:
            x, y = place(ts_event, price)
            inside.append(f'<path d="M{x:.1f} {y + 4:.1f} l5 9 h-10 z" fill="#2d8a4e"/>')
        for price in (low, high):
            y = place(first, price)[1]
            inside.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{price:.8g}</text>')
        for x, anchor, ts_event in ((_LEFT, "start", first), (_WIDTH - _MARGIN, "end", times_ns[-1])):
            y = _HEIGHT - _MARGIN // 2
            inside.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{time_text(ts_event)}</text>')
    shown = "".join(character if character.isprintable() else "?" for character in title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        ' font-size="12">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
        f'<text x="{_LEFT}" y="{_MARGIN // 2}">{escape(shown)}</text>{"".join(inside)}</svg>\n'
    )
