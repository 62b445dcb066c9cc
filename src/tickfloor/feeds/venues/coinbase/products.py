"""The products that frames have named."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from tickfloor.contracts.errors import BoardFullError
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Channel, StreamKey
from tickfloor.feeds.venues.coinbase.listing import Product
from tickfloor.feeds.venues.coinbase.venue_book import VenueBook
from tickfloor.feeds.venues.metadata import Metadata, metadata_of

MOST_PRODUCTS: Final = 20_000
MAX_SYMBOL: Final = 48
NO_ROW: Final = "items of instruments without a board row"


class ProductFeed:
    """What is kept of one product.

    Attributes:
        writer: of its instrument; None where the board has no row for it.
        trades, quotes, tickers, level2: the keys of its streams.
        book: its book.
        statistics: the 24 h statistics published last, as they were written.
    """

    __slots__ = ("book", "level2", "quotes", "statistics", "tickers", "trades", "writer")

    def __init__(self, symbol: str, writer: InstrumentWriter | None) -> None:
        self.writer = writer
        self.trades = StreamKey(Channel.TRADES, symbol)
        self.quotes = StreamKey(Channel.QUOTES, symbol)
        self.tickers = StreamKey(Channel.TICKERS, symbol)
        self.level2 = StreamKey(Channel.BOOK, symbol)
        self.book = VenueBook()
        self.statistics: tuple[str, ...] = ()


class ProductFeeds:
    """Every product that frames have named, opened by the first of them.

    Attributes:
        publisher: whom they feed.
        heard: see :class:`~tickfloor.feeds.venue.Adapter`.
        left_out: what was received whole and not used, by reason.
        refused: symbols that the board had no row for.
    """

    def __init__(self, publisher: MarketPublisher) -> None:
        self.publisher = publisher
        self.heard: dict[StreamKey, int] = {}
        self.left_out: Counter[str] = Counter()
        self.refused: set[str] = set()
        self._feeds: dict[str, ProductFeed] = {}
        self._metadata: dict[str, Metadata] = {}

    def of(self, symbol: str) -> ProductFeed:  # hot path: every item of every frame
        """Return a product's feed, which opens its instrument at the first call.

        Raises:
            FrameError: this cannot be a product.
        """
        return self._feeds.get(symbol) or self._open(symbol)

    def all(self) -> Iterable[ProductFeed]:
        """Return every product so far."""
        return self._feeds.values()

    def known(self, symbol: str) -> ProductFeed | None:
        """Return a product's feed if a frame has named it."""
        return self._feeds.get(symbol)

    def describe(self, products: Iterable[Product]) -> None:
        """Take in the venue's metadata, for instruments that are open and those to come."""
        for product in products:
            metadata = metadata_of(product.price_increment, product.base_increment)
            if metadata is None:
                continue
            self._metadata[product.product_id] = metadata
            writer = self.publisher.known(product.product_id)
            if writer is not None:
                writer.describe(*metadata)

    def _open(self, symbol: str) -> ProductFeed:
        if not 0 < len(symbol) <= MAX_SYMBOL or not symbol.isprintable() or " " in symbol:
            raise FrameError(f"{symbol[:MAX_SYMBOL]!r} is not a product")
        if len(self._feeds) >= MOST_PRODUCTS:
            raise FrameError(f"more than {MOST_PRODUCTS} products; {symbol} is not taken")
        writer: InstrumentWriter | None = None
        try:
            writer = self.publisher.open(symbol)
        except BoardFullError:
            self.refused.add(symbol)
        else:
            metadata = self._metadata.get(symbol)
            if metadata is not None:
                writer.describe(*metadata)
        feed = self._feeds[symbol] = ProductFeed(symbol, writer)
        return feed
