"""What is not live is named with the reason that is known, and since when."""

import pytest

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live.venue import key
from tickfloor.contracts.feeds import NotLive
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.carriage import NOT_CARRIED
from tickfloor.feeds.live.connecting.lines import REFUSED
from tickfloor.feeds.live.not_live import MOST_NAMED, not_live
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import NoRepairs

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


class Market:
    """A venue's instruments, and what is held against them."""

    def __init__(self) -> None:
        self.publisher = MarketPublisher(FakeTape(), FakeBoard(), catalogue(), "fake", bar_slots=512)
        self.staleness = Staleness(self.publisher.known)
        self.joins = TradeJoins(NoRepairs())

    def trade(self, symbol: str, number: int, recv_ns: int = NOW) -> None:
        writer = self.publisher.open(symbol)
        self.joins.watch(writer)
        writer.trade(NOW, recv_ns, 1.0, 1.0, 1, number, 1)

    def named(self, now: int = NOW) -> list[NotLive]:
        return list(not_live(self.publisher, self.staleness, now))


@pytest.fixture
def market():
    market = Market()
    market.trade("A", 1)
    return market


def test_what_is_live_is_not_named(market):
    assert market.named() == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("market-1", "no connection market-1"),
        (key("trades A"), "trades silent"),
        ((REFUSED, key("book A")), "book refused by the venue"),
        (NOT_CARRIED, "not carried: not subscribed yet, or not listed"),
    ],
)
def test_a_stale_instrument_has_the_reason_and_how_long_ago_the_first_came(market, reason, words):
    market.staleness.add("A", reason, NOW + SECOND)
    market.staleness.add("A", "market-2", NOW + 2 * SECOND)
    [named] = market.named(NOW + 4 * SECOND)
    assert (named.symbol, named.mark, named.seconds) == ("A", "stale", 3.0)
    assert set(named.reasons) == {words, "no connection market-2"}


def test_trades_that_are_asked_for_are_counted_and_those_that_never_come_stay_named(market):
    market.trade("A", 5)
    market.joins.tick(NOW + SECOND)
    [named] = market.named(NOW + 2 * SECOND)
    assert (named.mark, named.reasons, named.seconds) == ("repairing", ("3 missing trades, and asked for",), 2.0)
    for minutes in range(1, 30):
        market.joins.tick(NOW + minutes * 60 * SECOND)
    [named] = market.named()
    assert (named.mark, named.reasons) == ("gap", ("3 missing trades",))


def test_a_lost_book_is_no_missing_trade(market):
    market.publisher.open("A").book_gap(NOW, NOW)
    [named] = market.named()
    assert (named.mark, named.seconds) == ("gap", None)
    assert named.reasons == ("the book is fetched anew, or the venue's clock was ahead",)


def test_what_is_wanted_and_was_never_received_is_unknown(market):
    market.publisher.open("B")
    market.staleness.add("C", NOT_CARRIED, NOW)
    assert [(each.symbol, each.mark) for each in market.named()] == [("B", "unknown"), ("C", "unknown")]
    assert market.named()[0].reasons == ("nothing was received yet",)


def test_the_worst_are_named_first_and_only_so_many(market):
    for number in range(MOST_NAMED + 5):
        market.trade(f"S{number:02}", 1)
        market.staleness.add([f"S{number:02}"], "market-1", NOW)
    market.trade("A", 5)
    market.joins.tick(NOW + SECOND)
    assert [each.symbol for each in market.named()] == [f"S{number:02}" for number in range(MOST_NAMED)]
    market.staleness.remove([f"S{number:02}" for number in range(MOST_NAMED)], "market-1", NOW)
    assert [each.symbol for each in market.named()] == ["S20", "S21", "S22", "S23", "S24", "A"]
