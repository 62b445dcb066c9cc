"""Columns of one instrument as people make them who know TA-Lib: bars in lists, and a streaming handle for each column.

It gives the quantiles that the rules' thresholds are drawn from, and it is the indicator half of the TA-Lib peer.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import talib
from numpy.typing import NDArray
from talib import stream

from benchmarks.engine_market import INTERVALS, Bars, Market
from tickfloor.contracts.bars import BAR_WORDS, Bar, BarField
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD
from tickfloor.market.bars import TRADES, add_trade, bar_of_trade, start_of
from tickfloor.traders.state.resync import InstrumentView

HANDLES: Final[dict[str, Callable[..., Any]]] = {
    "sma": stream.SMA, "ema": stream.EMA, "rsi": stream.RSI, "atr": stream.ATR, "highest": stream.MAX,
    "lowest": stream.MIN, "change": stream.MOM,
}  # fmt: skip
FUNCTIONS: Final[dict[str, Callable[..., NDArray[np.float64]]]] = {
    "sma": talib.SMA, "ema": talib.EMA, "rsi": talib.RSI, "atr": talib.ATR, "highest": talib.MAX,
    "lowest": talib.MIN, "change": talib.MOM,
}  # fmt: skip
KNOWN_HOURS: Final = 12
"""Of the charts' last hours every column is known."""

EVERY_MS: Final = Interval.M5.ms
FIELDS: Final = {
    "open": int(BarField.OPEN), "high": int(BarField.HIGH), "low": int(BarField.LOW), "close": int(BarField.CLOSE),
    "volume": int(BarField.VOLUME),
}  # fmt: skip
_RANGE: Final = (FIELDS["high"], FIELDS["low"], FIELDS["close"])


class Column(NamedTuple):
    """One column of the rules.

    Attributes:
        function: of the indicator; empty for the bar field itself.
        field: that it is taken over; atr has its own, and says close.
    """

    function: str
    field: str
    period: int
    interval: Interval

    @property
    def text(self) -> str:
        """As rules write it."""
        label = self.interval.label
        if not self.function:
            return f'{self.field}("{label}")'
        over = "" if self.function == "atr" else f"{self.field}, "
        return f'{self.function}({over}{self.period}, "{label}")'

    @property
    def unit(self) -> str:
        """What it can be compared with."""
        if self.function in ("rsi", "atr", "change"):
            return f"{self.function} {self.field}"
        return "volume" if self.field == "volume" else "price"

    @property
    def inputs(self) -> tuple[int, ...]:
        """The bar's numbers that it is fed with."""
        return _RANGE if self.function == "atr" else (FIELDS[self.field],)


class Tick(NamedTuple):
    """One tape record, taken apart: what is told apart by its kind, and the numbers of a trade."""

    row: int
    kind: int
    code: int
    ts_ms: int
    price: float
    qty: float


def ticks(market: Market) -> list[Tick]:
    """Return a market's tape for those who are spared taking it apart."""
    unpacked = map(RECORD.unpack, market.records)
    return [Tick(row, kind, code, ts // 1_000_000, a, b) for _, ts, _, row, kind, code, _, a, b, _, _ in unpacked]


class FormingFour:
    """The four forming bars of an instrument; each is a list that stays the same and changes in place."""

    def __init__(self, view: InstrumentView) -> None:
        self.forming: dict[Interval, Bar] = {}
        for interval in INTERVALS:
            part = view.closed_parts.get(interval)
            self.forming[interval] = list(part) if part is not None else [0.0] * BAR_WORDS

    def trade(self, ts_ms: int, price: float, qty: float, bought: bool) -> None:
        """Add a trade to all."""
        for interval, bar in self.forming.items():
            if bar[TRADES]:
                add_trade(bar, ts_ms, price, qty, bought)
            else:
                bar[:] = bar_of_trade(start_of(interval, ts_ms), ts_ms, price, qty, bought)

    def close(self, interval: Interval) -> None:
        """Begin anew with the next trade."""
        self.forming[interval][TRADES] = 0.0


class Handles:
    """The columns of one instrument.

    Attributes:
        bars: its forming bars.
    """

    def __init__(self, view: InstrumentView, columns: Sequence[Column]) -> None:
        self.bars = FormingFour(view)
        history = {interval: np.array(closed, dtype=np.float64).T.copy() for interval, closed in view.bars.items()}
        self._peeks: list[tuple[Callable[..., float], Bar, tuple[int, ...]]] = []
        self._updates: dict[Interval, list[tuple[Callable[..., float], tuple[int, ...]]]] = {
            interval: [] for interval in INTERVALS
        }
        for column in columns:
            bar, inputs = self.bars.forming[column.interval], column.inputs
            if not column.function:
                self._peeks.append((float, bar, inputs))
                continue
            of_inputs = (history[column.interval][each] for each in inputs)
            handle = HANDLES[column.function](*of_inputs, column.period)
            self._peeks.append((handle.peek, bar, inputs))
            self._updates[column.interval].append((handle.update, inputs))

    def values(self) -> list[float]:
        """Return every column with the bars as they are now."""
        return [
            peek(bar[inputs[0]]) if len(inputs) == 1 else peek(bar[inputs[0]], bar[inputs[1]], bar[inputs[2]])
            for peek, bar, inputs in self._peeks
        ]

    def close(self, interval: Interval) -> None:
        """Close a bar."""
        bar = self.bars.forming[interval]
        for update, inputs in self._updates[interval]:
            update(*(bar[each] for each in inputs))
        self.bars.close(interval)


def charted(market: Market, columns: Sequence[Column]) -> NDArray[np.float64]:
    """Return the columns as the charts show them every few minutes, once all are known: a row for each column."""
    return np.hstack([_charted(bars, columns) for bars in market.charts])


def _charted(bars: Bars, columns: Sequence[Column]) -> NDArray[np.float64]:
    closed = {interval: np.array(bars[interval], dtype=np.float64).T.copy() for interval in INTERVALS}
    ends = {interval: numbers[BarField.START_MS] + interval.ms for interval, numbers in closed.items()}
    hours = ends[Interval.H1]
    times = np.arange(hours[-KNOWN_HOURS], hours[-1], EVERY_MS)
    rows = []
    for column in columns:
        numbers = closed[column.interval]
        inputs = [numbers[each] for each in column.inputs]
        values = FUNCTIONS[column.function](*inputs, column.period) if column.function else inputs[0]
        rows.append(values[np.searchsorted(ends[column.interval], times, side="right") - 1])
    return np.array(rows)
