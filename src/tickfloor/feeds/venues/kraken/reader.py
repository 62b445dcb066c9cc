"""Reads the frames of one connection."""

from collections.abc import Callable
from typing import Final

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.instrument_writer import NO_TIME
from tickfloor.feeds.venue import BacklogTrade, Channel, Control, Resubscribe, StreamKey
from tickfloor.feeds.venues.kraken import frames
from tickfloor.feeds.venues.kraken.books import BookCopy, CheckedEvent
from tickfloor.feeds.venues.kraken.connection_life import ConnectionLife
from tickfloor.feeds.venues.kraken.frames import Envelope, TradeText
from tickfloor.feeds.venues.kraken.market import BUY, SELL, audit_trade, backlog_trade, check_together
from tickfloor.feeds.venues.kraken.markets import Markets
from tickfloor.feeds.venues.kraken.metadata import metadata_of_pair
from tickfloor.feeds.venues.kraken.names import checked_symbol
from tickfloor.feeds.venues.kraken.replies import answer_of, channels_of, error_of
from tickfloor.feeds.venues.kraken.state_time import state_time
from tickfloor.feeds.venues.rfc3339 import time_ns

Handler = Callable[[int, bytes], Control | None]

TICKER_CHANNELS: Final = (Channel.QUOTES, Channel.TICKERS)
MOST_SYMBOLS: Final = 20_000
OFFERS_NS: Final = 1_000_000_000
"""Between two looks if books that were behind are the newest ones now."""


class ConnectionReader:
    """Reads one connection's frames; what belongs to the connection alone is kept here.

    A frame's text up to its first comma names its channel; a frame that begins otherwise takes a slower way.
    """

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._publisher = markets.publisher
        self._life = ConnectionLife()
        self._copies: dict[str, BookCopy] = {}
        self._behind: set[BookCopy] = set()
        self._offered_ns = 0
        self._unread: set[StreamKey] = set()
        self._depths: dict[str, int] = {}
        self._triggers: dict[str, tuple[Channel, ...]] = {}
        self._by_channel: dict[str, Handler] = {
            "trade": self._on_trades,
            "book": self._on_book,
            "ticker": self._on_ticker,
            "ohlc": self._on_candles,
            "instrument": self._on_instruments,
            "status": self._on_status,
            "heartbeat": _on_heartbeat,
        }
        self._by_prefix = {b'{"channel":"%b"' % name.encode(): handler for name, handler in self._by_channel.items()}

    def on_frame(self, recv_ns: int, payload: bytes) -> Control | None:  # hot path: every frame
        """Take in a frame received at ``recv_ns``, ns UTC.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """
        self._life.heard_ns = recv_ns
        try:
            handler = self._by_prefix.get(payload[: payload.find(b",")]) or self._dispatch
            control = handler(recv_ns, payload)
        except FrameError:
            self._lose_books(recv_ns, payload)
            raise
        except frames.DECODE_ERRORS as error:
            self._lose_books(recv_ns, payload)
            raise FrameError(frames.reason(error)) from error
        if self._behind and recv_ns - self._offered_ns >= OFFERS_NS:
            self._offer_behind(recv_ns)
        if control is None and self._unread:
            return self._renewal()
        return control

    def _lose_books(self, recv_ns: int, payload: bytes) -> None:
        """Trust no book that a refused frame may have been about; without a number the next one does not show it."""
        for symbol in frames.books_in(payload, self._copies.keys() | self._depths.keys()):
            copy = self._copies.get(symbol) or self._begin_copy(symbol)
            if copy is not None and copy.lose(NO_TIME, recv_ns):
                self._unread.add(copy.key)

    def _renewal(self) -> Resubscribe:
        """Return which books are to be asked for anew because of frames that were refused, once."""
        keys = tuple(sorted(self._unread))
        self._unread.clear()
        return Resubscribe(keys, "a message of the book cannot be read")

    def _offer_behind(self, recv_ns: int) -> None:
        """Publish books that waited behind another connection's if that one has ended."""
        self._offered_ns = recv_ns
        for copy in list(self._behind):
            if copy.behind:
                copy.offer(recv_ns)
            if not copy.behind:
                self._behind.discard(copy)

    def _dispatch(self, recv_ns: int, payload: bytes) -> Control | None:
        """Handle what is no data, or data that begins unusually."""
        envelope = frames.ENVELOPES.decode(payload)
        if envelope.channel is not None:
            handler = self._by_channel.get(envelope.channel)
            if handler is not None:
                return handler(recv_ns, payload)
            self._markets.ignore("frames of other channels")
        elif envelope.method in ("subscribe", "unsubscribe"):
            return self._on_answer(envelope)
        elif envelope.method == "pong":
            return None
        elif envelope.rate_error is not None or envelope.error is not None:
            return error_of(envelope)
        else:
            self._markets.ignore("other frames")
        return None

    def _on_answer(self, envelope: Envelope) -> Control:
        result = envelope.result
        if envelope.success and result is not None and result.symbol is not None:
            symbol = checked_symbol(result.symbol)
            if result.channel == "book":
                self._on_book_answer(symbol, result.depth, subscribed=envelope.method == "subscribe")
            elif result.channel == "ticker" and len(self._triggers) < MOST_SYMBOLS:
                self._triggers[symbol] = channels_of(result, envelope.req_id)
        return answer_of(envelope)

    def _on_book_answer(self, symbol: str, depth: int | None, *, subscribed: bool) -> None:
        """Note how deep a book is, or that it has ended: what comes next must begin with a snapshot."""
        copy = self._copies.get(symbol)
        if not subscribed:
            self._depths.pop(symbol, None)
            if copy is not None:
                copy.end()
        elif depth is not None and len(self._depths) < MOST_SYMBOLS:
            self._depths[symbol] = depth
            if copy is not None:
                copy.limit(depth)

    def _on_trades(self, recv_ns: int, payload: bytes) -> None:  # hot path
        frame = frames.TRADES.decode(payload)
        if frame.type == "snapshot":
            self._on_past_trades(recv_ns, frames.TRADE_TEXTS.decode(payload).data)
            return
        trades, markets = frame.data, self._markets
        if len(trades) > 1 or any(trade.symbol not in markets.joined for trade in trades):
            check_together(trades, self._publisher, recv_ns)
        texts = frames.TRADE_TEXTS.decode(payload).data if markets.audit is not None else None
        for index, trade in enumerate(trades):
            market = markets.joined.get(trade.symbol) or markets.trading(trade.symbol)
            if market is None:
                markets.heard[StreamKey(Channel.TRADES, trade.symbol)] = recv_ns
                continue
            ts_event, side = time_ns(trade.timestamp), BUY if trade.side == "buy" else SELL
            new = market.publish(ts_event, recv_ns, trade.price, trade.qty, side, trade.trade_id, 1)
            if new and texts is not None and markets.audit is not None:
                audit_trade(markets.audit, market.writer, texts[index])
            markets.heard[market.trades_key] = recv_ns

    def _on_past_trades(self, recv_ns: int, texts: list[TradeText]) -> None:
        """Hand the last trades before a subscription to whoever looks for missing ones."""
        by_symbol: dict[str, list[BacklogTrade]] = {}
        for text in texts:
            by_symbol.setdefault(checked_symbol(text.symbol), []).append(backlog_trade(text))
        for symbol, trades in by_symbol.items():
            self._markets.heard[StreamKey(Channel.TRADES, symbol)] = recv_ns
            self._markets.backlog(symbol, trades, recv_ns, streamed=True)

    def _on_book(self, recv_ns: int, payload: bytes) -> Control | None:  # hot path: most of what Kraken sends
        frame = frames.BOOKS.decode(payload)
        publisher, copies, snapshot = self._publisher, self._copies, frame.type == "snapshot"
        events = [CheckedEvent(data, publisher, recv_ns, snapshot=snapshot) for data in frame.data]
        for event in events:
            if event.symbol not in copies:
                checked_symbol(event.symbol)
        wrong: list[StreamKey] = []
        for event in events:
            copy = copies.get(event.symbol) or self._begin_copy(event.symbol)
            if copy is None:
                self._markets.heard[StreamKey(Channel.BOOK, event.symbol)] = recv_ns
                continue
            self._markets.heard[copy.key] = recv_ns
            if copy.take(event, recv_ns):
                wrong.append(copy.key)
            if copy.behind:
                self._behind.add(copy)
        if not wrong:
            return None
        return Resubscribe(tuple(wrong), "the book has not the checksum that the venue sends")

    def _begin_copy(self, symbol: str) -> BookCopy | None:
        """Return what takes a book's messages from now on, or None where there is no room for the instrument."""
        market = self._markets.market(symbol)
        if market is None:
            return None
        key = StreamKey(Channel.BOOK, symbol)
        copy = self._copies[symbol] = BookCopy(market.book, key, self._depths.get(symbol), self._life)
        return copy

    def _on_ticker(self, recv_ns: int, payload: bytes) -> None:
        tickers = frames.TICKERS.decode(payload).data
        times = [state_time(ticker.timestamp, self._publisher, recv_ns) for ticker in tickers]
        for ticker in tickers:
            checked_symbol(ticker.symbol)
        for ticker, ts_event in zip(tickers, times, strict=True):
            symbol = ticker.symbol
            for channel in self._triggers.get(symbol, TICKER_CHANNELS):
                self._markets.heard[StreamKey(channel, symbol)] = recv_ns
            market = self._markets.market(symbol)
            if market is not None:
                market.ticker(ticker, ts_event, recv_ns, self._life)

    def _on_candles(self, recv_ns: int, payload: bytes) -> None:
        candles = frames.CANDLES.decode(payload).data
        for candle in candles:
            checked_symbol(candle.symbol)
            time_ns(candle.interval_begin)
        for candle in candles:
            self._markets.heard[StreamKey(Channel.BARS, candle.symbol)] = recv_ns
            self._markets.candles[candle.symbol, candle.interval] = candle

    def _on_instruments(self, recv_ns: int, payload: bytes) -> None:  # noqa: ARG002 - the handlers' signature
        for pair in frames.INSTRUMENTS.decode(payload).data.pairs:
            metadata = metadata_of_pair(pair)
            if metadata is not None:
                self._markets.describe(pair.symbol, metadata)

    def _on_status(self, recv_ns: int, payload: bytes) -> None:  # noqa: ARG002 - the handlers' signature
        for status in frames.STATUSES.decode(payload).data:
            if status.system != "online":
                self._markets.ignore(f"notices that the venue is {status.system or 'in no state'}")


def _on_heartbeat(recv_ns: int, payload: bytes) -> None:
    """Do nothing: that a frame came was noted by the connection."""
