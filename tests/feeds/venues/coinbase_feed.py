"""Writes Coinbase frames for tests, and gives them to an adapter with a tape and a board in memory."""

import json
from datetime import UTC, datetime

from tests.feeds.fakes import FakeBoard, FakeTape, Record, catalogue
from tests.feeds.feed import Asked
from tickfloor.contracts.records import Kind
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Control
from tickfloor.feeds.venues.coinbase.adapter import CoinbaseAdapter

START_NS = 1_786_309_548_000_000_000
"""2026-08-09 21:05:48 UTC"""
SECOND_NS = 1_000_000_000


def time_text(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def frame(channel: str, number: int, *events: object, time_ns: int = START_NS) -> bytes:
    return json.dumps(
        {"channel": channel, "timestamp": time_text(time_ns), "sequence_num": number, "events": events},
        separators=(",", ":"),
    ).encode()


def trade(trade_id: int, *, product: str = "BTC-USD", price: str = "100.5", size: str = "0.25", side: str = "BUY",
          time_ns: int | None = None) -> dict:  # fmt: skip
    """A trade is made a millisecond after the one before."""
    at = START_NS + trade_id * 1_000_000 if time_ns is None else time_ns
    return {"product_id": product, "trade_id": str(trade_id), "price": price, "size": size, "time": time_text(at),
            "side": side}  # fmt: skip


def trades(number: int, *items: dict, kind: str = "update") -> bytes:
    return frame("market_trades", number, {"type": kind, "trades": items})


def answer(*items: dict) -> bytes:
    """A REST answer's body."""
    return json.dumps({"trades": items, "best_bid": "1", "best_ask": "2"}).encode()


def level(side: str, price: str, size: str, *, time_ns: int = START_NS) -> dict:
    return {"side": side, "event_time": time_text(time_ns), "price_level": price, "new_quantity": size}


def book(number: int, *levels: dict, kind: str = "update", product: str = "BTC-USD") -> bytes:
    return frame("l2_data", number, {"type": kind, "product_id": product, "updates": levels})


def ticker(number: int, *, product: str = "BTC-USD", **more: str) -> bytes:
    item = {
        "type": "ticker", "product_id": product, "price": "110", "volume_24_h": "12.5", "low_24_h": "95.25",
        "high_24_h": "120", "low_52_w": "1", "high_52_w": "200", "price_percent_chg_24_h": "10", "best_bid": "109.5",
        "best_ask": "110.5", "best_bid_quantity": "1.5", "best_ask_quantity": "2.5", **more,
    }  # fmt: skip
    return frame("ticker", number, {"type": "update", "tickers": [item]})


def heartbeat(number: int, counter: int | str) -> bytes:
    return frame("heartbeats", number, {"current_time": "2026-08-09 21:05:51 +0000 UTC", "heartbeat_counter": counter})


def subscriptions(number: int, **products: list[str]) -> bytes:
    return frame("subscriptions", number, {"subscriptions": products})


class CoinbaseFeed:
    def __init__(self, *, capacity: int = 1000, audit: bool = False) -> None:
        self.tape = FakeTape()
        self.board = FakeBoard(capacity=capacity)
        self.audit = Audit() if audit else None
        self.publisher = MarketPublisher(
            self.tape, self.board, catalogue(), "coinbase", bar_slots=self.board.ring, observer=self.audit
        )
        self.asked = Asked()
        self.joins = TradeJoins(self.asked, hold_ns=0, audit=self.audit)
        self.adapter = CoinbaseAdapter(
            "coinbase", self.publisher, joins=self.joins, repairs=self.asked, audit=self.audit
        )
        self.read = self.adapter.reader("market-1")
        self.now = START_NS

    def send(self, *payloads: bytes) -> Control | None:
        """Give frames to the adapter a millisecond apart, flush, and return what the last one said of the venue."""
        control = None
        for payload in payloads:
            self.now += 1_000_000
            control = self.read(self.now, payload)
        self.publisher.flush()
        return control

    def refused(self, payload: bytes) -> bool:
        """Say whether a frame is refused."""
        try:
            self.send(payload)
        except FrameError:
            self.publisher.flush()
            return True
        return False

    def records(self, kind: Kind) -> list[Record]:
        return [record for record in self.tape.records if record.kind == kind]

    def trade_ids(self) -> list[int]:
        return [int(record.c) for record in self.records(Kind.TRADE)]
