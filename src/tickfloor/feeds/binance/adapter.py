"""Binance spot, USD-M and COIN-M: frames and HTTP bodies in, market events out."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec.json import Decoder

from tickfloor.contracts.errors import BoardFullError
from tickfloor.feeds.audit import BOOK_LEVELS, Audit
from tickfloor.feeds.binance import handlers, streams
from tickfloor.feeds.binance.book_sync import BookSync, Outcome
from tickfloor.feeds.binance.frames import (
    BookTicker,
    Candle,
    DepthSnapshot,
    Envelope,
    ExchangeInfo,
    MiniTicker,
    Ticker,
    time_ns,
)
from tickfloor.feeds.binance.handlers import Handler, QuoteState
from tickfloor.feeds.binance.metadata import Metadata, metadata_of
from tickfloor.feeds.binance.statistics import AdapterStatistics, BookStatistics, TradeStatistics
from tickfloor.feeds.binance.streams import ALL_SYMBOLS, Stream
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.instrument_writer import NO_TIME, InstrumentWriter
from tickfloor.feeds.publisher import MarketPublisher

VENUES: Final = ("binance", "binance-usdm", "binance-coinm")
MAX_STREAMS: Final = 20_000
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_ENVELOPES = Decoder(Envelope)
_ENVELOPE_LISTS = Decoder(list[Envelope])
_ABSENT = msgspec.Raw()
_PREFIXES = Decoder(dict[str, str])
_SNAPSHOTS = Decoder(DepthSnapshot, strict=False)
_EXCHANGE_INFOS = Decoder(ExchangeInfo)


REFUSED: Final = "refused"
"""Counts the frames of instruments that the board has no row for."""


class BinanceAdapter:
    """Feeds one publisher from one Binance market.

    A combined frame's text before its data is the key to its stream's handler; everything else, the first frame
    of a stream included, takes the slow way through :meth:`_dispatch`. An instrument is opened by the first valid
    frame of a stream of its own; all-market streams only serve instruments that are open.
    """

    def __init__(self, venue: str, publisher: MarketPublisher, *, audit: Audit | None = None) -> None:
        """Begin without streams.

        Args:
            venue: ``binance``, ``binance-usdm`` or ``binance-coinm``; decides the book's rules.
            audit: given every new trade's wire text; None live.

        Raises:
            ValueError: another venue.
        """
        if venue not in VENUES:
            raise ValueError(f"{venue!r} is not a Binance venue: {', '.join(VENUES)}")
        self._publisher = publisher
        self._audit = audit
        self._futures = venue != "binance"
        self._handlers: dict[bytes, Handler] = {}
        self._by_stream: dict[Stream, Handler] = {}
        self._trade_kinds: dict[str, str] = {}
        self._books: dict[str, BookSync] = {}
        self._quotes: dict[str, QuoteState] = {}
        self._klines: dict[tuple[str, str], Candle] = {}
        self._metadata: dict[str, Metadata] = {}
        self._ignored: dict[str, int] = {}
        self._refused: set[str] = set()
        self._frames = 0
        self._malformed = 0
        self._control_replies = 0
        self._control_errors = 0
        self._connections = 0
        self._shutdown_notices = 0

    def on_frame(self, recv_ns: int, payload: bytes) -> None:  # hot path: benchmarks/ingest.py
        """Take in a frame received at ``recv_ns``, ns UTC.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """
        self._frames += 1
        try:
            handler = self._handlers.get(payload[: payload.find(b'","data":')])
            if handler is not None:
                handler(recv_ns, payload)
            else:
                self._dispatch(recv_ns, payload)
        except FrameError:
            self._malformed += 1
            raise
        except DECODE_ERRORS as error:
            self._malformed += 1
            raise FrameError(_reason(error)) from error

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in a REST answer: a depth snapshot or exchangeInfo; others are counted.

        Args:
            ref: its URL, or ``REST-depth:SYMBOL``.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """
        try:
            if ref.startswith("REST-depth:"):
                self._on_snapshot(recv_ns, ref.removeprefix("REST-depth:"), body)
                return
            url = urlsplit(ref)
            if url.path.endswith("/depth"):
                self._on_snapshot(recv_ns, parse_qs(url.query).get("symbol", [""])[0], body)
            elif url.path.endswith("/exchangeInfo"):
                self._on_exchange_info(body)
            else:
                self._ignore("http")
        except FrameError:
            self._malformed += 1
            raise
        except (*DECODE_ERRORS, ValueError) as error:
            self._malformed += 1
            raise FrameError(_reason(error)) from error

    def on_connect(self, recv_ns: int, ref: str, url: str) -> None:  # noqa: ARG002 - every adapter's signature
        """Note a new connection. What it missed shows in the ids; quotes may begin anew."""
        self._connections += 1
        for state in self._quotes.values():
            state.last_id = -1

    def book(self, symbol: str) -> BookSync | None:
        """Return an instrument's book and its continuity, or None before its first event or snapshot."""
        return self._books.get(symbol)

    def books_waiting(self) -> tuple[str, ...]:
        """Return the symbols whose book needs a snapshot."""
        return tuple(symbol for symbol, sync in self._books.items() if not sync.trusted)

    def statistics(self) -> AdapterStatistics:
        """Return what was seen so far."""
        trades = {}
        for symbol, kind in self._trade_kinds.items():
            writer = self._publisher.open(symbol)
            trades[symbol] = TradeStatistics(
                kind, writer.trades, writer.id_gaps, writer.missed_trades, writer.duplicates, writer.late_trades
            )
        books = {
            symbol: BookStatistics(
                sync.trusted, sync.update_id, sync.applied, sync.dropped, sync.waiting, sync.sequence_gaps,
                sync.snapshots_refused, sync.overflowed,
            )
            for symbol, sync in self._books.items()
        }  # fmt: skip
        return AdapterStatistics(
            frames=self._frames, malformed=self._malformed, ignored=dict(self._ignored),
            refused_instruments=len(self._refused),
            stale_quotes=sum(state.stale for state in self._quotes.values()),
            control_replies=self._control_replies, control_errors=self._control_errors,
            connections=self._connections, shutdown_notices=self._shutdown_notices,
            trades=trades, books=books, klines=dict(self._klines),
        )  # fmt: skip

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason; the reasons that did not occur are left out."""
        writers = self._publisher.writers
        counts = {
            "duplicate trades": sum(writer.duplicates for writer in writers),
            "outdated best prices": sum(state.stale for state in self._quotes.values()),
            "bars too old to revise": sum(writer.lost_revisions for writer in writers),
            "depth events beyond the buffer": sum(sync.overflowed for sync in self._books.values()),
            **{f"frames of {kind}": count for kind, count in self._ignored.items() if kind != REFUSED},
            "frames of instruments without a board row": self._ignored.get(REFUSED, 0),
        }
        return {f"{reason} ({self._publisher.venue})": count for reason, count in counts.items() if count}

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""
        return tuple(sorted(self._refused))

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the replay report's exact figures of every instrument, by ``venue:symbol``.

        Raises:
            ValueError: the adapter was made without an audit.
        """
        if self._audit is None:
            raise ValueError("exact figures need an adapter made with an Audit")
        found = {}
        for writer in self._publisher.writers:
            sync = self._books.get(writer.instrument.symbol)
            bids, asks = ([], []) if sync is None else sync.book.top(BOOK_LEVELS)
            found[writer.instrument.key] = self._audit.report(
                writer.instrument, forming=writer.forming.minute, id_gaps=writer.id_gaps, bids=bids, asks=asks,
                sequence_gaps=0 if sync is None else sync.sequence_gaps,
            )  # fmt: skip
        return found

    def _dispatch(self, recv_ns: int, payload: bytes) -> None:
        """Handle a frame that no handler is registered for."""
        if payload[:1] == b"[":
            items = _ENVELOPE_LISTS.decode(payload)
            stream = streams.stream_of_event(items[0].e or "", "-") if items else None
            if stream is not None and stream.kind in (streams.TICKER, streams.MINI_TICKER):
                self._handle(Stream(stream.kind, ALL_SYMBOLS), recv_ns, b'{"data":%b}' % payload)
            else:
                self._ignore("other")
            return
        envelope = _ENVELOPES.decode(payload)
        if envelope.stream is not None:
            if envelope.stream == "!serverShutdown":
                self._shutdown_notices += 1
                return
            stream = streams.stream_of(envelope.stream)
            handler = self._handle(stream, recv_ns, payload)
            prefix = payload[: payload.find(b'","data":')]
            if len(self._handlers) < MAX_STREAMS and _is_prefix(prefix, envelope.stream):
                self._handlers[prefix] = handler
        elif envelope.e == "serverShutdown":
            self._shutdown_notices += 1
        elif envelope.e is not None:
            stream = streams.stream_of_event(envelope.e, envelope.s)
            self._handle(stream, recv_ns, b'{"data":%b}' % payload)
        elif envelope.u is not None and envelope.s is not None:
            stream = Stream(streams.BOOK_TICKER, streams.checked_symbol(envelope.s))
            self._handle(stream, recv_ns, b'{"data":%b}' % payload)
        elif envelope.code is not None or envelope.error != _ABSENT:
            self._control_errors += 1
        elif envelope.result != _ABSENT:
            self._control_replies += 1
        else:
            self._ignore("other")

    def _handle(self, stream: Stream, recv_ns: int, payload: bytes) -> Handler:
        """Give a combined frame to its stream's handler, and return that."""
        handler = self._by_stream.get(stream)
        if handler is None:
            if len(self._by_stream) >= MAX_STREAMS:
                raise FrameError(f"more than {MAX_STREAMS} streams; {stream.kind} of {stream.symbol} is not taken")
            handler = self._make_handler(stream, payload)
            handler(recv_ns, payload)
            self._by_stream[stream] = handler
        else:
            handler(recv_ns, payload)
        return handler

    def _make_handler(self, stream: Stream, payload: bytes) -> Handler:
        """Return a new stream's handler. Its first frame is decoded before an instrument is opened for it."""
        kind, symbol = stream
        if symbol == ALL_SYMBOLS:
            return self._make_market_handler(kind)
        if kind == streams.KLINE:
            return handlers.kline_handler(symbol, self._klines)
        decoder = _DECODERS.get(kind)
        if decoder is None:
            return self._ignoring(kind)
        found = decoder(payload)
        if found != symbol:
            raise FrameError(f"frame of {found[:48]!r} in the stream of {symbol}")
        if kind in (streams.TRADE, streams.AGG_TRADE) and self._trade_kinds.get(symbol, kind) != kind:
            return self._ignoring(kind)
        try:
            writer = self._open(symbol)
        except BoardFullError:
            self._refused.add(symbol)
            return self._ignoring(REFUSED)
        if kind in (streams.TRADE, streams.AGG_TRADE):
            self._trade_kinds[symbol] = kind
            make = handlers.trade_handler if kind == streams.TRADE else handlers.agg_trade_handler
            handler = make(writer)
            return handler if self._audit is None else handlers.audited(handler, writer, self._audit)
        if kind == streams.BOOK_TICKER:
            return handlers.book_ticker_handler(writer, self._quotes.setdefault(symbol, QuoteState()))
        if kind == streams.DEPTH:
            return handlers.depth_handler(self._publisher, writer, self._sync(symbol))
        if kind == streams.TICKER:
            return handlers.ticker_handler(writer, handlers.TICKERS)
        return handlers.ticker_handler(writer, handlers.MINI_TICKERS)

    def _make_market_handler(self, kind: str) -> Handler:
        """Return the handler of an all-market stream."""
        if kind == streams.BOOK_TICKER:
            return self._on_any_book_ticker
        if kind == streams.TICKER:
            return lambda recv_ns, payload: self._on_tickers(recv_ns, handlers.TICKER_ARRAYS.decode(payload).data)
        if kind == streams.MINI_TICKER:
            return lambda recv_ns, payload: self._on_tickers(recv_ns, handlers.MINI_TICKER_ARRAYS.decode(payload).data)
        return self._ignoring(kind)

    def _on_any_book_ticker(self, recv_ns: int, payload: bytes) -> None:
        data = handlers.BOOK_TICKERS.decode(payload).data
        writer = self._served(data)
        if writer is None:
            self._ignore("not_open")
        else:
            state = self._quotes.setdefault(data.s, QuoteState())
            handlers.publish_book_ticker(writer, state, recv_ns, data)

    def _on_tickers(self, recv_ns: int, items: list[Ticker] | list[MiniTicker]) -> None:
        for data in items:
            self._publisher.check_time(time_ns(data.E), recv_ns)
        for data in items:
            writer = self._served(data)
            if writer is None:
                self._ignore("not_open")
            else:
                handlers.publish_ticker(writer, recv_ns, data)

    def _served(self, data: BookTicker | Ticker | MiniTicker) -> InstrumentWriter | None:
        """Return the writer of an all-market item's instrument if it is open and of this venue."""
        # USD-M arrays hold COIN-M symbols too; on COIN-M itself every item is one.
        if data.st == handlers.COIN_M_SYMBOL and self._publisher.venue == "binance-usdm":
            return None
        return self._publisher.known(data.s)

    def _on_snapshot(self, recv_ns: int, symbol: str, body: bytes) -> None:
        streams.checked_symbol(symbol)
        data = _SNAPSHOTS.decode(body)
        if data.symbol is not None and data.symbol != symbol:
            raise FrameError(f"snapshot of {data.symbol[:48]!r} in the answer for {symbol}")
        time = data.E
        ts_event = time_ns(time) if time else NO_TIME
        self._publisher.check_time(ts_event or recv_ns, recv_ns)
        try:
            writer = self._open(symbol)
        except BoardFullError:
            self._refused.add(symbol)
            self._ignore(REFUSED)
            return
        sync = self._sync(symbol)
        applied = sync.applied
        if sync.on_snapshot(data.lastUpdateId, data.bids, data.asks) is not Outcome.APPLIED:
            return
        for price, size in (*data.bids, *data.asks):
            writer.learn_decimals(price, size)
        writer.book(sync.ts_event if sync.applied > applied else ts_event, recv_ns, sync.book, sync.update_id)

    def _on_exchange_info(self, body: bytes) -> None:
        found = {info.symbol: metadata_of(info) for info in _EXCHANGE_INFOS.decode(body).symbols}
        for symbol, metadata in found.items():
            if metadata is None:
                self._metadata.pop(symbol, None)
                continue
            self._metadata[symbol] = metadata
            writer = self._publisher.known(symbol)
            if writer is not None:
                writer.describe(*metadata)

    def _open(self, symbol: str) -> InstrumentWriter:
        writer = self._publisher.known(symbol)
        if writer is None:
            writer = self._publisher.open(symbol)
            metadata = self._metadata.get(symbol)
            if metadata is not None:
                writer.describe(*metadata)
        return writer

    def _sync(self, symbol: str) -> BookSync:
        sync = self._books.get(symbol)
        if sync is None:
            sync = self._books[symbol] = BookSync(futures=self._futures)
        return sync

    def _ignore(self, what: str) -> None:
        self._ignored[what] = self._ignored.get(what, 0) + 1

    def _ignoring(self, what: str) -> Handler:
        """Return a handler that counts valid JSON and does nothing else."""

        def on_ignored(recv_ns: int, payload: bytes) -> None:  # noqa: ARG001 - the handlers' common signature
            _ENVELOPES.decode(payload)
            self._ignore(what)

        return on_ignored


_DECODERS: dict[str, Callable[[bytes], str]] = {
    streams.TRADE: lambda payload: handlers.TRADES.decode(payload).data.s,
    streams.AGG_TRADE: lambda payload: handlers.AGG_TRADES.decode(payload).data.s,
    streams.BOOK_TICKER: lambda payload: handlers.BOOK_TICKERS.decode(payload).data.s,
    streams.DEPTH: lambda payload: handlers.DEPTHS.decode(payload).data.s,
    streams.TICKER: lambda payload: handlers.TICKERS.decode(payload).data.s,
    streams.MINI_TICKER: lambda payload: handlers.MINI_TICKERS.decode(payload).data.s,
}


def _is_prefix(prefix: bytes, stream: str) -> bool:
    """Say whether a frame's text before its data names this stream and nothing more."""
    try:
        return _PREFIXES.decode(prefix + b'"}') == {"stream": stream}
    except DECODE_ERRORS:
        return False


def _reason(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
