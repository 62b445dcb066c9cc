"""Exact figures of a replay, from the wire's own digits, for the report."""

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Any, Final

from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.instruments import Instrument
from tickfloor.feeds.publishing.decimals import decimal_of, plain
from tickfloor.market.book import Level

EXACT: Final = Context(prec=100)
BOOK_LEVELS: Final = 10


class InstrumentFigures:
    """One instrument's exact trade figures and its minute bars."""

    __slots__ = ("bars", "count", "first", "first_id", "last", "last_id", "maximum", "minimum", "notional", "qty")

    def __init__(self) -> None:
        self.count = 0
        self.qty = Decimal(0)
        self.notional = Decimal(0)
        self.first: Decimal | None = None
        self.first_id = 0
        self.last: Decimal | None = None
        self.last_id = 0
        self.minimum: Decimal | None = None
        self.maximum: Decimal | None = None
        self.bars: dict[int, Bar] = {}


class Audit:
    """Collects exact figures of every instrument of a replay; also a ``BarObserver``."""

    def __init__(self) -> None:
        self._figures: dict[Instrument, InstrumentFigures] = {}

    def trade(self, instrument: Instrument, price_text: str, qty_text: str, trade_id: int) -> None:
        """Take in a new trade as it was written; the first and the last are so by id, in whatever order they come."""
        figures = self._figures.get(instrument)
        if figures is None:
            figures = self._figures[instrument] = InstrumentFigures()
        price, qty = Decimal(price_text), Decimal(qty_text)
        figures.count += 1
        figures.qty = EXACT.add(figures.qty, qty)
        figures.notional = EXACT.fma(price, qty, figures.notional)
        if figures.minimum is None or figures.maximum is None:
            figures.minimum = figures.maximum = price
        elif price < figures.minimum:
            figures.minimum = price
        elif price > figures.maximum:
            figures.maximum = price
        if figures.first is None or trade_id < figures.first_id:
            figures.first, figures.first_id = price, trade_id
        if figures.last is None or trade_id >= figures.last_id:
            figures.last, figures.last_id = price, trade_id

    def minute_bar(self, instrument: Instrument, bar: Bar) -> None:
        """Take in a minute bar that closed or was revised."""
        figures = self._figures.get(instrument)
        if figures is None:
            figures = self._figures[instrument] = InstrumentFigures()
        figures.bars[int(bar[BarField.START_MS])] = list(bar)

    def report(
        self,
        instrument: Instrument,
        *,
        forming: Bar | None,
        id_gaps: int,
        bids: Iterable[Level],
        asks: Iterable[Level],
        sequence_gaps: int,
    ) -> dict[str, Any]:
        """Return one instrument's part of the replay report.

        Args:
            forming: the minute bar that is still forming, or None.
            bids, asks: the best levels, best first; the first ten are reported.
        """
        figures = self._figures.get(instrument) or InstrumentFigures()
        bars = dict(figures.bars)
        if forming is not None:
            bars[int(forming[BarField.START_MS])] = forming
        # The finest quantity seen decides how far a sum of floats is meant.
        exponent = figures.qty.as_tuple().exponent
        decimals = max(0, -int(exponent))
        return {
            "trades": figures.count,
            "qty": plain(figures.qty),
            "notional": plain(figures.notional),
            "first": _text(figures.first),
            "last": _text(figures.last),
            "min": _text(figures.minimum),
            "max": _text(figures.maximum),
            "id_gaps": id_gaps,
            "bars_1m": [_bar(bars[start], decimals) for start in sorted(bars)],
            "book": {"bids": _levels(bids), "asks": _levels(asks), "sequence_gaps": sequence_gaps},
        }


def _bar(bar: Bar, decimals: int) -> dict[str, float]:
    return {
        "start_ms": int(bar[BarField.START_MS]),
        "open": bar[BarField.OPEN],
        "high": bar[BarField.HIGH],
        "low": bar[BarField.LOW],
        "close": bar[BarField.CLOSE],
        "volume": round(bar[BarField.VOLUME], decimals),
        "trades": int(bar[BarField.TRADES]),
    }


def _levels(levels: Iterable[Level]) -> list[list[str]]:
    best = list(levels)[:BOOK_LEVELS]
    return [[plain(decimal_of(price)), plain(decimal_of(size))] for price, size in best]


def _text(number: Decimal | None) -> str:
    return "" if number is None else plain(number)
