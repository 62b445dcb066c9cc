"""Reads the frames of one connection."""

from collections.abc import Iterable
from typing import Final

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Control, GoingAway, Listed, Refused, Resubscribe, StreamKey
from tickfloor.feeds.venues.coinbase import frames
from tickfloor.feeds.venues.coinbase.books import BookStreams
from tickfloor.feeds.venues.coinbase.frames import (
    NO_NUMBER,
    Books,
    Frame,
    Heartbeats,
    MarketTrades,
    Other,
    Subscriptions,
    Tickers,
)
from tickfloor.feeds.venues.coinbase.products import ProductFeeds
from tickfloor.feeds.venues.coinbase.sequence import Sequence, Step
from tickfloor.feeds.venues.coinbase.tickers import TickerStreams
from tickfloor.feeds.venues.coinbase.trades import TradeStreams

SILENT_NS: Final = 15_000_000_000
"""Heartbeats come every second."""

CHANNELS: Final = {
    "market_trades": (Channel.TRADES,),
    "ticker": (Channel.QUOTES, Channel.TICKERS),
    "level2": (Channel.BOOK,),
}
"""What a subscription brings, by the name that it is asked for with."""

NOT_USED: Final = frozenset({"candles", "status", "ticker_batch", "user", "futures_balance_summary"})
"""Channels that are known and counted by name; the rest is counted as ``other``."""


class ConnectionReader:
    """What belongs to a connection: the numbering of its frames, and what it is subscribed to.

    When frames are missing, nobody can say of which stream: none is trusted, and all are asked for anew. Trades that
    are missing show by their ids too, but those of a quiet product only when it trades again. Of a frame that is
    refused it is known what it was about: only a book cannot go on without it.
    """

    def __init__(
        self, products: ProductFeeds, trades: TradeStreams, tickers: TickerStreams, books: BookStreams
    ) -> None:
        self._products = products
        self._trades = trades
        self._tickers = tickers
        self._books = books
        self._sequence = Sequence()
        self._subscribed: frozenset[StreamKey] = frozenset()
        self._lost = False
        self._untrusted: set[StreamKey] = set()
        self._reason = ""
        self._heartbeat_ns = 0

    def read(self, recv_ns: int, payload: bytes) -> Control | None:  # hot path: every frame
        """Take in a frame; see :data:`~tickfloor.feeds.venue.Reader`.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """
        try:
            frame = frames.decode(payload)
        except FrameError:
            self._on_undecoded(recv_ns, payload)
            raise
        number = frame.sequence_num
        step = Step.NEXT if number == NO_NUMBER else self._sequence.judge(number)
        if step is Step.OLD:
            self._on_old(recv_ns, frame, payload)
            return None
        if step is Step.LOST:
            self._lose(recv_ns, "frames are missing")
        try:
            control = self._on_frame(recv_ns, frame, payload)
        except FrameError:
            self._on_refused(recv_ns, number, payload, of_book=isinstance(frame, Books))
            raise
        if number != NO_NUMBER:
            self._sequence.accept(number, step)
        if isinstance(frame, Heartbeats) and self._misses_heartbeats(frame):
            self._lose(recv_ns, "heartbeats are missing")
        # What the venue says is said but once; what is lost can be asked for with the next frame.
        return control or self._renewal() or self._farewell(recv_ns)

    def _on_frame(self, recv_ns: int, frame: Frame | Other, payload: bytes) -> Control | None:
        if isinstance(frame, Books):
            needed = self._books.on_frame(recv_ns, frame, self)
            if needed:
                self._distrust(needed, "there is no snapshot")
        elif isinstance(frame, MarketTrades):
            self._trades.on_frame(recv_ns, frame, payload)
        elif isinstance(frame, Tickers):
            self._tickers.on_frame(recv_ns, frame)
        elif isinstance(frame, Heartbeats):
            self._heartbeat_ns = recv_ns
        elif isinstance(frame, Subscriptions):
            return self._on_subscriptions(frame)
        else:
            return self._on_other(frame)
        return None

    def _on_old(self, recv_ns: int, frame: Frame | Other, payload: bytes) -> None:
        """Take in a frame that newer ones have overtaken: of trades only, which have ids, it is not too late."""
        self._sequence.accept(frame.sequence_num, Step.OLD)
        if isinstance(frame, MarketTrades):
            self._trades.on_frame(recv_ns, frame, payload)
        else:
            self._products.left_out["frames that newer ones have overtaken"] += 1

    def _on_subscriptions(self, frame: Subscriptions) -> Listed:
        self._subscribed = frozenset(
            StreamKey(channel, symbol)
            for event in frame.events
            for name, symbols in event.subscriptions.items()
            for channel in CHANNELS.get(name, ())
            for symbol in symbols
        )
        return Listed(self._subscribed)

    def _on_other(self, frame: Other) -> Control | None:
        if frame.type == "error":
            return Refused(None, None, (frame.message or "an error without message")[:200])
        name = frame.channel if frame.channel in NOT_USED else "other"
        self._products.left_out[f"frames of {name}"] += 1
        return None

    def _on_undecoded(self, recv_ns: int, payload: bytes) -> None:
        """Handle a malformed frame. Where it cannot be said what it was, the next one's number will show that."""
        envelope = frames.envelope_of(payload)
        if envelope is None or envelope.sequence_num == NO_NUMBER:
            return
        if self._sequence.judge(envelope.sequence_num) is Step.NEXT:
            of_book = envelope.channel == frames.BOOK_CHANNEL
            self._on_refused(recv_ns, envelope.sequence_num, payload, of_book=of_book)

    def _on_refused(self, recv_ns: int, number: int, payload: bytes, *, of_book: bool) -> None:
        # A heartbeat may have been refused: counting them begins anew, as after a loss.
        self._sequence.accept(number, Step.LOST)
        if of_book:
            symbols = frames.products_of_books(payload) or self._book_symbols()
            self._distrust(self._books.give_up(recv_ns, self, symbols), "changes of a book cannot be read")

    def _lose(self, recv_ns: int, reason: str) -> None:
        """Trust no stream of this connection any more."""
        self._lost = True
        self._distrust(self._books.give_up(recv_ns, self, self._book_symbols()), reason)

    def _book_symbols(self) -> set[str]:
        """Return whose books this connection brings."""
        subscribed = {key.symbol for key in self._subscribed if key.channel is Channel.BOOK}
        return subscribed | self._books.kept_by(self)

    def _distrust(self, keys: Iterable[StreamKey], reason: str) -> None:
        """Note which streams are to be asked for anew."""
        self._untrusted.update(keys)
        self._reason = reason

    def _renewal(self) -> Resubscribe | None:
        """Return what is to be asked for anew, once."""
        if self._lost:
            self._lost = False
            self._untrusted |= self._subscribed
        if not self._untrusted:
            return None
        keys = tuple(sorted(self._untrusted))
        self._untrusted.clear()
        return Resubscribe(keys, self._reason)

    def _misses_heartbeats(self, frame: Heartbeats) -> bool:
        missing = False
        for event in frame.events:
            missing = self._sequence.misses_heartbeats(event.heartbeat_counter) or missing
        return missing

    def _farewell(self, recv_ns: int) -> GoingAway | None:
        """Say once that heartbeats have stopped: without them the venue closes quiet channels."""
        if not self._heartbeat_ns or recv_ns - self._heartbeat_ns < SILENT_NS:
            return None
        self._heartbeat_ns = 0
        return GoingAway()
