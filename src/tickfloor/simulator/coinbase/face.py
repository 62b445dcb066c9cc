"""Coinbase Advanced Trade as it was recorded: frames as they were but for their numbers."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import msgspec

from tickfloor.simulator.coinbase import frames, rest
from tickfloor.simulator.coinbase.numbering import NumberedStream, Numbers, numbered
from tickfloor.simulator.coinbase.session import CoinbaseSession
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.face import Asked, Reply, WireLimits
from tickfloor.simulator.played_book import PlayedBook
from tickfloor.simulator.played_face import PlayedFace
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Streams, Subscriber

SNAPSHOT_TRADES: Final = 100
_TRADES_OF: Final = re.compile(rf"{rest.PATH}/([^/]+)/ticker")


class RecordedCoinbase(PlayedFace):
    """Serves what captures hold to whoever subscribes; see RecordedFace.

    Recorded answers and heartbeats are not sent: every connection gets its own.
    """

    limits = WireLimits(
        messages_per_second=8, connections=8, connections_seconds=1.0, ping_seconds=0.0, pong_seconds=0.0
    )
    weight_per_minute = 600

    def __init__(self, settings: SimulatorSettings, conditions: Conditions) -> None:
        self._numbers: WeakKeyDictionary[Subscriber, Numbers] = WeakKeyDictionary()
        super().__init__("coinbase", settings, conditions, Streams(partial(NumberedStream, self._numbers_of)))
        self._tickers: dict[str, frames.TickerItem] = {}
        self._products: Mapping[str, object] = {}
        self._places = 0

    # Of the captures

    def name_of(self, payload: bytes) -> tuple[str, str] | None:
        """Return the channel, as it is asked for, and the product of a frame with data; None for anything else."""
        return frames.name_of(payload)

    def know_frame(self, channel: str, product: str, payload: bytes) -> None:
        """Note the first ticker, and decimals as trades show them."""
        if channel == "ticker" and product not in self._tickers:
            self._tickers[product] = _ticker(payload)
        elif channel == frames.MARKET_TRADES:
            for _, trades in frames.trades_of(payload):
                for trade in trades:
                    self.note_decimals(product, trade.price, trade.qty)

    def know_body(self, ref: str, body: bytes) -> None:
        """Note the list of products, or trades."""
        path = urlsplit(ref).path
        of_product = re.search(r"/products/([^/]+)/ticker$", path)
        if of_product is not None:
            self.trades_of(unquote(of_product[1])).know(frames.body_trades(body))
        elif path.endswith("/products"):
            self._products = rest.recorded_products(body)

    def take(self, channel: str, product: str, payload: bytes) -> None:
        """Take in a frame as it is played."""
        if channel == frames.LEVEL2:
            for event in frames.BOOKS.decode(payload).events:
                if event.type == "snapshot":
                    self.books[event.product_id] = PlayedBook()
                if event.product_id in self.books:
                    frames.update(self.books[event.product_id], event)
        elif channel == frames.MARKET_TRADES:
            for live, trades in frames.trades_of(payload):
                self.trades_of(product).play(trades, live=live)
        else:
            self.last[f"{channel}:{product}"] = payload
            if channel == "ticker":
                self._tickers[product] = _ticker(payload)

    def as_sent(self, payload: bytes) -> bytes:
        """Return a frame with its place among all frames instead of the recorded connection's number."""
        self._places += 1
        return numbered(payload, self._places)

    # Of clients

    def session(self, path: str, connection: Subscriber) -> CoinbaseSession | None:
        """Return a session for the address without a path."""
        if urlsplit(path).path not in ("", "/", f"/{self.venue}"):
            return None
        return CoinbaseSession(self, connection, self._numbers_of(connection))

    def snapshot(self, channel: str, product: str) -> bytes | None:
        """Return how a stream stands, or None while nothing of it was played."""
        stamp = self.stamp(9)
        if channel == frames.LEVEL2:
            book = self.books.get(product)
            return None if book is None else frames.enveloped("l2_data", stamp, 0, [frames.book_event(product, book)])
        if channel == frames.MARKET_TRADES:
            trades = self.trades_of(product).so_far()[-SNAPSHOT_TRADES:]
            return frames.enveloped(channel, stamp, 0, [frames.trades_event(trades)]) if trades else None
        last = self.last.get(f"{channel}:{product}")
        return None if last is None else frames.as_snapshot(last)

    def wall(self) -> str:
        """Return the market's time as heartbeats write it."""
        return f"{self.stamp(9)[:-1].replace('T', ' ')} +0000 UTC"

    def serves(self, path: str) -> bool:
        """Say whether a REST path is Coinbase's."""
        return path == rest.PATH or path.startswith(f"{rest.PATH}/")

    def rest(self, asked: Asked) -> Reply:
        """Answer from what was played."""
        if asked.path == rest.PATH:
            return Reply(200, rest.products_answer([self._product(each) for each in self.symbols()]))
        of_product = _TRADES_OF.fullmatch(asked.path)
        name = asked.path.removeprefix(f"{rest.PATH}/") if of_product is None else unquote(of_product[1])
        if name not in self.symbols():
            return Reply(404, rest.error("NOT_FOUND", "valid product_id is required"))
        if of_product is None:
            return Reply(200, msgspec.json.encode(self._product(name)))
        return self._trades_answer(name, asked)

    def too_many(self, *, banned: bool) -> bytes:
        """Return Coinbase's words for it."""
        del banned
        return b'{"errors":[{"id":"rate_limit_exceeded","message":"too many requests"}]}'

    # Inside

    def _numbers_of(self, connection: Subscriber) -> Numbers:
        return self._numbers.setdefault(connection, Numbers())

    def _product(self, name: str) -> object:
        """Return what was recorded of a product, or what frames tell."""
        if name in self._products:
            return self._products[name]
        return rest.product(name, *self.decimals_of(name), self._tickers.get(name))

    def _trades_answer(self, name: str, asked: Asked) -> Reply:
        try:
            limit = min(int(asked.query.get("limit", rest.MOST_TRADES)), rest.MOST_TRADES)
            start, end = int(asked.query.get("start", 0)), int(asked.query.get("end", 1 << 33))
        except ValueError:
            return Reply(400, rest.error("INVALID_ARGUMENT", "limit, start and end are whole numbers"))
        if limit < 1:
            return Reply(400, rest.error("INVALID_ARGUMENT", "limit must be positive"))
        trades = [
            trade
            for trade in self.trades_of(name).so_far()
            if start * rest.NS_PER_SECOND <= trade.time_ns <= end * rest.NS_PER_SECOND
        ]
        return Reply(200, rest.trades_answer(trades[-limit:], self._tickers.get(name)))


def _ticker(payload: bytes) -> frames.TickerItem:
    """Return the newest ticker of a frame.

    Raises:
        MsgspecError: it is malformed.
        ValueError: it holds none.
    """
    tickers = [ticker for event in frames.TICKERS.decode(payload).events for ticker in event.tickers]
    if not tickers:
        raise ValueError("a ticker frame without a ticker")
    return tickers[-1]
