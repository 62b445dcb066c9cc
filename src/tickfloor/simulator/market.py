"""A seeded market: orders and quotes of many instruments in market time.

Prices follow correlated random walks on the tick grid: a common factor, one of their own, and now and then a burst
of volatility with a drift, so that rules fire. Everything follows from the seed, the start and the settings.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final, Protocol

from tickfloor.simulator.instrument import NS, SimulatedInstrument, new_instrument
from tickfloor.simulator.symbols import Symbol

GRID_NS: Final = 50_000_000
"""What is sent at intervals is due at multiples of this."""
ORDER_SHARE: Final = 0.45
OWN_MOVE: Final = 0.0010
COMMON_MOVE: Final = 0.0005
"""Standard deviation of a minute's relative price change, an instrument's own and everybody's."""
BURST_MOVE: Final = 0.008
BURST_SECONDS: Final = 20.0
BURST_EVERY_SECONDS: Final = 600.0
"""A burst of volatility: its relative drift, its length and the mean time between two of one instrument."""
_FILLS: Final = (1, 1, 1, 2, 1, 3)


class MarketListener(Protocol):
    """Who sends what happens."""

    def on_order(
        self,
        each: SimulatedInstrument,
        time_ms: int,
        trade_id: int,
        order_id: int,
        ticks: int,
        fills: list[int],
        bought: bool,
        /,
    ) -> None:
        """Take in an order: its trades have consecutive ids from ``trade_id`` on."""

    def on_quote(self, each: SimulatedInstrument, time_ms: int, /) -> None:
        """Take in that the best prices or their sizes are others."""

    def on_grid(self, grid_ns: int, /) -> None:
        """Send what is due at this market time, a multiple of 50 ms."""


class Market:
    """An endless market.

    Attributes:
        now_ns: market time up to which everything has happened, ns UTC.
        skew_ns: what its clock is ahead of the true time; stamped on everything.
        events: orders and quotes so far.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        *,
        seed: str,
        start_ns: int,
        rate: float,
        kept_trades: int,
        shared_ids: bool,
        listener: MarketListener,
    ) -> None:
        """Choose the market.

        Args:
            rate: orders and quotes a second, over all instruments.
            shared_ids: all books share one numbering, as on futures.
        """
        self._random = Random(seed)  # noqa: S311 - a market, not a secret
        self._listener = listener
        self._shared_ids = shared_ids
        self._sequence = self._random.randrange(10**8, 10**10)
        # Few instruments make most of the trades, as on a real venue.
        weights = [1.0 / (rank + 4.0) for rank in range(len(symbols))]
        self._cumulative = list(accumulate(weights))
        self.instruments = [
            new_instrument(
                self._random, number, symbol, rate=rate * weight / self._cumulative[-1], start_ns=start_ns,
                kept_trades=max(100, int(kept_trades * weight / self._cumulative[-1])),
                update_id=self._sequence if shared_ids else self._random.randrange(10**8, 10**10),
            )
            for number, (symbol, weight) in enumerate(zip(symbols, weights, strict=True))
        ]  # fmt: skip
        self.by_symbol = {each.symbol: each for each in self.instruments}
        self._mean_gap_ns = NS / rate
        self._common = 0.0
        self._common_step = 2.0 * COMMON_MOVE / math.sqrt(60.0 * rate)
        self._chosen: list[SimulatedInstrument] = []
        self._due_ns = start_ns + self._gap()
        self._grid_ns = start_ns - start_ns % GRID_NS + GRID_NS
        self.now_ns = start_ns
        self.skew_ns = 0
        self.events = 0

    def advance(self, to_ns: int) -> None:  # hot path
        """Let everything happen that is due by a market time."""
        while True:
            due_ns = self._due_ns
            until_ns = due_ns if due_ns < to_ns else to_ns
            while self._grid_ns <= until_ns:
                self.now_ns = self._grid_ns
                self._listener.on_grid(self._grid_ns)
                self._grid_ns += GRID_NS
            if due_ns > to_ns:
                break
            self.now_ns = due_ns
            self._happen()
            self._due_ns = due_ns + self._gap()
        self.now_ns = max(self.now_ns, to_ns)

    def burst(self, events: int) -> None:
        """Let so many orders and quotes happen at this very moment."""
        for _ in range(events):
            self._happen()

    def stamp_ms(self) -> int:
        """Return what the market's clock shows, ms UTC."""
        return (self.now_ns + self.skew_ns) // 1_000_000

    def renumber(self, each: SimulatedInstrument, *, trades: bool) -> None:
        """Let a book's ids begin anew far below, and those of its trades if asked."""
        each.book.update_id = self._random.randrange(10**3, 10**6)
        if self._shared_ids:
            self._sequence = each.book.update_id
        if trades:
            each.log.restart(1, 1)

    def _gap(self) -> int:
        return int(-math.log(1.0 - self._random.random()) * self._mean_gap_ns)

    def _happen(self) -> None:
        random = self._random
        if not self._chosen:
            self._chosen = random.choices(self.instruments, cum_weights=self._cumulative, k=64)
        each = self._chosen.pop()
        uniform = random.random
        # Three uniform numbers are near enough to a normal one, and much cheaper.
        self._common += (uniform() + uniform() + uniform() - 1.5) * self._common_step
        _step(each, uniform(), 2.0 * (uniform() + uniform() + uniform()) - 3.0, self._common)
        self.events += 1
        book = each.book
        if self._shared_ids:
            # The other symbols of the venue take ids too.
            self._sequence = update_id = self._sequence + 1 + int(uniform() * 8)
        else:
            update_id = book.update_id + 1
        time_ms = (self.now_ns + self.skew_ns) // 1_000_000
        if uniform() < ORDER_SHARE:
            self._order(each, time_ms, update_id, uniform(), 2.0 * (uniform() + uniform() + uniform()) - 3.0)
        else:
            bid = round(each.mid)
            book.requote(bid, bid + each.spread, update_id)
        self._listener.on_quote(each, time_ms)

    def _order(self, each: SimulatedInstrument, time_ms: int, update_id: int, chance: float, size: float) -> None:
        # In a burst the takers are on its side.
        bought = chance < (0.5 if not each.burst else 0.8 if each.drift > 0 else 0.2)
        lots = max(1, int(each.usual_lots * math.exp(1.2 * size)))
        fills = [lots] * _FILLS[int(chance * 1000) % len(_FILLS)]
        log = each.log
        trade_id, order_id = log.next_trade, log.next_order
        total = lots * len(fills)
        ticks = each.book.take(total, update_id, bought=bought)
        log.add(time_ms, ticks, fills, bought=bought)
        each.tally.add(time_ms, trade_id, order_id, ticks, len(fills), total, bought=bought)
        self._listener.on_order(each, time_ms, trade_id, order_id, ticks, fills, bought)


def _step(each: SimulatedInstrument, chance: float, shock: float, common: float) -> None:  # hot path
    """Move the mid price: its own shock, and its share of what everybody's price did since its last step."""
    rate = each.steps_per_second
    move = shock * OWN_MOVE / math.sqrt(60.0 * rate) + each.sensitivity * (common - each.common)
    each.common = common
    if each.burst:
        each.burst -= 1
        move = 3.0 * move + each.drift
    elif chance * BURST_EVERY_SECONDS * rate < 1.0:
        each.burst = max(3, int(BURST_SECONDS * rate))
        each.drift = math.copysign(BURST_MOVE / each.burst, shock)
    each.mid = max(1.0, each.mid * (1.0 + move))
