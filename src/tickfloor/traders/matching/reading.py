"""What has to be known of some columns by whoever looks at them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tickfloor.contracts.intervals import Interval
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.language.nodes import Clock, Column, Elsewhere, Market, NumberNode, operands
from tickfloor.traders.language.plan import interval_of


class Reading(NamedTuple):
    """What it takes to look at columns.

    Attributes:
        chain: the slots to refresh before, inputs first.
        markets: the market columns that are read, also by what the columns are computed from.
        lanes: the intervals whose closes change them.
        time, elsewhere: whether the time, or another instrument, is read.
    """

    chain: tuple[int, ...]
    markets: tuple[int, ...]
    lanes: tuple[Interval, ...]
    time: bool
    elsewhere: bool


def reading(read: Sequence[Column], columns: Columns, own: Iterable[Interval] = ()) -> Reading:
    """Return what it takes to look at columns; closes of the intervals ``own`` change the answer in any case."""
    lanes = {interval_of(column) for column in read if not isinstance(column, Clock | Elsewhere)}
    return Reading(
        chain=tuple(dict.fromkeys(slot for column in read for slot in columns.chain(column))),
        markets=tuple(dict.fromkeys(int(found.column) for column in read for found in _markets(column))),
        lanes=tuple(sorted(lanes.union(own))),
        time=any(isinstance(column, Clock) for column in read),
        elsewhere=any(isinstance(column, Elsewhere) for column in read),
    )


def _markets(column: NumberNode) -> list[Market]:
    if isinstance(column, Market):
        return [column]
    return [found for operand in operands(column) for found in _markets(operand)]
