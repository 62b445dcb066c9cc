"""A Kraken adapter with a tape and a board in memory, its frames, and its captures."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.feeds.fakes import FakeBoard, FakeTape, Record, catalogue
from tests.feeds.recorded import capture_path
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Control, NoRepairs, Reader
from tickfloor.feeds.venues.kraken.adapter import KrakenAdapter

CAPTURES = ("kraken_v2_book_btcusd_20230730_first250", "kraken_v2derived_10sym_20210417")
START_NS = 1_690_731_000_000_000_000
"""2023-07-30 15:30 UTC."""


class KrakenFeed:
    def __init__(self, *, capacity: int = 1000, audit: bool = False, hold_ns: int = 0, repairs=None) -> None:
        self.tape = FakeTape()
        self.board = FakeBoard(capacity=capacity)
        self.audit = Audit() if audit else None
        self.publisher = MarketPublisher(
            self.tape, self.board, catalogue(), "kraken", bar_slots=self.board.ring, observer=self.audit
        )
        self.joins = TradeJoins(repairs or NoRepairs(), hold_ns=hold_ns, audit=self.audit)
        self.adapter = KrakenAdapter(
            "kraken", self.publisher, joins=self.joins, repairs=repairs or NoRepairs(), audit=self.audit
        )
        self.readers: dict[str, Reader] = {}
        self.controls: list[Control] = []

    def connect(self, connection: str = "ws1") -> None:
        self.readers[connection] = self.adapter.reader(connection)

    def send(self, recv_ns: int, *payloads: bytes, by: str = "ws1") -> list[Record]:
        """Give frames to a connection's reader, flush, and return the records they made."""
        before = self.tape.sequence
        if by not in self.readers:
            self.connect(by)
        for payload in payloads:
            control = self.readers[by](recv_ns, payload)
            if control is not None:
                self.controls.append(control)
        self.publisher.flush()
        return self.tape.records[before:]

    def of(self, kind: Kind) -> list[Record]:
        return [record for record in self.tape.records if record.kind == kind]

    def qualities(self) -> list[Quality]:
        return [Quality(record.code) for record in self.of(Kind.QUALITY)]


def replay(name: str, *, audit: bool = True) -> KrakenFeed:
    """Run a capture through an adapter, as the replay's feed worker does."""
    feed = KrakenFeed(audit=audit)
    for recv_ns, kind, ref, payload in lines(name):
        while (due := feed.publisher.tick_due_ns) <= recv_ns:
            feed.publisher.tick(due)
        if kind == "F":
            feed.send(recv_ns, payload, by=ref)
    return feed


def lines(name: str) -> Iterator[tuple[int, str, str, bytes]]:
    with gzip.open(capture_path(name), "rb") as file:
        next(file)
        for line in file:
            recv, kind, ref, payload = line.rstrip(b"\n").split(b"\t", 3)
            yield int(recv), kind.decode(), ref.decode(), payload


def rfc3339(ns: int) -> str:
    """Write a time with microseconds, as Kraken does."""
    second = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // 1_000_000_000)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{ns % 1_000_000_000 // 1000:06}Z"


def channel(name: str, kind: str, *items: str) -> bytes:
    return f'{{"channel":"{name}","type":"{kind}","data":[{",".join(items)}]}}'.encode()


def trade(number: int, ns: int, price: str, qty: str, *, side: str = "buy", symbol: str = "BTC/USD") -> str:
    return (
        f'{{"symbol":"{symbol}","side":"{side}","price":{price},"qty":{qty},"ord_type":"limit",'
        f'"trade_id":{number},"timestamp":"{rfc3339(ns)}"}}'
    )


def trades(*items: str, kind: str = "update") -> bytes:
    return channel("trade", kind, *items)


def book(kind: str, bids, asks, checksum: int, ns: int | None, *, symbol: str = "BTC/USD") -> bytes:
    """Write a book message; levels are pairs of texts, written as they are."""
    time = "" if ns is None else f',"timestamp":"{rfc3339(ns)}"'
    return channel(
        "book",
        kind,
        f'{{"symbol":"{symbol}","bids":{_levels(bids)},"asks":{_levels(asks)},"checksum":{checksum}{time}}}',
    )


def ticker(symbol: str = "BTC/USD", kind: str = "update", **more) -> bytes:
    data = {
        "symbol": symbol, "bid": 40.5, "bid_qty": 1.5, "ask": 41, "ask_qty": 2.5, "last": 41, "volume": 1000,
        "vwap": 40.25, "low": 39, "high": 42, "change": 1.0, "change_pct": 2.5, **more,
    }  # fmt: skip
    return channel("ticker", kind, json.dumps(data))


def answer(method: str = "subscribe", **fields) -> bytes:
    return json.dumps({"method": method, **fields}, separators=(",", ":")).encode()


def _levels(levels) -> str:
    return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels) + "]"
