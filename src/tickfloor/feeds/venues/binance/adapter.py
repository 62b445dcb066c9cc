"""Binance spot, USD-M and COIN-M: frames and HTTP bodies in, market events out."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.json import Decoder

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import BOOK_LEVELS, Audit
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Control, Reader, Repairs, StreamKey
from tickfloor.feeds.venues.binance import answers, handlers, streams
from tickfloor.feeds.venues.binance.all_market import AllMarket
from tickfloor.feeds.venues.binance.answers import Answers
from tickfloor.feeds.venues.binance.book_sync import BookSync
from tickfloor.feeds.venues.binance.controls import control_of
from tickfloor.feeds.venues.binance.frames import Candle, Envelope
from tickfloor.feeds.venues.binance.handlers import Handler
from tickfloor.feeds.venues.binance.instruments import REFUSED, Instruments
from tickfloor.feeds.venues.binance.statistics import AdapterStatistics, BookStatistics
from tickfloor.feeds.venues.binance.streams import ALL_SYMBOLS, VENUES, Stream

MAX_STREAMS: Final = 20_000
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_ENVELOPES = Decoder(Envelope)
_ENVELOPE_LISTS = Decoder(list[Envelope])
_PREFIXES = Decoder(dict[str, str])
_LEFT_OUT: Final = {
    REFUSED: "frames of instruments without a board row",
    answers.UNUSED: "REST answers without use",
    answers.OTHER_TRADES: "REST answers with trades of another kind than the stream's",
    answers.OLD_TRADES: "REST trades over a day old",
}


class BinanceAdapter:
    """Feeds one publisher from one Binance market.

    A combined frame's text before its data is the key to its stream's handler; everything else, the first frame
    of a stream and those of streams without a use included, takes the slow way through :meth:`_dispatch`. An
    instrument is opened by the first valid frame of a stream of its own, or by its first trades or book over REST;
    all-market streams only serve instruments that are open.

    Attributes:
        heard: receive time of the newest frame of each stream, ns UTC; an all-market stream has an empty symbol.
    """

    def __init__(
        self,
        venue: str,
        publisher: MarketPublisher,
        *,
        joins: TradeJoins,
        repairs: Repairs,
        audit: Audit | None = None,
    ) -> None:
        """Begin without streams.

        Args:
            venue: ``binance``, ``binance-usdm`` or ``binance-coinm``; decides the book's rules.
            joins: told of every instrument with trades, and given those that come over REST.
            repairs: asked for a snapshot whenever a book needs one.
            audit: given every new trade's wire text; None live.

        Raises:
            ValueError: another venue.
        """
        if venue not in VENUES:
            raise ValueError(f"{venue!r} is not a Binance venue: {', '.join(VENUES)}")
        self.heard: dict[StreamKey, int] = {}
        self._publisher = publisher
        self._repairs = repairs
        self._audit = audit
        self._instruments = Instruments(publisher, joins)
        self._joins = joins
        self._answers = Answers(self._instruments, publisher, joins, repairs)
        self._all_market = AllMarket(self._instruments, publisher)
        self._handlers: dict[bytes, tuple[Handler, StreamKey]] = {}
        self._by_stream: dict[Stream, Handler] = {}
        self._klines: dict[tuple[str, str], Candle] = {}
        self._malformed = 0

    def reader(self, connection: str) -> Reader:  # noqa: ARG002 - Binance numbers nothing by connection
        """Return what reads one connection's frames; what was missed before it shows in the ids."""
        return self._read

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in a REST answer: a book, metadata or trades; others are counted.

        Args:
            ref: its URL, the path and query of it, or ``REST-depth:SYMBOL``.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """
        try:
            self._answers.take(recv_ns, ref, body)
        except FrameError:
            self._malformed += 1
            raise
        except (*DECODE_ERRORS, ValueError) as error:
            self._malformed += 1
            raise FrameError(_reason(error)) from error

    def book(self, symbol: str) -> BookSync | None:
        """Return an instrument's book and its continuity, or None before its first event or snapshot."""
        return self._instruments.books.get(symbol)

    def statistics(self) -> AdapterStatistics:
        """Return what was seen so far."""
        books = {
            symbol: BookStatistics(
                sync.trusted, sync.update_id, sync.applied, sync.dropped, sync.waiting, sync.sequence_gaps,
                sync.snapshots_refused, sync.crossings, sync.overflowed,
            )
            for symbol, sync in self._instruments.books.items()
        }  # fmt: skip
        return AdapterStatistics(
            malformed=self._malformed, ignored=dict(+self._instruments.ignored), books=books, klines=dict(self._klines)
        )

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason; the reasons that did not occur are left out."""
        writers, instruments = self._publisher.writers, self._instruments
        counts = {
            "duplicate trades": sum(writer.duplicates for writer in writers),
            "outdated best prices": instruments.stale_quotes,
            "bars too old to revise": sum(writer.lost_revisions for writer in writers),
            "trades before the first": self._joins.statistics().earlier,
            "depth events beyond the buffer": sum(sync.overflowed for sync in instruments.books.values()),
            **{_LEFT_OUT.get(kind, f"frames of {kind}"): count for kind, count in instruments.ignored.items()},
        }
        return {f"{reason} ({self._publisher.venue})": count for reason, count in counts.items() if count}

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""
        return tuple(sorted(self._instruments.refused))

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the replay report's exact figures of every instrument, by ``venue:symbol``.

        Raises:
            ValueError: the adapter was made without an audit.
        """
        if self._audit is None:
            raise ValueError("exact figures need an adapter made with an Audit")
        found = {}
        for writer in self._publisher.writers:
            sync = self.book(writer.instrument.symbol)
            bids, asks = ([], []) if sync is None else sync.book.top(BOOK_LEVELS)
            found[writer.instrument.key] = self._audit.report(
                writer.instrument, forming=writer.forming.minute, id_gaps=writer.id_gaps, bids=bids, asks=asks,
                sequence_gaps=0 if sync is None else sync.sequence_gaps,
            )  # fmt: skip
        return found

    def _read(self, recv_ns: int, payload: bytes) -> Control | None:  # hot path: benchmarks/ingest.py
        """Take in a frame received at ``recv_ns``, ns UTC; see :data:`~tickfloor.feeds.venue.Reader`."""
        try:
            found = self._handlers.get(payload[: payload.find(b",")])
            if found is None:
                return self._dispatch(recv_ns, payload)
            handler, key = found
            handler(recv_ns, payload)
            self.heard[key] = recv_ns
        except FrameError:
            self._malformed += 1
            raise
        except DECODE_ERRORS as error:
            self._malformed += 1
            raise FrameError(_reason(error)) from error
        return None

    def _dispatch(self, recv_ns: int, payload: bytes) -> Control | None:
        """Handle a frame that no handler is registered for."""
        if payload[:1] == b"[":
            self._dispatch_array(recv_ns, payload)
            return None
        envelope = _ENVELOPES.decode(payload)
        if envelope.stream is not None and envelope.stream != streams.SHUTDOWN_STREAM:
            stream = streams.stream_of(envelope.stream)
            handler = self._handle(stream, recv_ns, payload)
            self._register(payload, envelope.stream, stream, handler)
            return None
        event = streams.event_of(envelope)
        if event is not None:
            self._handle(event, recv_ns, b'{"data":%b}' % payload)
            return None
        control = control_of(envelope)
        if control is None:
            self._ignore("other")
        return control

    def _dispatch_array(self, recv_ns: int, payload: bytes) -> None:
        """Handle a raw frame of an all-market ticker stream."""
        items = _ENVELOPE_LISTS.decode(payload)
        stream = streams.stream_of_event(items[0].e or "", "-") if items else None
        if stream is not None and stream.kind in (streams.TICKER, streams.MINI_TICKER):
            self._handle(Stream(stream.kind, ALL_SYMBOLS), recv_ns, b'{"data":%b}' % payload)
        else:
            self._ignore("other")

    def _register(self, payload: bytes, name: str, stream: Stream, handler: Handler) -> None:
        """Give a stream's next frames to its handler directly."""
        prefix = payload[: payload.find(b",")]
        key = streams.key_of(stream)
        if key is not None and len(self._handlers) < MAX_STREAMS and _is_prefix(prefix, name):
            self._handlers[prefix] = handler, key

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
        key = streams.key_of(stream)
        if key is not None:
            self.heard[key] = recv_ns
        return handler

    def _make_handler(self, stream: Stream, payload: bytes) -> Handler:
        """Return a new stream's handler. Its first frame is decoded before an instrument is opened for it."""
        kind, symbol = stream
        if symbol == ALL_SYMBOLS:
            return self._all_market.handler(kind) or self._ignoring(kind)
        if kind == streams.KLINE:
            return handlers.kline_handler(symbol, self._klines)
        decoder = _DECODERS.get(kind)
        if decoder is None:
            return self._ignoring(kind)
        found = decoder(payload)
        if found != symbol:
            raise FrameError(f"frame of {found[:48]!r} in the stream of {symbol}")
        instruments = self._instruments
        if kind in (streams.TRADE, streams.AGG_TRADE):
            if instruments.trade_kinds.get(symbol, kind) != kind:
                return self._ignoring(kind)
            writer = instruments.open_trades(symbol, kind)
            return self._ignoring(REFUSED) if writer is None else self._make_trade_handler(kind, writer)
        writer = instruments.open(symbol)
        if writer is None:
            return self._ignoring(REFUSED)
        if kind == streams.BOOK_TICKER:
            return handlers.book_ticker_handler(writer, instruments.quotes(symbol))
        if kind == streams.DEPTH:
            return handlers.depth_handler(self._publisher, writer, instruments.book(symbol), self._repairs)
        if kind == streams.TICKER:
            return handlers.ticker_handler(writer, handlers.TICKERS)
        return handlers.ticker_handler(writer, handlers.MINI_TICKERS)

    def _make_trade_handler(self, kind: str, writer: InstrumentWriter) -> Handler:
        if self._audit is None:
            make = handlers.trade_handler if kind == streams.TRADE else handlers.agg_trade_handler
            return make(writer)
        make_audited = handlers.audited_trade_handler if kind == streams.TRADE else handlers.audited_agg_trade_handler
        return make_audited(writer, self._audit)

    def _ignore(self, what: str) -> None:
        self._instruments.ignored[what] += 1

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
        return _PREFIXES.decode(prefix + b"}") == {"stream": stream}
    except DECODE_ERRORS:
        return False


def _reason(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
