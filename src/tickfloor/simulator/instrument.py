"""One simulated instrument: how it moves, its book, its trades."""

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from tickfloor.simulator.book import SimulatedBook
from tickfloor.simulator.symbols import Symbol
from tickfloor.simulator.tally import Tally
from tickfloor.simulator.trade_log import TradeLog

NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS
VOLUME_BEFORE: Final = 4e8
"""Worth in USDT of what was traded in the day before; the instrument at place n has an (n + 4)th of it."""


@dataclass(slots=True)
class DayBefore:
    """What its 24 h statistics began with; prices in ticks, quantities in lots."""

    open_ticks: int
    open_ns: int
    high: int
    low: int
    lots: int
    notional: int
    trades: int


@dataclass(slots=True)
class SimulatedInstrument:
    """Prices count ticks, quantities lots; ``number`` is its place in the market.

    Attributes:
        mid: between bid and ask, not rounded.
        sensitivity: how far it follows the price move that all have in common.
        common: that move, as of its last step.
        burst, drift: steps left of a burst of volatility, and what each of them adds.
    """

    number: int
    symbol: str
    base: str
    quote: str
    price_decimals: int
    qty_decimals: int
    spread: int
    usual_lots: float
    mid: float
    sensitivity: float
    steps_per_second: float
    day: DayBefore
    book: SimulatedBook
    log: TradeLog
    tally: Tally
    burst: int = 0
    drift: float = 0.0
    common: float = 0.0

    @property
    def price_scale(self) -> float:
        """Ticks in one unit of the quote currency."""
        return float(10**self.price_decimals)

    @property
    def qty_scale(self) -> float:
        """Lots in one unit of the base."""
        return float(10**self.qty_decimals)


def new_instrument(
    random: Random, number: int, symbol: Symbol, *, rate: float, start_ns: int, kept_trades: int, update_id: int
) -> SimulatedInstrument:
    """Make an instrument; everything random about it follows from ``random``.

    Args:
        rate: its orders and quotes a second.
        update_id: first one of its book.
    """
    # Six significant digits of price, and lots worth about a dollar, within the wire's eight decimals.
    price_decimals = min(8, max(2, 5 - math.floor(math.log10(symbol.price))))
    qty_decimals = min(6, max(0, math.ceil(math.log10(symbol.worth))))
    ticks = symbol.price * 10**price_decimals
    spread = max(1, round(ticks * 1.5e-5))
    usual_lots = max(1.0, 250.0 / symbol.worth * 10**qty_decimals)
    bid = round(ticks)
    open_ticks = round(ticks * (1.0 + random.gauss(0.0, 0.02)))
    trades = random.randrange(20_000, 400_000)
    # Whoever asks for the most traded gets what comes first.
    lots = round(VOLUME_BEFORE / (number + 4.0) / symbol.worth * 10**qty_decimals) + 1
    day = DayBefore(
        open_ticks=open_ticks,
        open_ns=start_ns - DAY_NS,
        high=max(bid, open_ticks) * 101 // 100,
        low=min(bid, open_ticks) * 99 // 100,
        lots=lots,
        notional=lots * bid,
        trades=trades,
    )
    book = SimulatedBook(bid, bid + spread, lots=usual_lots, update_id=update_id, uniform=random.random)
    return SimulatedInstrument(
        number=number, symbol=symbol.base + symbol.quote, base=symbol.base, quote=symbol.quote,
        price_decimals=price_decimals, qty_decimals=qty_decimals, spread=spread, usual_lots=usual_lots, mid=ticks,
        sensitivity=random.uniform(0.4, 1.6), steps_per_second=rate, day=day, book=book,
        log=TradeLog(random.randrange(10**6, 10**9), random.randrange(10**5, 10**8), kept_trades), tally=Tally(),
    )  # fmt: skip
