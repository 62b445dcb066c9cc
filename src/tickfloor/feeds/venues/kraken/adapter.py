"""Kraken spot: WebSocket v2 frames and REST bodies in, market events out."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import BOOK_LEVELS, Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Reader, Repairs, StreamKey
from tickfloor.feeds.venues.kraken import frames
from tickfloor.feeds.venues.kraken.frames import Candle
from tickfloor.feeds.venues.kraken.market import rest_trade
from tickfloor.feeds.venues.kraken.markets import Markets
from tickfloor.feeds.venues.kraken.metadata import metadata_of_asset_pair
from tickfloor.feeds.venues.kraken.names import checked_symbol, is_name_of, pair_of, symbol_of
from tickfloor.feeds.venues.kraken.reader import ConnectionReader
from tickfloor.feeds.venues.metadata import Metadata


class KrakenAdapter:
    """Feeds one publisher from Kraken.

    Attributes:
        heard: receive time of the newest frame of each stream, ns UTC.
    """

    def __init__(
        self,
        venue: str,
        publisher: MarketPublisher,
        *,
        joins: TradeJoins,
        repairs: Repairs,  # noqa: ARG002 - every adapter's signature; a book's snapshot comes with a subscription
        audit: Audit | None = None,
    ) -> None:
        """Begin without streams.

        Args:
            venue: ``kraken``.
            joins: told of every instrument's trades, and of trades that may fill a hole.
            repairs: not asked: what is missing in a book is asked for by ``Resubscribe``, on its own connection.
            audit: given every new trade's wire text; None live.

        Raises:
            ValueError: another venue.
        """
        if venue != "kraken":
            raise ValueError(f"{venue!r} is not Kraken's venue: kraken")
        self._publisher = publisher
        self._joins = joins
        self._markets = Markets(publisher, joins, audit)
        self.heard: dict[StreamKey, int] = self._markets.heard

    def reader(self, connection: str) -> Reader:  # noqa: ARG002 - every adapter's signature
        """Return what reads one connection's frames; a new one for each connection."""
        return ConnectionReader(self._markets).on_frame

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in a REST answer: trades or the list of pairs; others are counted.

        Args:
            ref: its URL, or the path and query of it.

        Raises:
            FrameError: it is malformed or says that the request failed; nothing of it was applied.
        """
        try:
            url = urlsplit(ref)
            if url.path.endswith("/public/Trades"):
                self._on_trades(recv_ns, parse_qs(url.query).get("pair", [""])[0], body)
            elif url.path.endswith("/public/AssetPairs"):
                self._on_asset_pairs(body)
            else:
                self._markets.ignore("HTTP bodies of other kinds")
        except FrameError:
            raise
        except (*frames.DECODE_ERRORS, ValueError) as error:
            raise FrameError(frames.reason(error)) from error

    def candles(self) -> dict[tuple[str, int], Candle]:
        """Return the venue's own bars as last seen, by symbol and minutes; they only cross-check ours."""
        return self._markets.candles

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason; the reasons that did not occur are left out."""
        writers, markets = self._publisher.writers, self._markets.opened.values()
        counts = {
            "duplicate trades": sum(writer.duplicates for writer in writers),
            "outdated best prices": sum(market.outdated_tickers for market in markets),
            "bars too old to revise": sum(writer.lost_revisions for writer in writers),
            "trades before the first": self._joins.statistics().earlier,
            **self._markets.ignored,
        }
        return {f"{reason} ({self._publisher.venue})": count for reason, count in counts.items() if count}

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""
        return tuple(sorted(self._markets.refused))

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the replay report's exact figures of every instrument, by ``venue:symbol``.

        The sequence gaps of a book are the times that its checksum was not the venue's.

        Raises:
            ValueError: the adapter was made without an audit.
        """
        audit = self._markets.audit
        if audit is None:
            raise ValueError("exact figures need an adapter made with an Audit")
        found = {}
        for market in self._markets.opened.values():
            writer, leader = market.writer, market.book.leader
            bids, asks = ([], []) if leader is None else leader.book.top(BOOK_LEVELS)
            found[writer.instrument.key] = audit.report(
                writer.instrument, forming=writer.forming.minute, id_gaps=writer.id_gaps, bids=bids, asks=asks,
                sequence_gaps=market.book.mismatches,
            )  # fmt: skip
        return found

    def _on_trades(self, recv_ns: int, pair: str, body: bytes) -> None:
        symbol = self._symbol_of(pair)
        result = result_of(body)
        others = [key for key in result if key not in ("last", pair) and not is_name_of(key, symbol)]
        if others:
            raise FrameError(f"trades of {others[0][:48]!r} in the answer for {symbol}")
        rows = [row for key, raw in result.items() if key != "last" for row in frames.REST_TRADES.decode(raw)]
        self._markets.backlog(symbol, [rest_trade(row) for row in rows], recv_ns, streamed=False)

    def _symbol_of(self, pair: str) -> str:
        """Return the symbol that a request meant by its name of a market."""
        for symbol in self._markets.opened:
            if pair in (symbol, pair_of(symbol)):
                return symbol
        return checked_symbol(symbol_of(pair) or pair)

    def _on_asset_pairs(self, body: bytes) -> None:
        found: dict[str, Metadata] = {}
        for raw in result_of(body).values():
            pair = frames.ASSET_PAIRS.decode(raw)
            metadata = metadata_of_asset_pair(pair)
            symbol = None if pair.wsname is None else symbol_of(pair.wsname)
            if symbol is not None and metadata is not None:
                found[symbol] = metadata
        for symbol, metadata in found.items():
            self._markets.describe(symbol, metadata)


def result_of(body: bytes) -> dict[str, Any]:
    """Return the undecoded parts of a REST answer's result.

    Raises:
        FrameError: the answer is an error.
    """
    answer = frames.REST_ANSWERS.decode(body)
    if answer.error:
        raise FrameError(f"the venue answers {', '.join(answer.error)[:200]}")
    return answer.result
