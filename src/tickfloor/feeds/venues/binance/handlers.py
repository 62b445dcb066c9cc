"""One function per stream: decode a combined frame, check it, hand it to the instrument's writer.

Each is bound once to its writer and decoder, so that a frame costs one look-up, one decode and one call. They
raise msgspec's errors as they come; the adapter turns them into :class:`FrameError`.
"""

import math
from collections.abc import Callable

from msgspec.json import Decoder

from tickfloor.contracts.records import Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.instrument_writer import MAX_LATE_NS, NO_TIME, InstrumentWriter
from tickfloor.feeds.publishing.jumps import JumpGuard
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Repairs
from tickfloor.feeds.venues.binance.book_sync import BookSync, Outcome
from tickfloor.feeds.venues.binance.frames import (
    MICROSECONDS_FROM,
    AggTrade,
    AggTradeText,
    BookTicker,
    Candle,
    Combined,
    DepthUpdate,
    Kline,
    MiniTicker,
    Ticker,
    Trade,
    TradeText,
    time_ns,
)
from tickfloor.feeds.venues.binance.waiting_events import BookEvent

Handler = Callable[[int, bytes], object]
"""Takes the receive time, ns UTC, and the frame."""

TRADES = Decoder(Combined[Trade], strict=False)
AGG_TRADES = Decoder(Combined[AggTrade], strict=False)
TRADE_TEXTS = Decoder(Combined[TradeText])
AGG_TRADE_TEXTS = Decoder(Combined[AggTradeText])
BOOK_TICKERS = Decoder(Combined[BookTicker], strict=False)
DEPTHS = Decoder(Combined[DepthUpdate], strict=False)
KLINES = Decoder(Combined[Kline], strict=False)
TICKERS = Decoder(Combined[Ticker], strict=False)
MINI_TICKERS = Decoder(Combined[MiniTicker], strict=False)
TICKER_ARRAYS = Decoder(Combined[list[Ticker]], strict=False)
MINI_TICKER_ARRAYS = Decoder(Combined[list[MiniTicker]], strict=False)

BUY, SELL = int(Side.BUY), int(Side.SELL)
WITHOUT_BOOK = (Outcome.FIRST, Outcome.GAP, Outcome.UNSURE)
"""There is no book to go by."""
TO_FETCH = (*WITHOUT_BOOK, Outcome.THIN, Outcome.REFUSED)
"""A snapshot is needed."""
MOST_UPDATES = 1_000_000_000_000
"""Update ids between two best prices of an instrument: on futures all symbols share the counter."""
RENUMBERED_NS = 2_000_000_000
"""Without a newer best price for so long, an older update id is no late one: the venue counts anew."""


class QuoteState:
    """Newest best prices of one instrument, shared by its own and the all-market stream.

    Attributes:
        last_id: update id of the newest; -1 before the first.
        last_ns: its receive time, ns UTC.
        stale: best prices dropped because a newer one had come.
    """

    __slots__ = ("_jumps", "last_id", "last_ns", "stale")

    def __init__(self) -> None:
        self.last_id = -1
        self.last_ns = 0
        self.stale = 0
        self._jumps = JumpGuard(MOST_UPDATES)

    def follows(self, update_id: int, recv_ns: int) -> bool:
        """Say whether an update is newer than the newest."""
        last = self.last_id
        if last < 0 or last < update_id <= last + MOST_UPDATES:
            return True
        if not self._jumps.believes(last, update_id):
            return False
        if not last - MOST_UPDATES <= update_id <= last:
            return True
        return update_id < last and recv_ns - self.last_ns > RENUMBERED_NS


def trade_handler(writer: InstrumentWriter) -> Handler:
    """Return the handler of a ``trade`` stream; it returns whether the trade was new."""
    decode, publish, symbol = TRADES.decode, writer.trade, writer.instrument.symbol

    def on_trade(recv_ns: int, payload: bytes) -> bool:  # hot path: benchmarks/ingest.py
        data = decode(payload).data
        if data.s != symbol:
            raise _wrong_symbol(data.s, symbol)
        time = data.T
        return publish(
            time * 1_000_000 if time < MICROSECONDS_FROM else time * 1_000,
            recv_ns, data.p, data.q, SELL if data.m else BUY, data.t, 1,
        )  # fmt: skip

    return on_trade


def agg_trade_handler(writer: InstrumentWriter) -> Handler:
    """Return the handler of an ``aggTrade`` stream; it returns whether the trade was new."""
    decode, publish, symbol = AGG_TRADES.decode, writer.trade, writer.instrument.symbol

    def on_agg_trade(recv_ns: int, payload: bytes) -> bool:  # hot path: benchmarks/ingest.py
        data = decode(payload).data
        if data.s != symbol:
            raise _wrong_symbol(data.s, symbol)
        time, count = data.T, data.l - data.f + 1
        if not 0 < count < 1_000_000_000:
            raise FrameError(f"aggregate of the trades {data.f} to {data.l}")
        return publish(
            time * 1_000_000 if time < MICROSECONDS_FROM else time * 1_000,
            recv_ns, data.p, data.q, SELL if data.m else BUY, data.a, count,
        )  # fmt: skip

    return on_agg_trade


def audited_trade_handler(writer: InstrumentWriter, audit: Audit) -> Handler:
    """Return the handler of a ``trade`` stream that also hands every new trade's wire text to the audit."""
    handler, decode, instrument = trade_handler(writer), TRADE_TEXTS.decode, writer.instrument

    def on_trade(recv_ns: int, payload: bytes) -> None:
        # First, because it may be refused, and nothing of a refused frame is applied.
        text = decode(payload).data
        if handler(recv_ns, payload):
            audit.trade(instrument, text.p, text.q, text.t)

    return on_trade


def audited_agg_trade_handler(writer: InstrumentWriter, audit: Audit) -> Handler:
    """Return the handler of an ``aggTrade`` stream that also hands every new one's wire text to the audit."""
    handler, decode, instrument = agg_trade_handler(writer), AGG_TRADE_TEXTS.decode, writer.instrument

    def on_agg_trade(recv_ns: int, payload: bytes) -> None:
        text = decode(payload).data
        if handler(recv_ns, payload):
            audit.trade(instrument, text.p, text.q, text.a)

    return on_agg_trade


def book_ticker_handler(writer: InstrumentWriter, state: QuoteState) -> Handler:
    """Return the handler of a ``bookTicker`` stream."""
    decode, symbol = BOOK_TICKERS.decode, writer.instrument.symbol

    def on_book_ticker(recv_ns: int, payload: bytes) -> None:  # hot path: benchmarks/ingest.py
        data = decode(payload).data
        if data.s != symbol:
            raise _wrong_symbol(data.s, symbol)
        publish_book_ticker(writer, state, recv_ns, data)

    return on_book_ticker


def publish_book_ticker(writer: InstrumentWriter, state: QuoteState, recv_ns: int, data: BookTicker) -> None:
    """Publish best prices unless newer ones have come; a side without price is empty."""
    if not state.follows(data.u, recv_ns):
        state.stale += 1
        return
    time = data.E
    bid, bid_size, ask, ask_size = data.b, data.B, data.a, data.A
    if not bid:
        bid = bid_size = math.nan
    if not ask:
        ask = ask_size = math.nan
    writer.quote(time_ns(time) if time else NO_TIME, recv_ns, bid, bid_size, ask, ask_size)
    state.last_id, state.last_ns = data.u, recv_ns


def depth_handler(publisher: MarketPublisher, writer: InstrumentWriter, sync: BookSync, repairs: Repairs) -> Handler:
    """Return the handler of a ``depth`` stream; it asks for a snapshot whenever the book needs one."""
    decode, symbol = DEPTHS.decode, writer.instrument.symbol

    def on_depth(recv_ns: int, payload: bytes) -> None:  # hot path: a COIN-M book sends 100 a second
        data = decode(payload).data
        if data.s != symbol:
            raise _wrong_symbol(data.s, symbol)
        ts_event = time_ns(data.E)
        event = BookEvent(data.U, data.u, data.pu, ts_event, data.b, data.a)
        sync.check(event)
        check_book_time(publisher, ts_event, recv_ns)
        outcome = sync.on_event(event)
        if outcome is Outcome.APPLIED or outcome is Outcome.THIN:
            writer.book(ts_event, recv_ns, sync.book, sync.update_id)
        elif outcome in WITHOUT_BOOK:
            writer.book_gap(ts_event, recv_ns)
        if outcome in TO_FETCH:
            repairs.book(symbol)

    return on_depth


def check_book_time(publisher: MarketPublisher, ts_event: int, recv_ns: int) -> None:
    """Refuse the venue time of a book that its writer would refuse, before the book is changed.

    Raises:
        FrameError: it is over a day behind the venue's, or further ahead than can be.
    """
    if ts_event < publisher.venue_ns - MAX_LATE_NS:
        raise FrameError(f"venue time {ts_event} ns is over a day behind the venue's {publisher.venue_ns} ns")
    publisher.check_time(ts_event, recv_ns)


def kline_handler(symbol: str, klines: dict[tuple[str, str], Candle]) -> Handler:
    """Return the handler of a ``kline`` stream: the venue's bar is kept as last seen."""

    def on_kline(recv_ns: int, payload: bytes) -> None:  # noqa: ARG001 - the handlers' common signature
        data = KLINES.decode(payload).data
        if data.s != symbol:
            raise _wrong_symbol(data.s, symbol)
        if len(data.k.i) > 3:
            raise FrameError(f"{data.k.i[:8]!r} is not an interval")
        klines[symbol, data.k.i] = data.k

    return on_kline


def ticker_handler(
    writer: InstrumentWriter, decoder: Decoder[Combined[Ticker]] | Decoder[Combined[MiniTicker]]
) -> Handler:
    """Return the handler of a ``ticker`` or ``miniTicker`` stream, by its decoder."""
    decode, symbol = decoder.decode, writer.instrument.symbol

    def on_ticker(recv_ns: int, payload: bytes) -> None:
        data = decode(payload).data
        if data.s != symbol:
            raise _wrong_symbol(data.s, symbol)
        publish_ticker(writer, recv_ns, data)

    return on_ticker


def publish_ticker(writer: InstrumentWriter, recv_ns: int, data: Ticker | MiniTicker) -> None:
    """Publish 24 h statistics; the mini ticker's change is computed and its count unknown."""
    if isinstance(data, Ticker):
        change, count = data.P, float(data.n)
    else:
        change, count = (data.c - data.o) / data.o * 100.0 if data.o else math.nan, math.nan
    writer.stats(time_ns(data.E), recv_ns, (data.o, data.h, data.l, change), (data.v, data.q, count))


def _wrong_symbol(found: str, expected: str) -> FrameError:
    return FrameError(f"frame of {found[:48]!r} in the stream of {expected}")
