"""Books of limited depth, whole by their checksum, on one connection or two."""

import random
import zlib
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.venues.kraken_feed import CAPTURES, START_NS, KrakenFeed, answer, book, lines
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Resubscribe, StreamKey
from tickfloor.feeds.venues.kraken.checksum_book import ChecksumBook, written
from tickfloor.feeds.venues.kraken.frames import BookLevel

BIDS = [
    ("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"), ("45281.0", "0.10000000"),
    ("45280.3", "1.54592586"), ("45279.0", "0.07990000"), ("45277.6", "0.03310103"), ("45277.5", "0.30000000"),
    ("45277.3", "1.54602737"), ("45276.6", "0.15445238"),
]  # fmt: skip
ASKS = [
    ("45285.2", "0.00100000"), ("45286.4", "1.54571953"), ("45286.6", "1.54571109"), ("45289.6", "1.54560911"),
    ("45290.2", "0.15890660"), ("45291.8", "1.54553491"), ("45294.7", "0.04454749"), ("45296.1", "0.35380000"),
    ("45297.5", "0.09945542"), ("45299.5", "0.18772827"),
]  # fmt: skip
DOCUMENTED = 3310070434
SECOND = 1_000_000_000
KEY = StreamKey(Channel.BOOK, "BTC/USD")
HEARTBEAT = b'{"channel":"heartbeat"}'
UNREAD = "a message of the book cannot be read"


def levels(pairs):
    return written([BookLevel(price, qty) for price, qty in pairs])


def checksum(bids, asks) -> int:
    """Compute what the venue would send, from the texts."""
    best_asks = sorted(asks, key=lambda level: Decimal(level[0]))[:10]
    best_bids = sorted(bids, key=lambda level: Decimal(level[0]), reverse=True)[:10]
    digits = [text.replace(".", "").lstrip("0") for level in best_asks + best_bids for text in level]
    return zlib.crc32("".join(digits).encode())


class Exchange:
    """Kraken's book of one symbol: what it holds, and the messages that it sends about it."""

    def __init__(self, depth: int = 10, bids=BIDS, asks=ASKS) -> None:
        self.depth = depth
        self.sides = {"bids": dict(bids), "asks": dict(asks)}
        self.ns = START_NS

    def seen(self) -> tuple[list, list]:
        """What a subscriber of this depth sees."""
        bids = sorted(self.sides["bids"].items(), key=lambda level: Decimal(level[0]), reverse=True)
        asks = sorted(self.sides["asks"].items(), key=lambda level: Decimal(level[0]))
        return bids[: self.depth], asks[: self.depth]

    def snapshot(self) -> bytes:
        return book("snapshot", *self.seen(), checksum(*self.seen()), self.ns)

    def set(self, side: str, price: str, qty: str) -> bytes:
        """Change a level; the message also shows the levels that come into view by it."""
        self.ns += 1_000_000
        before = dict(zip(("bids", "asks"), self.seen(), strict=True))
        if Decimal(qty):
            self.sides[side][price] = qty
        else:
            self.sides[side].pop(price, None)
        after = dict(zip(("bids", "asks"), self.seen(), strict=True))
        told = [level for level in after[side] if level not in before[side]]
        if not Decimal(qty) and price in dict(before[side]):
            told.insert(0, (price, qty))
        changes = {"bids": [], "asks": [], side: told}
        return book("update", changes["bids"], changes["asks"], checksum(*self.seen()), self.ns)


def test_the_documented_book_has_the_documented_checksum():
    whole = ChecksumBook(10)
    whole.begin(levels(BIDS), levels(ASKS))
    assert whole.checksum() == DOCUMENTED
    shuffled = ChecksumBook(10)
    shuffled.update(levels(random.Random(7).sample(BIDS, 10)), levels(random.Random(8).sample(ASKS, 10)))
    assert shuffled.checksum() == DOCUMENTED


def test_whole_numbers_and_exponents_have_the_digits_of_their_plain_form():
    assert [digits for _, _, digits in levels([(1500, 20), ("1e-07", "1.5E3"), ("0.00000100", "5.00")])] == [
        "150020", "11500", "100500",
    ]  # fmt: skip


@pytest.mark.parametrize("level", [
    ("0", "1"), ("-1.5", "1"), ("1.5", "-1"), ("nan", "1"), ("1.5", "inf"), ("x", "1"), (None, "1"), ("1.5", [1]),
    (True, "1"), ("1e19", "1"),
])  # fmt: skip
def test_a_level_that_cannot_be_is_refused(level):
    with pytest.raises(FrameError):
        levels([level])


def test_an_endless_exponent_of_nothing_costs_nothing():
    assert levels([("1.5", "1e-999999999")]) == [(1.5, 0.0, "")]


side_changes = st.lists(
    st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 3)), max_size=60
)  # fmt: skip


@given(side_changes, st.sampled_from([1, 3, 10, 25]))
def test_a_book_holds_the_best_levels_and_their_digits_whatever_comes(changes, depth):
    """Against a model that sorts everything anew; a level that fell out is forgotten until it is told again."""
    subject, model = ChecksumBook(depth), {True: {}, False: {}}
    for is_bid, price, qty in changes:
        level = (f"{price}.0", f"{qty}.00")
        subject.update(levels([level] if is_bid else []), levels([] if is_bid else [level]))
        side = model[is_bid]
        side.pop(level[0], None)
        if qty:
            side[level[0]] = level[1]
        kept = sorted(side, key=Decimal, reverse=is_bid)[:depth]
        model[is_bid] = {text: side[text] for text in kept}
        bids, asks = model[True].items(), model[False].items()
        assert subject.checksum() == checksum(bids, asks)
        assert sorted(subject.bids.top(99)) == sorted((float(p), float(q)) for p, q in bids)
        assert sorted(subject.asks.top(99)) == sorted((float(p), float(q)) for p, q in asks)


def test_a_snapshot_and_updates_are_published_while_the_checksum_is_right():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.snapshot())
    feed.send(START_NS + SECOND, exchange.set("bids", "45284.0", "2.50000000"))
    [number] = feed.board.instruments
    assert feed.board.books[number][0] == 2
    assert feed.board.books[number][1][0] == (45284.0, 2.5)
    assert len(feed.board.books[number][1]) == 10
    assert feed.board.rows[number][Field.BID] == 45284.0
    assert feed.qualities() == [Quality.LIVE]
    assert feed.adapter.heard == {KEY: START_NS + SECOND}
    assert feed.controls == []


def test_a_wrong_checksum_is_a_gap_asks_anew_once_and_a_snapshot_makes_it_live():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.snapshot())
    lost = exchange.set("bids", "45284.0", "2.50000000")
    assert lost
    feed.send(START_NS + SECOND, exchange.set("asks", "45285.0", "1.00000000"))
    [control] = feed.controls
    assert isinstance(control, Resubscribe)
    assert control.keys == (KEY,)
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    # What is still on its way belongs to nothing, and is no second request.
    feed.send(START_NS + SECOND + 1, exchange.set("asks", "45285.1", "1.00000000"))
    assert len(feed.controls) == 1
    assert len(feed.of(Kind.BOOK)) == 1
    assert feed.adapter._markets.opened["BTC/USD"].book.mismatches == 1
    feed.send(START_NS + 2 * SECOND, exchange.snapshot())
    feed.send(START_NS + 3 * SECOND, exchange.set("asks", "45285.3", "1.00000000"))
    assert feed.qualities() == [Quality.LIVE, Quality.GAP, Quality.LIVE]
    assert len(feed.controls) == 1


def test_a_book_that_stays_wrong_is_asked_for_less_and_less_often():
    feed, exchange = KrakenFeed(), Exchange()
    asked = []
    for second in range(400):
        before = len(feed.controls)
        wrong = book("snapshot", *exchange.seen(), DOCUMENTED + 1, START_NS + second * SECOND)
        feed.send(START_NS + second * SECOND, wrong)
        if len(feed.controls) > before:
            asked.append(second)
    assert asked == [0, 5, 15, 35, 75, 135, 195, 255, 315, 375]
    assert feed.qualities() == [Quality.GAP]


def test_it_is_asked_for_seldom_even_if_every_subscription_is_confirmed_and_ended():
    feed, exchange, asked = KrakenFeed(), Exchange(), []
    result = {"channel": "book", "symbol": "BTC/USD", "depth": 10}
    for second in range(100):
        before = len(feed.controls)
        feed.send(START_NS + second * SECOND, book("snapshot", *exchange.seen(), DOCUMENTED + 1, START_NS))
        if len(feed.controls) > before:
            asked.append(second)
            feed.send(START_NS + second * SECOND, answer("unsubscribe", success=True, result=result))
            feed.send(START_NS + second * SECOND, answer(success=True, result=result))
    assert asked == [0, 5, 15, 35, 75]


def test_after_a_time_of_right_messages_it_is_asked_for_at_once_again():
    feed, exchange, now, asked = KrakenFeed(), Exchange(), START_NS, []
    for second in (0, 5, 15, 100, 101, 102, 103, 107, 108, 117, 118):
        now = START_NS + second * SECOND
        before = len(feed.controls)
        if second == 100:
            feed.send(now, exchange.snapshot())
        elif second == 101:
            feed.send(now, exchange.set("bids", "45284.0", "2.50000000"))
        else:
            feed.send(now, book("snapshot", *exchange.seen(), DOCUMENTED + 1, now))
        if len(feed.controls) > before:
            asked.append(second)
    assert asked == [0, 5, 15, 102, 107, 117]


def test_updates_that_no_snapshot_came_before_ask_for_one():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.set("bids", "45284.0", "2.50000000"))
    assert [type(control) for control in feed.controls] == [Resubscribe]
    assert feed.of(Kind.BOOK) == []
    assert feed.qualities() == [Quality.GAP]
    feed.send(START_NS + SECOND, exchange.snapshot())
    assert feed.qualities() == [Quality.GAP, Quality.LIVE]


def test_the_depth_is_the_one_that_the_venue_confirms_even_if_it_does_so_late():
    for late in (False, True):
        feed, exchange = KrakenFeed(), Exchange(depth=25, bids=BIDS[:3], asks=ASKS[:3])
        confirmed = answer(success=True, result={"channel": "book", "symbol": "BTC/USD", "depth": 25})
        frames = [exchange.snapshot(), confirmed] if late else [confirmed, exchange.snapshot()]
        feed.send(START_NS, *frames)
        for step in range(30):
            feed.send(START_NS + step, exchange.set("bids", f"{45000 + step}.0", "1.00000000"))
        [number] = feed.board.instruments
        assert len(feed.board.books[number][1]) == 20
        assert feed.qualities() == [Quality.LIVE]


def test_a_book_that_was_unsubscribed_begins_with_a_snapshot_again():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.snapshot())
    result = {"channel": "book", "symbol": "BTC/USD", "depth": 10}
    feed.send(START_NS + 1, answer("unsubscribe", success=True, result=result))
    feed.send(START_NS + 1, exchange.set("bids", "45284.0", "2.50000000"))
    assert len(feed.of(Kind.BOOK)) == 1
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    feed.send(START_NS + 2, answer(success=True, result=result), exchange.snapshot())
    feed.send(START_NS + 3, exchange.set("bids", "45284.1", "2.50000000"))
    assert feed.qualities() == [Quality.LIVE, Quality.GAP, Quality.LIVE]
    assert feed.board.books[0][1][0] == (45284.1, 2.5)


def test_a_snapshot_without_time_counts_as_well():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, book("snapshot", *exchange.seen(), checksum(*exchange.seen()), None))
    assert feed.qualities() == [Quality.LIVE]


def test_a_book_that_has_not_changed_for_days_is_a_book():
    feed, exchange = KrakenFeed(), Exchange()
    exchange.ns -= 3 * 86_400 * SECOND
    feed.send(START_NS, exchange.snapshot())
    assert feed.qualities() == [Quality.LIVE]


def test_a_book_of_which_a_message_has_a_time_that_cannot_be_begins_anew():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.snapshot())
    with pytest.raises(FrameError, match="ahead"):
        feed.send(START_NS + SECOND, exchange.set("bids", "45284.0", "2.50000000").replace(b"2023-", b"2024-"))
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    feed.send(START_NS + SECOND, HEARTBEAT)
    assert feed.controls == [Resubscribe((KEY,), UNREAD)]
    feed.send(START_NS + SECOND, exchange.snapshot())
    assert feed.qualities() == [Quality.LIVE, Quality.GAP, Quality.LIVE]


UNREADABLE_LEVELS = (b'"bids"', b'"asks":7,"bids"')


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (UNREADABLE_LEVELS, {"BTC/USD"}),
        ((b'"checksum":', b'"checksum":-'), {"BTC/USD"}),
        ((b'"BTC/USD"', b"7"), {"BTC/USD", "ETH/USD"}),
        ((b"]", b""), {"BTC/USD", "ETH/USD"}),
        ((b"{", b"}"), {"BTC/USD", "ETH/USD"}),
        ((b'"BTC/USD"', b'"SOL/USD","checksum":"'), {"BTC/USD", "ETH/USD"}),
        ((b'"book"', b'"trade"'), set()),
        ((b'"channel":"book"', b'"method":7,"other":"book"'), set()),
    ],
)
def test_books_that_a_refused_message_may_have_been_about_are_not_live_though_the_next_checksum_is_right(damage, lost):
    """The fifteenth bid goes in a message that cannot be read; the checksum is of ten."""
    feed = KrakenFeed()
    bids = [(f"{100 - place}.0", "1.0") for place in range(20)]
    asks = [(f"{101 + place}.0", "1.0") for place in range(20)]
    right = checksum(bids, asks)
    for symbol in ("BTC/USD", "ETH/USD"):
        feed.send(START_NS, book("snapshot", bids, asks, right, START_NS, symbol=symbol))
    with pytest.raises(FrameError):
        feed.send(START_NS + 1, book("update", [("86.0", "0.0")], [], right, START_NS + SECOND).replace(*damage))
    feed.send(START_NS + 2, HEARTBEAT)
    again = book("update", [("99.0", "1.0")], [], right, START_NS + 2 * SECOND)
    feed.send(START_NS + 3, again)
    doubted = {symbol for symbol in ("BTC/USD", "ETH/USD") if feed.publisher.known(symbol).quality is Quality.GAP}
    asked = {key.symbol for control in feed.controls for key in control.keys}
    assert (doubted, asked) == (lost, lost)


def test_a_snapshot_that_is_refused_is_asked_for_anew_where_the_book_is_subscribed():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.snapshot(), by="old")
    confirmed = answer(success=True, result={"channel": "book", "symbol": "BTC/USD", "depth": 10})
    feed.send(START_NS + 9 * SECOND, confirmed, by="new")
    with pytest.raises(FrameError):
        feed.send(START_NS + 9 * SECOND, exchange.snapshot().replace(*UNREADABLE_LEVELS), by="new")
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    feed.controls.clear()
    feed.send(START_NS + 9 * SECOND, HEARTBEAT, by="new")
    assert feed.controls == [Resubscribe((KEY,), UNREAD)]


def test_of_two_connections_the_one_that_is_further_on_is_published():
    feed, exchange = KrakenFeed(), Exchange()
    snapshot, first = exchange.snapshot(), exchange.set("bids", "45284.0", "2.50000000")
    second = exchange.set("bids", "45284.1", "2.50000000")
    feed.send(START_NS, snapshot, first, second, by="old")
    published = len(feed.of(Kind.BOOK))
    feed.send(START_NS + 1, snapshot, first, second, by="new")
    assert len(feed.of(Kind.BOOK)) == published
    third = exchange.set("bids", "45284.2", "2.50000000")
    feed.send(START_NS + 2, third, by="new")
    feed.send(START_NS + 3, third, by="old")
    assert len(feed.of(Kind.BOOK)) == published + 1
    assert feed.board.books[0][1][0] == (45284.2, 2.5)
    assert feed.qualities() == [Quality.LIVE]


def test_when_the_published_copy_is_wrong_the_other_takes_over():
    feed, exchange = KrakenFeed(), Exchange()
    snapshot = exchange.snapshot()
    feed.send(START_NS, snapshot, by="a")
    feed.send(START_NS, snapshot, by="b")
    first, second = exchange.set("bids", "45284.0", "2.50000000"), exchange.set("bids", "45284.1", "1.00000000")
    feed.send(START_NS + 1, first, by="a")
    feed.send(START_NS + 1, second, by="b")
    assert feed.qualities() == [Quality.LIVE]
    assert len(feed.controls) == 1
    feed.send(START_NS + 2, second, by="a")
    assert feed.board.books[0][1][0] == (45284.1, 1.0)


def test_a_late_copy_that_is_whole_takes_over_from_one_that_is_wrong():
    feed, exchange = KrakenFeed(), Exchange()
    for by in ("b", "a"):
        feed.send(START_NS, exchange.snapshot(), by=by)
    first = exchange.set("bids", "45284.0", "2.50000000")
    exchange.set("bids", "45284.1", "1.00000000")
    third = exchange.set("bids", "45284.2", "1.00000000")
    feed.send(START_NS + 1, first, third, by="a")
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    feed.send(START_NS + 2, first, by="b")
    assert feed.qualities() == [Quality.LIVE, Quality.GAP, Quality.LIVE]
    assert feed.board.books[0][1][0] == (45284.0, 2.5)


def test_a_new_connection_to_a_quiet_market_takes_over_with_its_snapshot():
    feed, exchange = KrakenFeed(), Exchange()
    feed.send(START_NS, exchange.snapshot(), by="old")
    feed.send(START_NS + 1, exchange.snapshot(), by="new")
    assert len(feed.of(Kind.BOOK)) == 2


def test_when_neither_copy_is_right_there_is_a_gap_until_one_is():
    feed, exchange = KrakenFeed(), Exchange()
    for by in ("a", "b"):
        feed.send(START_NS, exchange.snapshot(), by=by)
    exchange.set("bids", "45284.0", "2.50000000")
    lost = exchange.set("bids", "45284.1", "1.00000000")
    for by in ("a", "b"):
        feed.send(START_NS + 1, lost, by=by)
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    feed.send(START_NS + 2, exchange.snapshot(), by="b")
    assert feed.qualities() == [Quality.LIVE, Quality.GAP, Quality.LIVE]


steps = st.lists(
    st.tuples(
        st.sampled_from(["bids", "asks"]),
        st.integers(0, 12),
        st.sampled_from(["0.00000000", "0.10000000", "12.00000001"]),
        st.sampled_from(["both", "a", "b", "neither"]),
        st.booleans(),
    ),
    max_size=40,
)


class Line:
    """One connection: what is on its way, and what its reader makes of it."""

    def __init__(self, feed: KrakenFeed, exchange: Exchange, name: str) -> None:
        self.feed, self.exchange, self.name = feed, exchange, name
        self.waiting = [exchange.snapshot()]

    def deliver(self, now: int) -> None:
        while self.waiting:
            asked = len(self.feed.controls)
            self.feed.send(now, self.waiting.pop(0), by=self.name)
            if len(self.feed.controls) > asked:
                self.waiting[:] = [self.exchange.snapshot()]


@given(steps)
@settings(deadline=None)
def test_with_losses_on_two_connections_what_is_live_is_the_venue_s_book(changes):
    """Each connection loses what the draw says, and gets a snapshot when it asks for one; b is late at times."""
    feed, exchange, now = KrakenFeed(), Exchange(), START_NS
    a, b = Line(feed, exchange, "a"), Line(feed, exchange, "b")
    a.deliver(now)
    for side, offset, qty, arrives, late in changes:
        now += 61 * SECOND
        exchange.ns = max(exchange.ns, now)
        price = f"{45284 - offset}.0" if side == "bids" else f"{45285 + offset}.0"
        message = exchange.set(side, price, qty)
        if arrives in ("both", "a"):
            a.waiting.append(message)
        if arrives in ("both", "b"):
            b.waiting.append(message)
        a.deliver(now)
        if not late:
            b.deliver(now)
        if arrives in ("both", "a"):
            bids, asks = exchange.seen()
            assert feed.qualities()[-1] is Quality.LIVE
            assert feed.board.books[0][1:] == (
                [(float(p), float(q)) for p, q in bids],
                [(float(p), float(q)) for p, q in asks],
            )


@given(place=st.integers(0, 250), at=st.integers(0, 10_000), digit=st.sampled_from(b"0123456789"))
@settings(deadline=None)
def test_one_changed_digit_of_a_recorded_level_is_found_at_once(place, at, digit):
    """All ten levels of this book are in its checksum; a level that is pushed out by others may have any digits."""
    frames = recorded_frames()
    recv_ns, payload = frames[place]
    start, end = payload.index(b'"bids":'), payload.index(b'"checksum"')
    digits = [spot for spot in range(start, end) if payload[spot : spot + 1].isdigit()]
    spot = digits[at % len(digits)]
    changed = payload[:spot] + bytes([digit]) + payload[spot + 1 :]
    feed, healthy = KrakenFeed(), KrakenFeed()
    for frame in frames[:place]:
        feed.send(*frame)
        healthy.send(*frame)
    healthy.send(recv_ns, payload)
    try:
        feed.send(recv_ns, changed)
    except FrameError:
        return
    if not feed.controls:
        assert feed.board.books[0] == healthy.board.books[0]
    else:
        assert [type(control) for control in feed.controls] == [Resubscribe]
        assert feed.qualities()[-1] is Quality.GAP


@cache
def recorded_frames() -> list[tuple[int, bytes]]:
    return [(recv_ns, payload) for recv_ns, _, _, payload in lines(CAPTURES[0])]
