"""Binance's REST market data over a seeded market (``wire-facts.md`` §2.5, §3.3)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from tickfloor.simulator.binance.day import Day
from tickfloor.simulator.binance.exchange_info import exchange_info
from tickfloor.simulator.binance.intervals import length_ms
from tickfloor.simulator.binance.outlets import bar_of
from tickfloor.simulator.binance.query import Query, RequestError
from tickfloor.simulator.binance.rules import BinanceRules, weight_for
from tickfloor.simulator.binance.wording import Wording
from tickfloor.simulator.face import Asked, Reply
from tickfloor.simulator.instrument import SimulatedInstrument
from tickfloor.simulator.market import Market

MOST_ROWS = 1000
HOUR_MS = 3_600_000


class BinanceRest:
    """Answers from the market as it is at the moment."""

    def __init__(self, rules: BinanceRules, market: Market, says: Sequence[Wording]) -> None:
        self._rules = rules
        self._market = market
        self._says = says
        self._answers: Mapping[str, Callable[[Query], bytes]] = {
            "ping": lambda _: b"{}",
            "time": lambda _: b'{"serverTime":%d}' % market.stamp_ms(),
            "exchangeInfo": self._exchange_info,
            "depth": self._depth,
            "trades": self._trades,
            "historicalTrades": self._historical_trades,
            "aggTrades": self._orders,
            "klines": self._klines,
            "ticker/24hr": self._days,
            "ticker/bookTicker": self._quotes,
        }

    def answer(self, asked: Asked) -> Reply:
        """Answer a request under this market's prefix."""
        name = asked.path.removeprefix(self._rules.rest)
        say = self._answers.get(name)
        if say is None:
            return Reply(404, b'{"code":-5000,"msg":"Path %b, Method GET is invalid"}' % asked.path.encode())
        query = Query(asked.query, asked.headers)
        try:
            return Reply(200, say(query), self._weight(name, query), snapshot=name == "depth")
        except RequestError as error:
            return Reply(error.status, error.body, self._weight(name, query))

    def _weight(self, name: str, query: Query) -> int:
        if name == "depth":
            return weight_for(query.rough_limit(self._rules.depth_default), self._rules.depth_weights)
        if name == "klines":
            return weight_for(query.rough_limit(500), self._rules.kline_weights)
        one, all_of_them = self._rules.weights[name]
        return one if query.has("symbol") else all_of_them

    def _each(self, query: Query) -> tuple[SimulatedInstrument, Wording]:
        each = self._market.by_symbol.get(query.text("symbol"))
        if each is None:
            raise RequestError(-1121, "Invalid symbol.")
        return each, self._says[each.number]

    def _exchange_info(self, query: Query) -> bytes:
        if query.has("symbol"):
            return exchange_info(self._rules, [self._each(query)[0]], self._market.stamp_ms())
        return exchange_info(self._rules, self._market.instruments, self._market.stamp_ms())

    def _depth(self, query: Query) -> bytes:
        _, say = self._each(query)
        limit = query.limit(self._rules.depth_default, 5000)
        if self._rules.depth_limits is not None and limit not in self._rules.depth_limits:
            raise RequestError(-4021, f"'{limit}' is not valid depth limit.")
        return say.snapshot(self._market.stamp_ms(), limit)

    def _trades(self, query: Query) -> bytes:
        each, say = self._each(query)
        return _rows(say.trade_row(trade) for trade in each.log.newest(query.limit(500, MOST_ROWS)))

    def _historical_trades(self, query: Query) -> bytes:
        if self._rules.futures and not query.api_key:
            raise RequestError(-2014, "API-key format invalid.", status=401)
        each, say = self._each(query)
        limit = query.limit(500, MOST_ROWS)
        first_id = query.number("fromId")
        found = each.log.newest(limit) if first_id is None else each.log.trades(first_id, limit)
        return _rows(say.trade_row(trade) for trade in found)

    def _orders(self, query: Query) -> bytes:
        each, say = self._each(query)
        limit = query.limit(500, MOST_ROWS)
        first_id, start, end = query.number("fromId"), query.number("startTime"), query.number("endTime")
        if first_id is not None:
            if start is not None or end is not None:
                raise RequestError(-1128, "Combination of optional parameters invalid.")
            return _rows(say.order_row(order) for order in each.log.orders(first_id, limit))
        if start is None and end is None:
            return _rows(say.order_row(order) for order in each.log.newest_orders(limit))
        if start is not None and end is not None and self._rules.futures and end - start > HOUR_MS:
            raise RequestError(-1127, "More than 1 hours between startTime and endTime.")
        rows = limit if start is not None else -limit
        found = each.log.orders_between(start or 0, 1 << 62 if end is None else end, rows)
        return _rows(say.order_row(order) for order in found)

    def _klines(self, query: Query) -> bytes:
        each, say = self._each(query)
        length = length_ms(query.text("interval"))
        if length is None:
            raise RequestError(-1120, "Invalid interval.")
        limit = query.limit(500, 1500 if self._rules.futures else MOST_ROWS)
        start, end = query.number("startTime"), query.number("endTime")
        minutes = each.tally.minutes
        if not minutes:
            return b"[]"
        # There is no bar before the market began, and none after now.
        now_ms = self._market.stamp_ms()
        earliest = min(minutes)
        earliest -= earliest % length
        newest = min(now_ms, now_ms if end is None else end)
        newest -= newest % length
        oldest = max(earliest, earliest if start is None else -(-start // length) * length)
        starts = range(oldest, newest + 1, length)
        chosen = starts[-limit:] if start is None else starts[:limit]
        return _rows(say.kline_row(length, bar_of(each, at, length)) for at in chosen)

    def _days(self, query: Query) -> bytes:
        time_ms = self._market.stamp_ms()
        if query.has("symbol"):
            each, say = self._each(query)
            return Day(each, say, futures=self._rules.futures).row(time_ms)
        return _rows(
            Day(each, say, futures=self._rules.futures).row(time_ms)
            for each, say in zip(self._market.instruments, self._says, strict=True)
        )

    def _quotes(self, query: Query) -> bytes:
        time_ms = self._market.stamp_ms()
        if query.has("symbol"):
            _, say = self._each(query)
            return say.quote_row(time_ms)
        return _rows(say.quote_row(time_ms) for say in self._says)


def _rows(rows: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"
