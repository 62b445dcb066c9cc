"""Trades of frames and REST answers.

``side`` is the maker's, so the taker's is the other one. That is not documented for this API and stated otherwise by
others; in the recorded frames 54 of 56 trades with side SELL were made at the best ask or with BUY at the best bid,
and none the other way round. It must be checked against the live venue before it is relied upon.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from tickfloor.contracts.records import Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.venue import BacklogTrade
from tickfloor.feeds.venues.coinbase import frames
from tickfloor.feeds.venues.coinbase.frames import MarketTrades, Trade, TradeText
from tickfloor.feeds.venues.coinbase.products import NO_ROW, ProductFeed, ProductFeeds
from tickfloor.feeds.venues.rfc3339 import time_ns

TAKERS: Final = {"BUY": int(Side.SELL), "SELL": int(Side.BUY)}
UNKNOWN: Final = int(Side.UNKNOWN)
REFUSED: Final = "trades refused by their time or id"

_by_id = attrgetter("trade_id")
_NO_TEXT: Final = TradeText("", "")


class TradeStreams:
    """Publishes trades in the order of their ids; within a frame the venue sends the newest first."""

    def __init__(self, products: ProductFeeds, joins: TradeJoins, audit: Audit | None) -> None:
        self._products = products
        self._joins = joins
        self._audit = audit

    def on_frame(self, recv_ns: int, frame: MarketTrades, payload: bytes) -> None:
        """Take in a frame.

        Raises:
            FrameError: it cannot be; nothing of it was applied.
        """
        events = frame.events
        for event in events:
            for trade in event.trades:
                time_ns(trade.time)
                self._products.of(trade.product_id)
        if self._audit is None and not any(event.type == "snapshot" for event in events):
            for event in events:
                self._live(recv_ns, event.trades)
            return
        for event, texts in zip(events, frames.trade_texts(payload), strict=True):
            if event.type == "snapshot":
                self._snapshot(recv_ns, event.trades, texts)
            else:
                self._live(recv_ns, event.trades, texts)

    def on_answer(self, recv_ns: int, symbol: str, body: bytes) -> None:
        """Take in a REST answer with a product's trades, of which none is left out between the first and the last.

        Raises:
            FrameError: it cannot be; nothing of it was applied.
        """
        trades, texts = frames.decode_trades(body)
        for trade in trades:
            if trade.product_id != symbol:
                raise FrameError(f"trade of {trade.product_id[:48]!r} in the answer for {symbol[:48]!r}")
        if trades:
            self._join(recv_ns, self._products.of(symbol), _backlog(trades, texts), streamed=False)

    def _live(self, recv_ns: int, trades: list[Trade], texts: list[TradeText] | None = None) -> None:
        """Publish trades; one that is refused does not hold up the others."""
        applied = False
        for trade, text in _in_order(trades, texts):
            feed = self._products.of(trade.product_id)
            self._products.heard[feed.trades] = recv_ns
            writer = feed.writer
            if writer is None:
                self._products.left_out[NO_ROW] += 1
                continue
            if writer.join is None:
                self._joins.watch(writer)
            try:
                new = writer.trade(
                    time_ns(trade.time), recv_ns, trade.price, trade.size,
                    TAKERS.get(trade.side, UNKNOWN), trade.trade_id, 1,
                )  # fmt: skip
            except FrameError:
                if not applied:
                    raise
                self._products.left_out[REFUSED] += 1
                continue
            applied = True
            if new and self._audit is not None:
                self._audit.trade(writer.instrument, text.price, text.size, trade.trade_id)

    def _snapshot(self, recv_ns: int, trades: list[Trade], texts: list[TradeText]) -> None:
        by_product: dict[str, list[BacklogTrade]] = {}
        for trade, backlog in zip(trades, _backlog(trades, texts), strict=True):
            by_product.setdefault(trade.product_id, []).append(backlog)
        for symbol, of_product in by_product.items():
            feed = self._products.of(symbol)
            self._products.heard[feed.trades] = recv_ns
            self._join(recv_ns, feed, of_product, streamed=True)

    def _join(self, recv_ns: int, feed: ProductFeed, trades: list[BacklogTrade], *, streamed: bool) -> None:
        """Hand over trades without a hole among them."""
        writer = feed.writer
        if writer is None:
            self._products.left_out[NO_ROW] += 1
            return
        newest = max(trades, key=_by_id).trade_id
        self._joins.backlog(writer, trades, recv_ns, newest, streamed=streamed)


def _in_order(trades: list[Trade], texts: list[TradeText] | None) -> Iterable[tuple[Trade, TradeText]]:
    if texts is None:
        ordered = trades if len(trades) == 1 else sorted(trades, key=_by_id)
        return ((trade, _NO_TEXT) for trade in ordered)
    return sorted(zip(trades, texts, strict=True), key=lambda pair: pair[0].trade_id)


def _backlog(trades: list[Trade], texts: list[TradeText]) -> list[BacklogTrade]:
    return [
        BacklogTrade(
            time_ns(trade.time), trade.price, trade.size, TAKERS.get(trade.side, UNKNOWN), trade.trade_id, 1,
            text.price, text.size,
        )
        for trade, text in zip(trades, texts, strict=True)
    ]  # fmt: skip
