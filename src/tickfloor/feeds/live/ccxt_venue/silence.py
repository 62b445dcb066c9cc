"""Finds streams that the exchange has accepted and says nothing on.

Quotes and books of a group that all stand still for a minute are dead. Trades may be that rare: so the exchange is
asked by REST for an instrument's newest trade, and what the stream does not bring within seconds is evidence. One
question in five seconds is all that it costs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from tickfloor.contracts.feeds import ConnectionState
from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, in_words
from tickfloor.feeds.live.ccxt_venue.watch import Watch
from tickfloor.feeds.venue import Channel, StreamKey

NS: Final = 1_000_000_000
_UP: Final = (ConnectionState.OPEN, ConnectionState.CONNECTING)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    look: seconds between two looks.
    prices: seconds of silence of quotes or books; statistics: of tickers.
    trades: seconds without a trade, after which the exchange is asked whether there was one.
    late: seconds that a stream may be slower than REST.
    most: seconds; what stays silent after its connection was dropped is given twice as long each time.
    """

    look: float = 5.0
    prices: float = 60.0
    statistics: float = 300.0
    trades: float = 60.0
    late: float = 5.0
    most: float = 3600.0

    def scaled(self, times: float) -> "Patience":
        """Return it so many times as patient; it is never longer between two looks."""
        return Patience(
            look=self.look * min(1.0, times),
            prices=self.prices * times,
            statistics=self.statistics * times,
            trades=self.trades * times,
            late=self.late * times,
            most=self.most,
        )


class Silence:
    """Looks after the groups of a venue."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        watches: Callable[[], Iterable[Watch]],
        heard: dict[StreamKey, int],
        newest_trade_ns: Callable[[str], int],
        drop: Callable[[str], Awaitable[None]],
        now: Callable[[], int],
        log: LogPort,
        patience: Patience,
    ) -> None:
        """Begin.

        Args:
            heard: receive time of each stream's newest item, ns UTC.
            newest_trade_ns: returns the venue time of an instrument's newest trade, ns UTC; 0 before the first.
            drop: called with the reason when connections have to be made anew.
        """
        self._exchange = exchange
        self._watches = watches
        self._heard = heard
        self._newest_trade_ns = newest_trade_ns
        self._drop = drop
        self._now = now
        self._log = log
        self._patience = patience
        self._asked: dict[str, int] = {}
        self._longer: dict[str | StreamKey, float] = {}

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await asyncio.sleep(self._patience.look)
            reason = self._silent_group() or await self._silent_trades()
            if reason:
                await self._drop(reason)

    def _silent_group(self) -> str:
        """Return which group is dead, in words; empty if none is."""
        now = self._now()
        for watch in self._watches():
            name = watch.group.name
            if watch.heard_ns > watch.asked_ns:
                self._longer.pop(name, None)
            usual = self._usual(watch)
            if not usual or watch.state not in _UP:
                continue
            seconds = self._seconds(name, usual)
            if now - max(watch.asked_ns, watch.heard_ns) > seconds * NS:
                self._wait_longer(name)
                return f"{name} said nothing for {seconds:.0f} s"
        return ""

    def _usual(self, watch: Watch) -> float:
        """Return the seconds after which a group's silence means something; 0: never."""
        channels = watch.group.channels
        if Channel.QUOTES in channels or Channel.BOOK in channels:
            return self._patience.prices
        return self._patience.statistics if Channel.TICKERS in channels else 0.0

    async def _silent_trades(self) -> str:
        """Ask about the instrument that has not traded for longest, and return whether its stream is dead, in words."""
        found = self._quietest()
        if found is None:
            return ""
        watch, symbol = found
        self._asked[symbol] = self._now()
        try:
            trades = await self._exchange.fetch_trades(symbol)
        except Exception as error:  # noqa: BLE001 - ccxt raises whatever an exchange's answer leads it to
            self._log.debug("no answer about trades", symbol=symbol, reason=in_words(error))
            return ""
        times_ms = [trade.get("timestamp") for trade in trades]
        newest_ns = max((each * 1_000_000 for each in times_ms if isinstance(each, int)), default=0)
        late_ns = round(self._patience.late * NS)
        await asyncio.sleep(self._patience.late)
        # What was made before it was asked for, or while it was, is no evidence.
        if watch.state not in _UP or newest_ns <= watch.asked_ns + late_ns:
            return ""
        if newest_ns <= self._newest_trade_ns(symbol):
            return ""
        self._wait_longer(StreamKey(Channel.TRADES, symbol))
        return f"{watch.group.name} has not said a trade of {symbol} that was made"

    def _quietest(self) -> tuple[Watch, str] | None:
        if not self._exchange.has.get("fetchTrades"):
            return None
        longest, found = 0.0, None
        now = self._now()
        for watch in self._watches():
            if Channel.TRADES not in watch.group.channels or watch.state not in _UP:
                continue
            for symbol in watch.group.symbols:
                key = StreamKey(Channel.TRADES, symbol)
                heard = self._heard.get(key, 0)
                if heard > watch.asked_ns:
                    self._longer.pop(key, None)
                quiet = (now - max(heard, watch.asked_ns, self._asked.get(symbol, 0))) / NS
                if quiet > longest and quiet > self._seconds(key, self._patience.trades):
                    longest, found = quiet, (watch, symbol)
        return found

    def _seconds(self, what: str | StreamKey, usual: float) -> float:
        return min(self._patience.most, usual * self._longer.get(what, 1.0))

    def _wait_longer(self, what: str | StreamKey) -> None:
        self._longer[what] = 2.0 * self._longer.get(what, 1.0)
