"""What is kept of one instrument, whichever connections its frames come by."""

import math
from collections.abc import Sequence
from typing import Final

from tickfloor.contracts.records import Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.instrument_writer import MAX_LATE_NS, NO_TIME, InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.publishing.trade_ids import MOST_MISSING
from tickfloor.feeds.venue import BacklogTrade, Channel, StreamKey
from tickfloor.feeds.venues.kraken.books import PublishedBook
from tickfloor.feeds.venues.kraken.connection_life import ConnectionLife
from tickfloor.feeds.venues.kraken.frames import RestTrade, Ticker, Trade, TradeText
from tickfloor.feeds.venues.kraken.names import checked_symbol
from tickfloor.feeds.venues.kraken.unix_time import unix_ns
from tickfloor.feeds.venues.kraken.written import positive, text_of
from tickfloor.feeds.venues.rfc3339 import time_ns

BUY, SELL = int(Side.BUY), int(Side.SELL)
EACH_TRADE: Final = 1
Stats = tuple[tuple[float, float, float, float], tuple[float, float, float]]


class Market:
    """One instrument.

    Attributes:
        writer: publishes it.
        publish: the writer's own :meth:`InstrumentWriter.trade`.
        trades_key: the stream of its trades.
        book: its book.
        outdated_tickers: best prices dropped because newer ones had come by another connection.
    """

    __slots__ = ("_stats", "_ticker_life", "_ticker_ns", "book", "outdated_tickers", "publish", "trades_key", "writer")

    def __init__(self, writer: InstrumentWriter) -> None:
        self.writer = writer
        self.publish = writer.trade
        self.trades_key = StreamKey(Channel.TRADES, writer.instrument.symbol)
        self.book = PublishedBook(writer)
        self.outdated_tickers = 0
        self._ticker_ns = 0
        self._ticker_life: ConnectionLife | None = None
        self._stats: Stats | None = None

    def ticker(self, ticker: Ticker, ts_event: int, recv_ns: int, life: ConnectionLife) -> None:
        """Publish best prices, and 24 h statistics where they have moved; a side without price is empty.

        Args:
            ts_event: its checked venue time, ns UTC, or NO_TIME.
            life: of the connection that it came by. What comes by one connection is in order.
        """
        if ts_event != NO_TIME:
            newest = self._ticker_life
            if ts_event < self._ticker_ns and newest is not life and newest and not newest.is_over(recv_ns):
                self.outdated_tickers += 1
                return
            self._ticker_ns, self._ticker_life = ts_event, life
        bid, bid_qty, ask, ask_qty = ticker.bid, ticker.bid_qty, ticker.ask, ticker.ask_qty
        if not bid or bid_qty is None:
            bid = bid_qty = math.nan
        if not ask or ask_qty is None:
            ask = ask_qty = math.nan
        self.writer.quote(ts_event, recv_ns, bid, bid_qty, ask, ask_qty)
        stats = stats_of(ticker)
        if stats is not None and stats != self._stats:
            self._stats = stats
            self.writer.stats(ts_event, recv_ns, *stats)


def stats_of(ticker: Ticker) -> Stats | None:
    """Return 24 h statistics as :meth:`InstrumentWriter.stats` takes them, or None where the market has none."""
    last, change, low, high = ticker.last, ticker.change, ticker.low, ticker.high
    volume, vwap, percent = ticker.volume, ticker.vwap, ticker.change_pct
    if last is None or change is None or low is None or high is None:
        return None
    if volume is None or vwap is None or percent is None:
        return None
    return (last - change, high, low, percent), (volume, volume * vwap, math.nan)


def check_together(trades: Sequence[Trade], publisher: MarketPublisher, recv_ns: int) -> None:
    """Refuse trades of which one would be refused, so that none is published; changes nothing.

    Raises:
        FrameError: a symbol, time or id cannot be.
    """
    times = [time_ns(trade.timestamp) for trade in trades]
    for trade, ts_event in zip(trades, times, strict=True):
        checked_symbol(trade.symbol)
        publisher.check_time(ts_event, recv_ns)
    if min(times) < max(publisher.venue_ns, *times) - MAX_LATE_NS:
        raise FrameError(f"trade time {min(times)} ns is over a day behind the venue's")
    ids = [trade.trade_id for trade in trades]
    if max(ids) - min(ids) > MOST_MISSING:
        raise FrameError(f"trades {min(ids)} and {max(ids)} in one frame")


def audit_trade(audit: Audit, writer: InstrumentWriter, text: TradeText) -> None:
    """Hand a published trade's wire text to the audit."""
    audit.trade(writer.instrument, text_of(text.price), text_of(text.qty), text.trade_id)


def backlog_trade(text: TradeText) -> BacklogTrade:
    """Return a trade of a snapshot.

    Raises:
        FrameError: its numbers or time are none.
    """
    price, qty = text_of(text.price), text_of(text.qty)
    side = BUY if text.side == "buy" else SELL
    ts_event = time_ns(text.timestamp)
    return BacklogTrade(ts_event, positive(price), positive(qty), side, text.trade_id, EACH_TRADE, price, qty)


def rest_trade(row: RestTrade) -> BacklogTrade:
    """Return a trade of a REST answer.

    Raises:
        FrameError: its numbers or time are none.
    """
    price, qty, seconds, taker, _, _, trade_id = row
    side = BUY if taker == "b" else SELL
    ts_event = unix_ns(text_of(seconds))
    return BacklogTrade(ts_event, positive(price), positive(qty), side, trade_id, EACH_TRADE, price, qty)
