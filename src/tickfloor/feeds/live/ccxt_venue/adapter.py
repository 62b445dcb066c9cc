"""ccxt's unified structures in, market events out."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tickfloor.board.row import Field
from tickfloor.contracts.errors import BoardFullError
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.ccxt_venue.exchange import Structure
from tickfloor.feeds.live.ccxt_venue.markets import Metadata
from tickfloor.feeds.live.ccxt_venue.readings import Quote, Statistics, levels_of, quote_of, statistics_of, trade_of
from tickfloor.feeds.live.ccxt_venue.trades import InstrumentTrades
from tickfloor.feeds.publishing.audit import BOOK_LEVELS, Audit
from tickfloor.feeds.publishing.instrument_writer import NO_TIME, InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Channel, StreamKey
from tickfloor.market.book import OrderBook

NO_ROW: Final = "items of instruments without a board row"


class _Feed:
    """What is kept of one instrument."""

    __slots__ = ("book", "books", "quote", "statistics", "trades", "writer")

    def __init__(self, writer: InstrumentWriter, audit: Audit | None) -> None:
        self.writer = writer
        self.trades = InstrumentTrades(writer, audit)
        self.book = OrderBook()
        self.books = 0
        self.quote: Quote | None = None
        self.statistics: Statistics | None = None


class CcxtAdapter:
    """Feeds one publisher from a ccxt exchange.

    Only trades bring the venue's time, in milliseconds: that of tickers and books is often the time of sending, ahead
    of trades that are sent later. Quantities are ccxt's: of derivatives it counts contracts.

    Attributes:
        heard: receive time of the newest item of each stream, ns UTC.
        malformed: items that could not be used; newest_problem: what was wrong with the newest of them.
    """

    def __init__(
        self, venue: str, publisher: MarketPublisher, *, joins: TradeJoins, audit: Audit | None = None
    ) -> None:
        self.heard: dict[StreamKey, int] = {}
        self.malformed = 0
        self.newest_problem = ""
        self._venue = venue
        self._publisher = publisher
        self._joins = joins
        self._audit = audit
        self._feeds: dict[str, _Feed] = {}
        self._metadata: Mapping[str, Metadata] = {}
        self._refused: set[str] = set()
        self._left_out: Counter[str] = Counter()

    def describe(self, metadata: Mapping[str, Metadata]) -> None:
        """Take in the exchange's metadata by symbol, for instruments that are open and those to come."""
        self._metadata = metadata
        for symbol, each in metadata.items():
            writer = self._publisher.known(symbol)
            if writer is not None:
                writer.describe(*each)

    def trades(self, recv_ns: int, symbol: str, trades: Iterable[Structure]) -> None:
        """Take in an instrument's trades, oldest first; those known are left out."""
        self.heard[StreamKey(Channel.TRADES, symbol)] = recv_ns
        feed = self._feed(symbol)
        if feed is None:
            return
        readable = []
        for trade in trades:
            try:
                readable.append(trade_of(trade))
            except FrameError as error:
                self._note(error)
        for problem in feed.trades.take(recv_ns, readable):
            self._note(problem)

    def quote(self, recv_ns: int, symbol: str, ticker: Structure) -> None:
        """Take in an instrument's best prices; if they are as before, nothing is published."""
        self.heard[StreamKey(Channel.QUOTES, symbol)] = recv_ns
        feed = self._feed(symbol)
        if feed is None:
            return
        try:
            quote = quote_of(ticker)
        except FrameError as error:
            self._note(error)
            return
        if quote is not None and not _same(quote, feed.quote):
            feed.quote = quote
            feed.writer.quote(NO_TIME, recv_ns, *quote)

    def statistics(self, recv_ns: int, symbol: str, ticker: Structure) -> None:
        """Take in an instrument's 24 h statistics; if they are as before, nothing is published."""
        self.heard[StreamKey(Channel.TICKERS, symbol)] = recv_ns
        feed = self._feed(symbol)
        if feed is None:
            return
        try:
            statistics = statistics_of(ticker)
        except FrameError as error:
            self._note(error)
            return
        if statistics is None:
            return
        before = feed.statistics
        if before is None or not _same(statistics.prices + statistics.volumes, before.prices + before.volumes):
            feed.statistics = statistics
            feed.writer.stats(NO_TIME, recv_ns, *statistics)

    def book(self, recv_ns: int, symbol: str, book: Structure) -> None:
        """Take in an instrument's book, of which ccxt keeps every level."""
        self.heard[StreamKey(Channel.BOOK, symbol)] = recv_ns
        feed = self._feed(symbol)
        if feed is None:
            return
        try:
            bids, asks = levels_of(book["bids"]), levels_of(book["asks"])
        except FrameError as error:
            self._note(error)
            return
        feed.book.replace(bids, asks)
        feed.books += 1
        nonce = book.get("nonce")
        feed.writer.book(NO_TIME, recv_ns, feed.book, nonce if isinstance(nonce, int) else feed.books)

    def forget(self, keys: Iterable[StreamKey]) -> None:
        """Do not remember when streams were heard that are not wanted any more."""
        for key in keys:
            self.heard.pop(key, None)

    def newest_trade_ns(self, symbol: str) -> int:
        """Return the venue time of an instrument's newest trade, ns UTC; 0 before the first."""
        feed = self._feeds.get(symbol)
        return 0 if feed is None else int(feed.writer.row[Field.LAST_US]) * 1_000

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason; the reasons that did not occur are left out."""
        counts = {
            "duplicate trades": sum(feed.trades.repeated + feed.writer.duplicates for feed in self._feeds.values()),
            "trades from before a restart": sum(feed.trades.inherited for feed in self._feeds.values()),
            "bars too old to revise": sum(feed.writer.lost_revisions for feed in self._feeds.values()),
            **self._left_out,
        }
        return {f"{reason} ({self._venue})": count for reason, count in counts.items() if count}

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""
        return tuple(sorted(self._refused))

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the report's exact figures of every instrument, by ``venue:symbol``.

        Raises:
            ValueError: the adapter was made without an audit.
        """
        if self._audit is None:
            raise ValueError("exact figures need an adapter made with an Audit")
        found = {}
        for feed in self._feeds.values():
            bids, asks = feed.book.top(BOOK_LEVELS)
            writer = feed.writer
            found[writer.instrument.key] = self._audit.report(
                writer.instrument, forming=writer.forming.minute, id_gaps=writer.id_gaps, bids=bids, asks=asks,
                sequence_gaps=0,
            )  # fmt: skip
        return found

    def _feed(self, symbol: str) -> _Feed | None:
        """Return what is kept of an instrument; None where the board has no row for it."""
        feed = self._feeds.get(symbol)
        if feed is None and symbol not in self._refused:
            try:
                writer = self._publisher.open(symbol)
            except BoardFullError:
                self._refused.add(symbol)
            else:
                self._joins.watch(writer)
                if symbol in self._metadata:
                    writer.describe(*self._metadata[symbol])
                feed = self._feeds[symbol] = _Feed(writer, self._audit)
        if feed is None:
            self._left_out[NO_ROW] += 1
        return feed

    def _note(self, problem: FrameError) -> None:
        self.malformed += 1
        self.newest_problem = problem.reason


def _same(numbers: tuple[float, ...], others: tuple[float, ...] | None) -> bool:
    """Compare numbers of which some may not be there."""
    return others is not None and all(
        one == other or (math.isnan(one) and math.isnan(other)) for one, other in zip(numbers, others, strict=True)
    )
