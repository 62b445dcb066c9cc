"""Tables on stdout: drawn on a terminal, plain columns for another program."""

import sys
from collections.abc import Sequence
from typing import Literal, NamedTuple

from tickfloor.cli.output import data

UNKNOWN = "–"
_GAP = 2
_LEAST = 8
"""Characters that a column keeps which gives way."""


class Column(NamedTuple):
    """A column's head; ``right`` is for figures, ``gives_way`` is cut first where a terminal is too narrow."""

    name: str
    right: bool = False
    gives_way: bool = False


def printable(text: str) -> str:
    """Return a text on one line, without what would steer a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Cell(NamedTuple):
    """A cell's text, and its colour on a terminal."""

    text: str
    colour: str = ""


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> None:
    """Print a table."""
    cells = [
        [Cell(printable(cell.text), cell.colour) if isinstance(cell, Cell) else Cell(printable(cell)) for cell in row]
        for row in rows
    ]
    if sys.stdout.isatty():
        _draw(columns, cells)
        return
    widths = _natural_widths(columns, cells)
    for texts in ([column.name for column in columns], *([cell.text for cell in row] for row in cells)):
        padded = (
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(texts, widths, columns, strict=True)
        )
        data((" " * _GAP).join(padded).rstrip())


def _draw(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    room = console.width - _GAP * (len(columns) - 1)
    table = Table(box=None, header_style="dim", padding=(0, _GAP, 0, 0), pad_edge=False)
    for column, width in zip(columns, _fitting(columns, _natural_widths(columns, rows), room), strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.name, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        # Text, not str: a rule may hold what would be markup.
        table.add_row(*(Text(cell.text, cell.colour) for cell in row))
    console.print(table)


def _natural_widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[int]:
    return [max(len(text) for text in (columns[n].name, *(row[n].text for row in rows))) for n in range(len(columns))]


def _fitting(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """Return widths that fit: what gives way does so first, the widest first of those."""
    widths = list(widths)
    for _ in range(max(0, sum(widths) - room)):
        yielding = [n for n, column in enumerate(columns) if column.gives_way and widths[n] > _LEAST]
        widest = max(yielding or range(len(widths)), key=widths.__getitem__)
        widths[widest] = max(1, widths[widest] - 1)
    return widths
