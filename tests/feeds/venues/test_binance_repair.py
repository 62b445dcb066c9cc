"""Whatever a connection loses, repeats or swaps: what the dialect asks for makes the adapter whole again."""

from urllib.parse import parse_qs, urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds import frames
from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.frames import START_MS
from tickfloor.contracts.records import Kind, Quality
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Missing, Request
from tickfloor.feeds.venues.binance.adapter import BinanceAdapter
from tickfloor.feeds.venues.binance.dialect import BinanceDialect

SYMBOL = "BTCUSDT"


class Exchange:
    """One instrument's trades and its book, whose bids change one at a time."""

    def __init__(self, *, spot: bool) -> None:
        self.spot = spot
        self.trades: list[tuple[int, int]] = []
        self.bids: dict[str, str] = {}
        self.update_id = 10

    def trade(self, time_ms: int, skipped: int) -> bytes:
        """Trade; some ids are never used."""
        number = (self.trades[-1][0] if self.trades else 100) + 1 + skipped
        self.trades.append((number, time_ms))
        return (frames.trade if self.spot else frames.agg_trade)(number, time_ms, 1.5, 2)

    def change(self, time_ms: int) -> bytes:
        """Change the book. Futures number the updates of all symbols together."""
        before = self.update_id
        self.update_id += 1 if self.spot else 4
        price, size = str(self.update_id % 7 + 1), str(self.update_id % 3)
        self.bids[price] = size
        previous = None if self.spot else before
        first = before + 1 if self.spot else before + 3
        return frames.depth(first, self.update_id, time_ms, [[price, size]], previous=previous)

    def answer(self, request: Request) -> bytes:
        """Answer a REST request."""
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert query["symbol"] == SYMBOL
        what = url.path.rpartition("/")[2]
        if what == "depth":
            return frames.snapshot(self.update_id, [each for each in self.bids.items() if each[1] != "0"])
        asked = [each for each in self.trades if each[0] >= int(query["fromId"])][: int(query["limit"])]
        if what == "historicalTrades":
            return frames.trade_rows((number, time_ms, "1.5", "2", True) for number, time_ms in asked)
        return frames.agg_trade_rows((number, time_ms, "1.5", "2", 1, 1, True) for number, time_ms in asked)


class Floor:
    """The feed's half: asks through the dialect, and is answered when the test says so."""

    def __init__(self, venue: str) -> None:
        self.dialect = BinanceDialect(VenueSettings(venue=venue))
        self.requests: list[Request] = []
        self.audit, self.tape = Audit(), FakeTape()
        self.publisher = MarketPublisher(self.tape, FakeBoard(), catalogue(), venue, observer=self.audit)
        self.joins = TradeJoins(self, audit=self.audit)
        self.adapter = BinanceAdapter(venue, self.publisher, joins=self.joins, repairs=self, audit=self.audit)
        self.read = self.adapter.reader("ws1")

    def trades(self, symbol: str, missing: Missing) -> None:
        self._ask(self.dialect.trades(symbol, missing))

    def book(self, symbol: str) -> None:
        self._ask(self.dialect.snapshot(symbol))

    def _ask(self, request: Request | None) -> None:
        assert request is not None
        if request not in self.requests:
            self.requests.append(request)

    def published(self) -> list[int]:
        return [int(record.c) for record in self.tape.records if record.kind == Kind.TRADE]


WHAT = ["pass", "pass", "pass", "lose", "repeat", "swap", "answer", "reconnect"]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["binance", "binance-usdm", "binance-coinm"]),
    st.lists(st.tuples(st.sampled_from(WHAT), st.booleans(), st.integers(0, 2), st.sampled_from([5, 200, 4_000])),
             max_size=40),
)  # fmt: skip
def test_every_trade_is_published_once_and_the_book_is_the_venue_s(venue, steps):
    floor, exchange = Floor(venue), Exchange(spot=venue == "binance")
    now_ms = START_MS
    late: bytes | None = None

    def receive(payload: bytes | None) -> None:
        if payload is not None:
            floor.read(now_ms * 1_000_000, payload)

    def answer() -> None:
        request = floor.requests.pop(0)
        floor.adapter.on_http(now_ms * 1_000_000, request.path, exchange.answer(request))

    receive(exchange.trade(now_ms, 0))
    for what, is_trade, skipped, passed_ms in steps:
        now_ms += passed_ms
        floor.joins.tick(now_ms * 1_000_000)
        if what == "answer":
            if floor.requests:
                answer()
            continue
        if what == "reconnect":
            floor.read = floor.adapter.reader("ws2")
        payload = exchange.trade(now_ms, skipped) if is_trade else exchange.change(now_ms)
        if what == "swap" and late is None:
            late = payload
        elif what != "lose":
            receive(payload)
            receive(late)
            late = None
        if what == "repeat":
            receive(payload)
    for _ in range(3):
        # Only what comes after a loss can show it.
        now_ms += 1_000
        receive(exchange.trade(now_ms, 0))
        receive(exchange.change(now_ms))
        floor.joins.tick(now_ms * 1_000_000)
    for _ in range(500):
        if floor.requests:
            answer()
        now_ms += 100
        floor.joins.tick(now_ms * 1_000_000)

    sent = [number for number, _ in exchange.trades]
    assert sorted(floor.published()) == sent
    figures = floor.adapter.figures()[f"{venue}:{SYMBOL}"]
    assert (figures["trades"], figures["qty"]) == (len(sent), str(2 * len(sent)))
    assert figures["book"]["bids"] == [
        [price, size] for price, size in sorted(exchange.bids.items(), reverse=True) if size != "0"
    ]
    assert floor.adapter.book(SYMBOL).update_id == exchange.update_id
    assert floor.joins.statistics().missing == 0
    receive(exchange.trade(now_ms, 0))
    assert floor.publisher.known(SYMBOL).quality is Quality.LIVE
    assert floor.adapter.left_out().keys() <= {f"duplicate trades ({venue})"}
