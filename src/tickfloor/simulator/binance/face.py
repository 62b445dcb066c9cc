"""Binance over a seeded market: what happens becomes frames of the streams that somebody listens to."""

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from tickfloor.simulator.binance.day import Day
from tickfloor.simulator.binance.intervals import length_ms
from tickfloor.simulator.binance.outlets import DiffOutlet, EventOutlet, KlineOutlet, Outlet, PartialOutlet, array
from tickfloor.simulator.binance.rest import BinanceRest
from tickfloor.simulator.binance.rules import BinanceRules
from tickfloor.simulator.binance.session import UNROUTED, BinanceSession, place_of
from tickfloor.simulator.binance.stream_names import stream_names
from tickfloor.simulator.binance.wording import Wording
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError
from tickfloor.simulator.face import Asked, Reply
from tickfloor.simulator.instrument import SimulatedInstrument
from tickfloor.simulator.ledger import ledger_of
from tickfloor.simulator.market import Market
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Stream, Streams, Subscriber

_DEPTH: Final = re.compile(r"depth(?P<levels>5|10|20)?(?:@(?P<ms>\d+)ms)?")
_ALL_QUOTES_MS: Final = 5000
_ARRAY_MS: Final = 1000
_FORGET_NS: Final = 1_000_000_000


class _Outlets:
    """One instrument's streams that are sent at once, and its words."""

    __slots__ = ("agg", "quote", "say", "trade")

    def __init__(self, each: SimulatedInstrument, streams: Streams, *, futures: bool) -> None:
        name = each.symbol.lower()
        self.trade = streams.open(f"{name}@trade")
        self.agg = streams.open(f"{name}@aggTrade")
        self.quote = streams.open(f"{name}@bookTicker")
        self.say = Wording(each, futures=futures)


class BinanceFace:
    """Binance spot or USD-M over a market of its own."""

    def __init__(self, rules: BinanceRules, settings: SimulatorSettings, conditions: Conditions, start_ns: int) -> None:
        self.rules = rules
        self.conditions = conditions
        self.venue = rules.venue
        self.limits = rules.limits
        self.weight_per_minute = rules.weight_per_minute
        self.streams = Streams()
        self.market = Market(
            rules.symbols[: settings.instruments], seed=f"{settings.seed}:{rules.venue}", start_ns=start_ns,
            rate=settings.rate, kept_trades=settings.kept_trades, shared_ids=rules.futures, listener=self,
        )  # fmt: skip
        self._outlets = [_Outlets(each, self.streams, futures=rules.futures) for each in self.market.instruments]
        self._periodic: dict[int, list[Outlet]] = {}
        self._by_stream: dict[str, Outlet] = {}
        self._rest = BinanceRest(self.rules, self.market, [outlets.say for outlets in self._outlets])

    # Of the market

    def on_order(
        self,
        each: SimulatedInstrument,
        time_ms: int,
        trade_id: int,
        order_id: int,
        ticks: int,
        fills: list[int],
        bought: bool,
    ) -> None:  # hot path
        """Send an order's trades, and the order."""
        outlets = self._outlets[each.number]
        if outlets.trade.heard:
            for number, lots in enumerate(fills, trade_id):
                outlets.trade.publish(outlets.say.trade(time_ms, number, ticks, lots, bought=bought))
        if outlets.agg.heard:
            last_id = trade_id + len(fills) - 1
            outlets.agg.publish(
                outlets.say.order(time_ms, order_id, ticks, sum(fills), trade_id, last_id, bought=bought)
            )

    def on_quote(self, each: SimulatedInstrument, time_ms: int) -> None:  # hot path
        """Send the best prices."""
        outlets = self._outlets[each.number]
        if outlets.quote.heard:
            outlets.quote.publish(outlets.say.quote(time_ms))

    def on_grid(self, grid_ns: int) -> None:
        """Send what is due."""
        time_ms = self.market.stamp_ms()
        for period_ns, outlets in self._periodic.items():
            if grid_ns % period_ns == 0:
                for outlet in outlets:
                    if outlet.stream.heard:
                        outlet.send(time_ms)
        if grid_ns % _FORGET_NS == 0:
            self._forget()

    def settle(self) -> None:
        """Send the book changes and bars that the next interval would send, and what is held back."""
        for outlets in self._periodic.values():
            for outlet in outlets:
                if outlet.stream.heard and isinstance(outlet, DiffOutlet | PartialOutlet | KlineOutlet):
                    outlet.send(self.market.stamp_ms())
        self.streams.settle()

    # Of clients

    def session(self, path: str, connection: Subscriber) -> BinanceSession | None:
        """Return a session for one of Binance's paths."""
        place = place_of(self.rules, path)
        return None if place is None else BinanceSession(self, connection, place)

    def subscribe(self, name: str, route: str | None) -> Stream | None:
        """Return a stream; None for a name that there is not, or on a route where it is not delivered."""
        if route is not None and (route == UNROUTED or route != self.rules.route_of(name)):
            return None
        at_once = name.endswith(("@trade", "@aggTrade", "@bookTicker"))
        if at_once:
            # The trades of futures are silent: only aggregated ones are sent.
            return None if self.rules.futures and name.endswith("@trade") else self.streams.get(name)
        outlet = self._by_stream.get(name) or self._new_outlet(name)
        if outlet is None:
            return None
        if not outlet.stream.heard:
            outlet.begin()
        return outlet.stream

    def stream_names(self) -> Collection[str]:
        """Return the names of all streams that can bring frames."""
        return stream_names(self.rules, [each.symbol for each in self.market.instruments])

    def stamp_ms(self) -> int:
        """Return the venue's time, ms UTC."""
        return self.market.stamp_ms()

    def serves(self, path: str) -> bool:
        """Say whether a REST path is one of this market's."""
        return path.startswith(self.rules.rest)

    def rest(self, asked: Asked) -> Reply:
        """Answer a REST request."""
        return self._rest.answer(asked)

    def too_many(self, *, banned: bool) -> bytes:
        """Return Binance's words for it."""
        return too_many(banned=banned)

    def weight_header(self, used: int) -> tuple[str, str]:
        """Return ``X-MBX-USED-WEIGHT-1M``."""
        return "X-MBX-USED-WEIGHT-1M", str(used)

    # Of those who watch and disturb

    def ledger(self, symbol: str | None) -> dict[str, Any]:
        """Return what happened, by symbol."""
        return ledger_of(self.market, self.streams, symbol)

    def skew(self, skew_ns: int) -> None:
        """Set how far the venue's clock is ahead."""
        self.market.skew_ns = skew_ns

    def burst(self, events: int) -> None:
        """Let so many orders and quotes happen at once."""
        self.market.burst(events)

    def reset_sequence(self, symbol: str, *, trades: bool) -> None:
        """Number a symbol's book anew, and its trades if asked."""
        each = self.market.by_symbol.get(symbol)
        if each is None:
            raise HostilityError(f"{self.venue} has no symbol {symbol!r}")
        # An event must not reach over the break: what came before it is sent first.
        self.settle()
        self.market.renumber(each, trades=trades)

    def _forget(self) -> None:
        """Let books forget the changes that every listener has had."""
        needed = {each.number: each.book.position() for each in self.market.instruments}
        for outlets in self._periodic.values():
            for outlet in outlets:
                if isinstance(outlet, DiffOutlet) and outlet.stream.heard:
                    number = outlet.each.number
                    needed[number] = min(needed[number], outlet.position)
        for each in self.market.instruments:
            each.book.forget(needed[each.number])

    def _new_outlet(self, name: str) -> Outlet | None:
        made = self._all_market(name) if name.startswith("!") else self._of_symbol(name)
        if made is None:
            return None
        outlet, period_ms = made
        self._by_stream[name] = outlet
        self._periodic.setdefault(period_ms * 1_000_000, []).append(outlet)
        return outlet

    def _of_symbol(self, name: str) -> tuple[Outlet, int] | None:
        symbol, _, kind = name.partition("@")
        each = self.market.by_symbol.get(symbol.upper()) if symbol.islower() else None
        if each is None:
            return None
        say = self._outlets[each.number].say
        if kind in ("ticker", "miniTicker"):
            day = Day(each, say, futures=self.rules.futures)
            return EventOutlet(self.streams.open(name), day.ticker if kind == "ticker" else day.mini), (
                self.rules.ticker_ms
            )
        if kind.startswith("kline_"):
            interval = kind.removeprefix("kline_")
            length = length_ms(interval)
            if length is None:
                return None
            return KlineOutlet(self.streams.open(name), each, say, interval, length), self.rules.kline_ms
        found = _DEPTH.fullmatch(kind)
        if found is None:
            return None
        period_ms = int(found["ms"] or self.rules.depth_ms[0])
        if period_ms not in self.rules.depth_ms:
            return None
        stream = self.streams.open(name)
        if found["levels"]:
            return PartialOutlet(stream, each, say, int(found["levels"])), period_ms
        return DiffOutlet(stream, each, say), period_ms

    def _all_market(self, name: str) -> tuple[Outlet, int] | None:
        futures = self.rules.futures
        pairs = [(Day(each, outlets.say, futures=futures), outlets.say)
                 for each, outlets in zip(self.market.instruments, self._outlets, strict=True)]  # fmt: skip
        if name == "!miniTicker@arr":
            return self._array(name, [day.mini for day, _ in pairs]), _ARRAY_MS
        # Spot has retired this one; it accepts the name and says nothing.
        if name == "!ticker@arr" and futures:
            return self._array(name, [day.ticker for day, _ in pairs]), _ARRAY_MS
        if name == "!bookTicker" and futures:
            return AllQuotesOutlet(self.streams.open(name), [say for _, say in pairs]), _ALL_QUOTES_MS
        return None

    def _array(self, name: str, says: list[Callable[[int], bytes]]) -> EventOutlet:
        say = array(says)
        if not self.rules.futures:
            return EventOutlet(self.streams.open(name), say)

        def with_coin_margined(time_ms: int) -> bytes:
            # Since the merger these arrays hold coin-margined symbols too, marked st 2.
            own = self.market.instruments[0]
            foreign = says[0](time_ms).replace(own.symbol.encode(), f"{own.base}USD_PERP".encode())
            return say(time_ms)[:-1] + b"," + foreign.replace(b'"st":1', b'"st":2') + b"]"

        return EventOutlet(self.streams.open(name), with_coin_margined)


class AllQuotesOutlet:
    """Everybody's best prices, an event each."""

    def __init__(self, stream: Stream, says: list[Wording]) -> None:
        self.stream = stream
        self._says = says

    def begin(self) -> None:
        """Do nothing: it does not depend on what was sent before."""

    def send(self, time_ms: int) -> None:
        """Send all of them."""
        for say in self._says:
            self.stream.publish(say.quote(time_ms))


def too_many(*, banned: bool) -> bytes:
    """Return the body of a 429, or of a 418."""
    if banned:
        return b'{"code":-1003,"msg":"Way too much request weight used; IP banned. Please use WebSocket Streams."}'
    return b'{"code":-1003,"msg":"Too much request weight used; please use WebSocket Streams for live updates."}'
