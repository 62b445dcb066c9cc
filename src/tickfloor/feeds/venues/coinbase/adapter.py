"""Coinbase Advanced Trade: frames and HTTP bodies in, market events out."""

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import BOOK_LEVELS, Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Reader, Repairs
from tickfloor.feeds.venues.coinbase import listing
from tickfloor.feeds.venues.coinbase.books import BookStreams
from tickfloor.feeds.venues.coinbase.connection_reader import ConnectionReader
from tickfloor.feeds.venues.coinbase.products import ProductFeeds
from tickfloor.feeds.venues.coinbase.tickers import TickerStreams
from tickfloor.feeds.venues.coinbase.trades import TradeStreams
from tickfloor.feeds.venues.coinbase.venue_book import VenueBook

VENUE: Final = "coinbase"

_TRADES_OF = re.compile(r".*/products/([^/]+)/ticker")


class CoinbaseAdapter:
    """Feeds one publisher from Coinbase Advanced Trade.

    An instrument is opened by the first frame that names its product. Trades begin after the first snapshot, which
    only says which one is next; later snapshots fill what is missing. The venue's own bars are of five minutes and
    not used.

    Attributes:
        heard: see :class:`~tickfloor.feeds.venue.Adapter`; a ``ticker`` is heard as quotes and as ticker.
    """

    def __init__(
        self,
        venue: str,
        publisher: MarketPublisher,
        *,
        joins: TradeJoins,
        repairs: Repairs,  # noqa: ARG002 - every adapter's signature; a book comes with a new subscription
        audit: Audit | None = None,
    ) -> None:
        """Begin without streams.

        Args:
            venue: ``coinbase``.
            joins: are given the trades of snapshots and REST answers.
            repairs: not asked: trades are asked for by ``joins``, books by a ``Resubscribe``.
            audit: given every new trade's wire text; None live.

        Raises:
            ValueError: another venue.
        """
        if venue != VENUE:
            raise ValueError(f"{venue!r} is not {VENUE!r}")
        self._publisher = publisher
        self._audit = audit
        self._joins = joins
        self._products = ProductFeeds(publisher)
        self._trades = TradeStreams(self._products, joins, audit)
        self._tickers = TickerStreams(self._products)
        self._books = BookStreams(self._products)
        self.heard = self._products.heard

    def reader(self, connection: str) -> Reader:  # noqa: ARG002 - it is told apart by being a new one
        """Return what reads one connection's frames; a new one for each connection."""
        return ConnectionReader(self._products, self._trades, self._tickers, self._books).read

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in a REST answer: the products, or a product's trades; others are counted.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """
        try:
            path = urlsplit(ref).path
        except ValueError as error:
            raise FrameError(f"{ref[:200]!r} is no address") from error
        of_product = _TRADES_OF.fullmatch(path)
        if of_product is not None:
            self._trades.on_answer(recv_ns, unquote(of_product[1]), body)
        elif path.endswith("/products"):
            self._products.describe(listing.products_of(body))
        else:
            self._products.left_out["http"] += 1

    def book(self, symbol: str) -> VenueBook | None:
        """Return a product's book, or None before the first frame that names it."""
        feed = self._products.known(symbol)
        return None if feed is None else feed.book

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason; the reasons that did not occur are left out."""
        writers = self._publisher.writers
        counts = {
            "duplicate trades": sum(writer.duplicates for writer in writers),
            "bars too old to revise": sum(writer.lost_revisions for writer in writers),
            "trades before the first": self._joins.statistics().earlier,
            **self._products.left_out,
        }
        return {f"{reason} ({VENUE})": count for reason, count in counts.items() if count}

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""
        return tuple(sorted(self._products.refused))

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the report's exact figures of every instrument, by ``venue:symbol``.

        Raises:
            ValueError: the adapter was made without an audit.
        """
        if self._audit is None:
            raise ValueError("exact figures need an adapter made with an Audit")
        found = {}
        for writer in self._publisher.writers:
            book = self.book(writer.instrument.symbol) or VenueBook()
            bids, asks = book.book.top(BOOK_LEVELS)
            found[writer.instrument.key] = self._audit.report(
                writer.instrument, forming=writer.forming.minute, id_gaps=writer.id_gaps, bids=bids, asks=asks,
                sequence_gaps=book.gaps,
            )  # fmt: skip
        return found
