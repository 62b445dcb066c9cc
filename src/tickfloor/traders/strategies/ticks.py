"""What a strategy is given: trades, quotes, closed bars and the signals of its own rules."""

import msgspec

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Side


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A trade.

    Attributes:
        instrument: ``venue:symbol``.
        ts_event: venue time, ns UTC; trades do not always come in its order.
        side: the taker's.
    """

    instrument: str
    ts_event: int
    price: float
    qty: float
    side: Side


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best prices and the quantities at them; NaN where the venue says nothing usable.

    Attributes:
        instrument: ``venue:symbol``.
        ts_event: venue time, ns UTC.
    """

    instrument: str
    ts_event: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


Tick = Trade | Quote


class ClosedBar(msgspec.Struct, frozen=True, gc=False):
    """A bar that has just closed.

    Attributes:
        instrument: ``venue:symbol``.
        ts_event: the bar's end, ns UTC.
        quote_volume: sum of quantity times price.
        buy_volume: volume whose taker bought.
        trades: how many.
    """

    instrument: str
    ts_event: int
    interval: Interval
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    buy_volume: float
    trades: int

    @classmethod
    def of(cls, instrument: str, ts_event: int, interval: Interval, bar: Bar) -> "ClosedBar":
        """Return a bar's numbers as it is given."""
        _, opened, high, low, close, volume, quote_volume, buy_volume, trades, _, _ = bar
        return cls(
            instrument=instrument,
            ts_event=ts_event,
            interval=interval,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=quote_volume,
            buy_volume=buy_volume,
            trades=int(trades),
        )

    @property
    def ts_start(self) -> int:
        """The bar's start, ns UTC."""
        return self.ts_event - self.interval.ns


class RuleSignal(msgspec.Struct, frozen=True):
    """A rule of the strategy has turned true for an instrument.

    Attributes:
        rule: its name.
        instrument: ``venue:symbol``.
        ts_event: venue time of the record that decided it, ns UTC.
        values: the rule's columns at that moment, by their texts; None where unknown.
    """

    rule: str
    instrument: str
    ts_event: int
    values: dict[str, float | None]
