"""The 24 h statistics of one instrument, in Binance's words."""

from tickfloor.simulator.binance.wording import Wording
from tickfloor.simulator.instrument import DAY_NS, SimulatedInstrument


class Day:
    """What the instrument began with, and what it has traded since."""

    def __init__(self, each: SimulatedInstrument, wording: Wording, *, futures: bool) -> None:
        self._each = each
        self._say = wording
        self._futures = futures

    def ticker(self, time_ms: int) -> bytes:
        """Return a ``24hrTicker`` event."""
        each, say, book = self._each, self._say, self._each.book
        last, change, percent, mean = self._prices()
        sides = b"" if self._futures else b'"x":"%b","b":"%b","B":"%b","a":"%b","A":"%b",' % (
            say.price(each.day.open_ticks), say.price(book.bids[-1]), say.qty(book.bid_lots[book.bids[-1]]),
            say.price(book.asks[-1]), say.qty(book.ask_lots[book.asks[-1]]),
        )  # fmt: skip
        mark = b',"ps":"%b","st":1' % each.symbol.encode() if self._futures else b""
        return (
            b'{"e":"24hrTicker","E":%d,"s":"%b","p":"%b","P":"%.3f","w":"%b",%b"c":"%b","Q":"%b",%b,"O":%d,"C":%d,'
            b'"F":%d,"L":%d,"n":%d%b}'
        ) % (
            time_ms, each.symbol.encode(), say.price(change), percent, say.price(mean), sides, say.price(last),
            say.qty(each.tally.last_lots), self._figures(), each.day.open_ns // 1_000_000, time_ms, self._first_id(),
            each.log.next_trade - 1, self._trades(), mark,
        )  # fmt: skip

    def mini(self, time_ms: int) -> bytes:
        """Return a ``24hrMiniTicker`` event."""
        mark = b',"ps":"%b","st":1' % self._each.symbol.encode() if self._futures else b""
        return b'{"e":"24hrMiniTicker","E":%d,"s":"%b","c":"%b",%b%b}' % (
            time_ms, self._each.symbol.encode(), self._say.price(self._prices()[0]), self._figures(), mark,
        )  # fmt: skip

    def row(self, time_ms: int) -> bytes:
        """Return a row of a REST ``ticker/24hr`` answer."""
        each, say, book = self._each, self._say, self._each.book
        last, change, percent, mean = self._prices()
        lots, notional = self._volumes()
        sides = b"" if self._futures else (
            b'"prevClosePrice":"%b","bidPrice":"%b","bidQty":"%b","askPrice":"%b","askQty":"%b",'
        ) % (
            say.price(each.day.open_ticks), say.price(book.bids[-1]), say.qty(book.bid_lots[book.bids[-1]]),
            say.price(book.asks[-1]), say.qty(book.ask_lots[book.asks[-1]]),
        )  # fmt: skip
        high, low = self._extremes()
        return (
            b'{"symbol":"%b","priceChange":"%b","priceChangePercent":"%.3f","weightedAvgPrice":"%b",%b'
            b'"lastPrice":"%b","lastQty":"%b","openPrice":"%b","highPrice":"%b","lowPrice":"%b","volume":"%b",'
            b'"quoteVolume":"%b","openTime":%d,"closeTime":%d,"firstId":%d,"lastId":%d,"count":%d}'
        ) % (
            each.symbol.encode(), say.price(change), percent, say.price(mean), sides, say.price(last),
            say.qty(each.tally.last_lots), say.price(each.day.open_ticks), say.price(high), say.price(low),
            say.qty(lots), say.money(notional),
            time_ms - DAY_NS // 1_000_000, time_ms, self._first_id(), each.log.next_trade - 1, self._trades(),
        )  # fmt: skip

    def _figures(self) -> bytes:
        say = self._say
        high, low = self._extremes()
        lots, notional = self._volumes()
        return b'"o":"%b","h":"%b","l":"%b","v":"%b","q":"%b"' % (
            say.price(self._each.day.open_ticks), say.price(high), say.price(low), say.qty(lots), say.money(notional),
        )  # fmt: skip

    def _prices(self) -> tuple[int, int, float, float]:
        """Return the last price, the change, the change in percent and the weighted mean price."""
        each = self._each
        last = each.tally.last_ticks if each.tally.trades else round(each.mid)
        change = last - each.day.open_ticks
        lots, notional = self._volumes()
        return last, change, 100.0 * change / each.day.open_ticks, notional / lots

    def _extremes(self) -> tuple[int, int]:
        each = self._each
        return max(each.day.high, each.tally.high), min(each.day.low, each.tally.low)

    def _volumes(self) -> tuple[int, int]:
        each = self._each
        return each.day.lots + each.tally.lots, each.day.notional + each.tally.notional

    def _trades(self) -> int:
        return self._each.day.trades + self._each.tally.trades

    def _first_id(self) -> int:
        return max(0, self._each.log.next_trade - self._trades())
