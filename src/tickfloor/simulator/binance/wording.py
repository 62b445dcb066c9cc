"""One instrument's frames and REST rows, in Binance's words; shapes from ``wire-facts.md`` §2.3, §3.2."""

from collections.abc import Iterable

from tickfloor.simulator.instrument import SimulatedInstrument
from tickfloor.simulator.tally import Minute
from tickfloor.simulator.trade_log import LoggedOrder, LoggedTrade

_YES, _NO = b"true", b"false"


class Wording:
    """Says what happens to one instrument. Spot writes eight decimals, futures as many as there are."""

    __slots__ = ("_agg", "_decimals", "_each", "_futures", "_level", "_lots", "_price", "_quote", "_symbol", "_ticks",
                 "_trade")  # fmt: skip

    def __init__(self, each: SimulatedInstrument, *, futures: bool) -> None:
        self._each = each
        self._futures = futures
        self._symbol = symbol = each.symbol.encode()
        self._ticks = each.price_scale
        self._lots = each.qty_scale
        price, qty = (each.price_decimals, each.qty_decimals) if futures else (8, 8)
        self._decimals = (price, qty)
        self._price = b"%%.%df" % price
        self._level = b'["%%.%df","%%.%df"]' % (price, qty)
        p, q = b'"%%.%df"' % price, b'"%%.%df"' % qty
        # Templates are filled once a trade: everything that does not change is in them.
        self._trade = b"".join((
            b'{"e":"trade","E":%d,"s":"', symbol, b'","t":%d,"p":', p, b',"q":', q, b',"T":%d,"m":%b,"M":true}',
        ))  # fmt: skip
        head = b"".join((b'{"e":"aggTrade","E":%d,"s":"', symbol, b'","a":%d,"p":', p, b',"q":', q))
        self._agg = (
            b"".join((head, b',"nq":', q, b',"f":%d,"l":%d,"T":%d,"m":%b,"st":1}'))
            if futures
            else b"".join((head, b',"f":%d,"l":%d,"T":%d,"m":%b,"M":true}'))
        )
        sides = b"".join((b',"b":', p, b',"B":', q, b',"a":', p, b',"A":', q))
        self._quote = (
            b"".join((
                b'{"e":"bookTicker","u":%d,"E":%d,"T":%d,"s":"', symbol, b'"', sides, b',"st":1,"ps":"', symbol, b'"}',
            ))
            if futures
            else b"".join((b'{"u":%d,"s":"', symbol, b'"', sides, b"}"))
        )  # fmt: skip

    def trade(self, time_ms: int, trade_id: int, ticks: int, lots: int, *, bought: bool) -> bytes:  # hot path
        """Return a ``trade`` event."""
        return self._trade % (
            time_ms, trade_id, ticks / self._ticks, lots / self._lots, time_ms, _NO if bought else _YES,
        )  # fmt: skip

    def order(
        self, time_ms: int, order_id: int, ticks: int, lots: int, first_id: int, last_id: int, *, bought: bool
    ) -> bytes:  # hot path
        """Return an ``aggTrade`` event."""
        price, qty, maker = ticks / self._ticks, lots / self._lots, _NO if bought else _YES
        if self._futures:
            return self._agg % (time_ms, order_id, price, qty, qty, first_id, last_id, time_ms, maker)
        return self._agg % (time_ms, order_id, price, qty, first_id, last_id, time_ms, maker)

    def quote(self, time_ms: int) -> bytes:  # hot path
        """Return a ``bookTicker`` event of the book as it is."""
        book = self._each.book
        bid, ask = book.bids[-1], book.asks[-1]
        ticks, lots = self._ticks, self._lots
        sides = (bid / ticks, book.bid_lots[bid] / lots, ask / ticks, book.ask_lots[ask] / lots)
        if self._futures:
            return self._quote % (book.update_id, time_ms, time_ms, *sides)
        return self._quote % (book.update_id, *sides)

    def levels(self, levels: Iterable[tuple[int, int]]) -> bytes:
        """Return one side of a book: prices in ticks with lots."""
        level, ticks, lots = self._level, self._ticks, self._lots
        return b"[" + b",".join([level % (price / ticks, size / lots) for price, size in levels]) + b"]"

    def diff(self, time_ms: int, first_id: int, last_id: int, previous_id: int, prices: set[int]) -> bytes:
        """Return a ``depthUpdate`` of what these prices have now; those of asks are negative."""
        book = self._each.book
        bids = self.levels((price, book.bid_lots.get(price, 0)) for price in sorted(prices, reverse=True) if price > 0)
        asks = self.levels(
            (-price, book.ask_lots.get(-price, 0)) for price in sorted(prices, reverse=True) if price < 0
        )
        if self._futures:
            return (
                b'{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","U":%d,"u":%d,"pu":%d,"b":%b,"a":%b,"ps":"%b","st":1}'
            ) % (time_ms, time_ms, self._symbol, first_id, last_id, previous_id, bids, asks, self._symbol)
        return b'{"e":"depthUpdate","E":%d,"s":"%b","U":%d,"u":%d,"b":%b,"a":%b}' % (
            time_ms, self._symbol, first_id, last_id, bids, asks,
        )  # fmt: skip

    def partial(self, time_ms: int, depth: int) -> bytes:
        """Return the best levels, as the partial book streams send them."""
        book = self._each.book
        bids, asks = self.levels(book.top_bids(depth)), self.levels(book.top_asks(depth))
        if self._futures:
            return (
                b'{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","U":%d,"u":%d,"pu":%d,"b":%b,"a":%b,"ps":"%b","st":1}'
            ) % (time_ms, time_ms, self._symbol, book.update_id, book.update_id, book.update_id - 1, bids, asks,
                 self._symbol)  # fmt: skip
        return b'{"lastUpdateId":%d,"bids":%b,"asks":%b}' % (book.update_id, bids, asks)

    def snapshot(self, time_ms: int, depth: int) -> bytes:
        """Return a REST ``depth`` answer."""
        book = self._each.book
        bids, asks = self.levels(book.top_bids(depth)), self.levels(book.top_asks(depth))
        times = b'"E":%d,"T":%d,' % (time_ms, time_ms) if self._futures else b""
        return b'{"lastUpdateId":%d,%b"bids":%b,"asks":%b}' % (book.update_id, times, bids, asks)

    def kline(self, time_ms: int, interval: str, length_ms: int, bar: Minute, *, closed: bool) -> bytes:
        """Return a ``kline`` event."""
        price, qty = self.price, self.qty
        k = (
            b'{"t":%d,"T":%d,"s":"%b","i":"%b","f":%d,"L":%d,"o":"%b","c":"%b","h":"%b","l":"%b","v":"%b","n":%d,'
            b'"x":%b,"q":"%b","V":"%b","Q":"%b","B":"0"}'
        ) % (
            bar.start_ms, bar.start_ms + length_ms - 1, self._symbol, interval.encode(), bar.first_id, bar.last_id,
            price(bar.open), price(bar.close), price(bar.high), price(bar.low), qty(bar.lots), bar.trades,
            _YES if closed else _NO, self.money(bar.notional), qty(bar.bought_lots), self.money(bar.bought_notional),
        )  # fmt: skip
        return b'{"e":"kline","E":%d,"s":"%b","k":%b}' % (time_ms, self._symbol, k)

    def kline_row(self, length_ms: int, bar: Minute) -> bytes:
        """Return a row of a REST ``klines`` answer."""
        price, qty = self.price, self.qty
        return b'[%d,"%b","%b","%b","%b","%b",%d,"%b",%d,"%b","%b","0"]' % (
            bar.start_ms, price(bar.open), price(bar.high), price(bar.low), price(bar.close), qty(bar.lots),
            bar.start_ms + length_ms - 1, self.money(bar.notional), bar.trades, qty(bar.bought_lots),
            self.money(bar.bought_notional),
        )  # fmt: skip

    def trade_row(self, trade: LoggedTrade) -> bytes:
        """Return a row of a REST ``trades`` answer."""
        match = b"" if self._futures else b',"isBestMatch":true'
        return b'{"id":%d,"price":"%b","qty":"%b","quoteQty":"%b","time":%d,"isBuyerMaker":%b%b}' % (
            trade.trade_id, self.price(trade.ticks), self.qty(trade.lots), self.money(trade.ticks * trade.lots),
            trade.time_ms, _NO if trade.bought else _YES, match,
        )  # fmt: skip

    def order_row(self, order: LoggedOrder) -> bytes:
        """Return a row of a REST ``aggTrades`` answer."""
        match = b"" if self._futures else b',"M":true'
        return b'{"a":%d,"p":"%b","q":"%b","f":%d,"l":%d,"T":%d,"m":%b%b}' % (
            order.order_id, self.price(order.ticks), self.qty(order.lots), order.first_id, order.last_id,
            order.time_ms, _NO if order.bought else _YES, match,
        )  # fmt: skip

    def quote_row(self, time_ms: int) -> bytes:
        """Return a row of a REST ``ticker/bookTicker`` answer."""
        book = self._each.book
        bid, ask = book.bids[-1], book.asks[-1]
        extra = b',"lastUpdateId":%d,"time":%d' % (book.update_id, time_ms) if self._futures else b""
        return b'{"symbol":"%b","bidPrice":"%b","bidQty":"%b","askPrice":"%b","askQty":"%b"%b}' % (
            self._symbol, self.price(bid), self.qty(book.bid_lots[bid]), self.price(ask),
            self.qty(book.ask_lots[ask]), extra,
        )  # fmt: skip

    def price(self, ticks: float) -> bytes:
        """Return a price as this market writes it."""
        return self._price % (ticks / self._ticks)

    def qty(self, lots: int) -> bytes:
        """Return a quantity as this market writes it."""
        return b"%.*f" % (self._decimals[1], lots / self._lots)

    def money(self, notional: float) -> bytes:
        """Return a sum of ticks times lots in the quote currency."""
        return b"%.8f" % (notional / self._ticks / self._lots)
