"""What has come since the last look.

A call that waits for several instruments returns with the first one's news. What came for another in the same moment
is not told; it is in ccxt's caches, and would be noticed with that instrument's next message, however late. So the
caches of all are looked at whenever a call returns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, Structure
from tickfloor.feeds.venue import Channel

News = Callable[[object], Iterator[tuple[str, Structure | Sequence[Structure]]]]
"""Takes what a call has returned and returns instruments with what is new: trades, a ticker or a book."""


class TradeNews:
    """New trades of some instruments, in the order in which ccxt received them."""

    def __init__(self, exchange: Exchange, symbols: Sequence[str]) -> None:
        self._exchange = exchange
        self._symbols = symbols
        self._newest: dict[str, Structure] = {}

    def __call__(self, returned: object) -> Iterator[tuple[str, Sequence[Structure]]]:
        """Return instruments with their new trades."""
        del returned  # the caches have it, too
        for symbol in self._symbols:
            cached = self._exchange.trades.get(symbol)
            if not cached:
                continue
            newest = self._newest.get(symbol)
            if cached[-1] is newest:
                continue
            new: list[Structure] = []
            for trade in reversed(cached):
                if trade is newest:
                    break
                new.append(trade)
            self._newest[symbol] = cached[-1]
            new.reverse()
            yield symbol, new


class TickerNews:
    """New tickers of some instruments; ccxt makes another object of each."""

    def __init__(self, cached: Callable[[], Mapping[str, Structure]], symbols: Sequence[str]) -> None:
        self._cached = cached
        self._symbols = frozenset(symbols)
        self._newest: dict[str, Structure] = {}

    def __call__(self, returned: object) -> Iterator[tuple[str, Structure]]:
        """Return instruments with their newest tickers."""
        if isinstance(returned, Mapping):
            of_one = "symbol" in returned
            yield from self._new({returned["symbol"]: returned} if of_one else returned)
        yield from self._new(self._cached())

    def _new(self, tickers: Mapping[str, Structure]) -> Iterator[tuple[str, Structure]]:
        for symbol in self._symbols:
            ticker = tickers.get(symbol)
            if ticker is not None and ticker is not self._newest.get(symbol):
                self._newest[symbol] = ticker
                yield symbol, ticker


class BookNews:
    """Changed books of some instruments; ccxt changes them in place, and says of most how often or when."""

    def __init__(self, exchange: Exchange, symbols: Sequence[str]) -> None:
        self._exchange = exchange
        self._symbols = symbols
        self._states: dict[str, tuple[object, object]] = {}

    def __call__(self, returned: object) -> Iterator[tuple[str, Structure]]:
        """Return instruments with their books."""
        told = returned.get("symbol") if isinstance(returned, Mapping) else None
        for symbol in self._symbols:
            book = self._exchange.orderbooks.get(symbol)
            if book is None or not (book["bids"] or book["asks"]):
                # It waits for its snapshot.
                continue
            state = (book.get("nonce"), book.get("timestamp"))
            if symbol == told or state != self._states.get(symbol):
                self._states[symbol] = state
                yield symbol, book


_TICKERS: Final = ("watch_tickers", "watch_ticker")


def news_of(exchange: Exchange, channel: Channel, method: str, symbols: Sequence[str]) -> News:
    """Return what tells the news of a channel that a method brings."""
    if channel is Channel.TRADES:
        return TradeNews(exchange, symbols)
    if channel is Channel.BOOK:
        return BookNews(exchange, symbols)
    if method in _TICKERS:
        return TickerNews(lambda: exchange.tickers, symbols)
    return TickerNews(lambda: exchange.bidsasks, symbols)
