"""A venue whose frames are lost, doubled, swapped and damaged on the way: what is trusted is right at any time."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.venues.coinbase_feed import CoinbaseFeed, answer, book, heartbeat, level, trade, trades
from tests.feeds.venues.coinbase_feed import subscriptions as listed
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.venue import Channel, Resubscribe

PRODUCTS = ("BTC-USD", "ETH-USD")
NAMES = {Channel.TRADES: "market_trades", Channel.QUOTES: "ticker", Channel.TICKERS: "ticker", Channel.BOOK: "level2"}
BEFORE = 3
"""Trades of each product before anybody listens."""
Levels = dict[tuple[str, int], int]


@dataclass
class Venue:
    """Two products with a book and trades each, on one connection; frames are numbered as they are sent."""

    number: int = -1
    counter: int = 100
    subscribed: dict[str, list[str]] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=lambda: {product: {} for product in PRODUCTS})
    made: dict[str, list[dict]] = field(default_factory=lambda: {product: [] for product in PRODUCTS})
    books: dict[int, dict[str, Levels]] = field(default_factory=dict)

    def numbered(self) -> int:
        self.number += 1
        self.books[self.number] = {product: dict(levels) for product, levels in self.levels.items()}
        return self.number

    def subscribe(self, channel: str, product: str) -> list[bytes]:
        self.subscribed.setdefault(channel, []).append(product)
        frames = []
        if channel == "level2":
            levels = [level(side, str(price), str(size)) for (side, price), size in self.levels[product].items()]
            frames = [book(self.numbered(), *levels, kind="snapshot", product=product)]
        elif channel == "market_trades":
            frames = [trades(self.numbered(), *reversed(self.made[product][-100:]), kind="snapshot")]
        return [*frames, listed(self.numbered(), **self.subscribed)]

    def unsubscribe(self, channel: str, product: str) -> list[bytes]:
        if product in self.subscribed.get(channel, []):
            self.subscribed[channel].remove(product)
        return [listed(self.numbered(), **self.subscribed)]

    def change(self, product: str, side: str, price: int, size: int) -> list[bytes]:
        if size:
            self.levels[product][side, price] = size
        else:
            self.levels[product].pop((side, price), None)
        if product not in self.subscribed.get("level2", []):
            return []
        return [book(self.numbered(), level(side, str(price), str(size)), product=product)]

    def trade(self, product: str, count: int) -> list[bytes]:
        made = self.made[product]
        new = [trade(len(made) + 1 + more, product=product) for more in range(count)]
        made.extend(new)
        if product not in self.subscribed.get("market_trades", []):
            return []
        return [trades(self.numbered(), *reversed(new))]

    def beat(self) -> list[bytes]:
        self.counter += 1
        return [heartbeat(self.numbered(), self.counter)]


class Session:
    """The venue, an adapter, and what the feed between them does about controls and questions."""

    def __init__(self) -> None:
        self.venue = Venue()
        self.feed = CoinbaseFeed()
        self.newest = -1
        self.pending: list[bytes] = []
        for product in PRODUCTS:
            self.venue.trade(product, BEFORE)
            self.venue.change(product, "bid", 99, 1)
            self.venue.change(product, "offer", 101, 1)
            for channel in ("market_trades", "ticker", "level2"):
                self.pending += self.venue.subscribe(channel, product)

    def deliver(self, payload: bytes) -> None:
        control = self.feed.send(payload)
        if isinstance(control, Resubscribe):
            streams = dict.fromkeys((NAMES[key.channel], key.symbol) for key in control.keys)
            for stream in streams:
                self.pending += self.venue.unsubscribe(*stream)
            for stream in streams:
                self.pending += self.venue.subscribe(*stream)
        for symbol, _, _ in self.feed.asked.ranges:
            self.feed.adapter.on_http(
                self.feed.now,
                f"/market/products/{symbol}/ticker?limit=1000",
                answer(*reversed(self.venue.made[symbol])),
            )
        self.feed.asked.ranges.clear()
        self.compare(payload)

    def compare(self, payload: bytes) -> None:
        """Hold the trusted books against what the venue's were when it sent the newest frame that has come."""
        number = int(payload.split(b'"sequence_num":')[1].split(b",")[0])
        if number < self.newest:
            return
        self.newest = number
        for product in PRODUCTS:
            assert not self.trusts(product) or self.book_is(product, self.venue.books[number][product])

    def suffer(self, fate: str, payload: bytes) -> None:
        """Let a frame go its way, good or bad."""
        if fate == "cut":
            assert self.feed.refused(payload[:-7])
        elif fate == "spoilt" and b'":"1' in payload:
            assert self.feed.refused(payload.replace(b'":"1', b'":"-1'))
        elif fate == "swapped" and self.pending:
            self.deliver(self.pending.pop(0))
            self.deliver(payload)
        elif fate != "lost":
            self.deliver(payload)
        if fate == "doubled":
            self.deliver(payload)

    def trusts(self, product: str) -> bool:
        held = self.feed.adapter.book(product)
        return held is not None and held.trusted

    def settle(self) -> None:
        """Let everything arrive that is on its way, and a heartbeat that shows what was lost."""
        self.pending += self.venue.beat()
        while self.pending:
            self.deliver(self.pending.pop(0))

    def book_is(self, product: str, levels: Levels) -> bool:
        bids, asks = self.feed.adapter.book(product).book.top(1000)
        found = {("bid", int(price)): int(size) for price, size in bids}
        found |= {("offer", int(price)): int(size) for price, size in asks}
        return found == levels


events = st.one_of(
    st.tuples(
        st.just("change"), st.sampled_from(PRODUCTS), st.sampled_from(["bid", "offer"]), st.integers(95, 99),
        st.integers(0, 3),
    ),
    st.tuples(st.just("trade"), st.sampled_from(PRODUCTS), st.integers(1, 3)),
    st.tuples(st.just("beat")),
)  # fmt: skip
fates = st.sampled_from(["arrives"] * 5 + ["lost", "doubled", "swapped", "cut", "spoilt"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(events, fates), max_size=40))
def test_trusted_books_are_the_venue_s_and_every_trade_comes_once_whatever_happens_on_the_way(story):
    session = Session()
    session.settle()
    for (what, *how), fate in story:
        session.pending += getattr(session.venue, what)(*how)
        if session.pending:
            session.suffer(fate, session.pending.pop(0))
    session.settle()
    for product in PRODUCTS:
        session.pending += session.venue.trade(product, 1)
    session.settle()
    ids = {each.symbol: number for number, each in session.feed.board.instruments.items()}
    for product in PRODUCTS:
        assert session.trusts(product)
        assert session.book_is(product, session.venue.levels[product])
        records = [r for r in session.feed.records(Kind.TRADE) if r.instrument == ids[product]]
        made = [int(each["trade_id"]) for each in session.venue.made[product]]
        assert Counter(int(record.c) for record in records) == Counter(made[BEFORE:])
        assert session.feed.board.rows[ids[product]][Field.QUALITY] == Quality.LIVE
