"""The instruments that one Binance market has open, and what was left out of it."""

from collections import Counter
from typing import Final

from tickfloor.contracts.errors import BoardFullError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venues.binance import streams
from tickfloor.feeds.venues.binance.book_sync import BookSync
from tickfloor.feeds.venues.binance.frames import SymbolInfo
from tickfloor.feeds.venues.binance.handlers import QuoteState
from tickfloor.feeds.venues.binance.metadata import metadata_of_symbol
from tickfloor.feeds.venues.binance.waiting_events import WaitingRoom
from tickfloor.feeds.venues.metadata import Metadata

REFUSED: Final = "refused"
"""Counts the frames of instruments that the board has no row for."""


class Instruments:
    """What frames and REST answers share of each instrument.

    Attributes:
        books: by symbol, from the first depth event or snapshot on.
        trade_kinds: kind of the trades that feed an instrument, by symbol; the first to come decides.
        ignored: what was received whole and not used, by reason.
        refused: symbols that the board had no row for.
    """

    def __init__(self, publisher: MarketPublisher, joins: TradeJoins) -> None:
        self._publisher = publisher
        self._joins = joins
        self._futures = publisher.venue != "binance"
        self._live_trades = streams.trades_of(publisher.venue)
        self._quotes: dict[str, QuoteState] = {}
        self._metadata: dict[str, Metadata] = {}
        self._room = WaitingRoom()
        self.books: dict[str, BookSync] = {}
        self.trade_kinds: dict[str, str] = {}
        self.ignored: Counter[str] = Counter()
        self.refused: set[str] = set()

    @property
    def stale_quotes(self) -> int:
        """Best prices dropped because a newer one had come."""
        return sum(state.stale for state in self._quotes.values())

    def open(self, symbol: str) -> InstrumentWriter | None:
        """Return an instrument's writer, which gets its row at the first call; None where the board is full."""
        writer = self._publisher.known(symbol)
        if writer is not None:
            return writer
        try:
            writer = self._publisher.open(symbol)
        except BoardFullError:
            self.refused.add(symbol)
            return None
        metadata = self._metadata.get(symbol)
        if metadata is not None:
            writer.describe(*metadata)
        return writer

    def open_trades(self, symbol: str, kind: str) -> InstrumentWriter | None:
        """Return the writer of an instrument whose trades are of this kind from now on; None as for :meth:`open`."""
        writer = self.open(symbol)
        if writer is not None and symbol not in self.trade_kinds:
            self.trade_kinds[symbol] = kind
            self._joins.watch(writer)
        return writer

    def trade_kind(self, symbol: str) -> str:
        """Return the kind of an instrument's trades; before the first, the one that a live feed subscribes to."""
        return self.trade_kinds.get(symbol, self._live_trades)

    def book(self, symbol: str) -> BookSync:
        """Return an instrument's book, an empty one at the first call."""
        sync = self.books.get(symbol)
        if sync is None:
            sync = self.books[symbol] = BookSync(futures=self._futures, room=self._room)
        return sync

    def quotes(self, symbol: str) -> QuoteState:
        """Return what is known of an instrument's newest best prices."""
        return self._quotes.setdefault(symbol, QuoteState())

    def describe(self, infos: list[SymbolInfo]) -> None:
        """Put the venue's metadata on the rows of open instruments, and keep it for the others."""
        for symbol, metadata in {info.symbol: metadata_of_symbol(info) for info in infos}.items():
            if metadata is None:
                self._metadata.pop(symbol, None)
                continue
            self._metadata[symbol] = metadata
            writer = self._publisher.known(symbol)
            if writer is not None:
                writer.describe(*metadata)
