"""Silent streams: the dead are found, the quiet are left alone."""

import itertools
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.live.venue import key, keys
from tickfloor.feeds.live.watching.watchdog import Finding, Patience, Verdict, Watchdog
from tickfloor.feeds.venue import Channel, StreamKey

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
TRADES, QUOTES, BOOK = key("trades A"), key("quotes A"), key("book A")


def test_patience_is_scaled_but_not_what_is_no_silence():
    short, long = Patience().scaled(0.1), Patience().scaled(3.0)
    assert (short.trades, short.quotes, short.book, short.bars, short.tickers) == (2.0, 1.5, 1.0, 9.0, 6.0)
    assert (short.look, short.late, short.usual) == (0.1, 2.0, 8.0)
    assert (long.trades, long.look) == (60.0, 1.0)
    assert Patience().scaled(1.0) == Patience()


@dataclass
class Venue:
    """One venue in seconds: what it sends, what it would say when asked, and what the watchdog found."""

    now: int = START
    accepted: dict[StreamKey, int] = field(default_factory=dict)
    heard: dict[StreamKey, int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    brought: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    deaf: set[StreamKey] = field(default_factory=set)
    asked: int = 0
    answers: bool = True
    ahead_ns: int | None = None
    made_ns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.watchdog = Watchdog(Patience(), self)

    def newest_trade_ns(self, symbol: str) -> int:
        return self.made_ns.get(symbol, 0)

    def accept(self, *streams: StreamKey) -> None:
        self.accepted.update(dict.fromkeys(streams, self.now))

    def move(self, stream: StreamKey) -> None:
        """Something happens that a stream should bring."""
        if stream.channel is Channel.TRADES:
            self.newest[stream.symbol] = self.newest.get(stream.symbol, 0) + 1
        if stream in self.accepted and stream not in self.deaf:
            self.heard[stream] = self.now + SECOND // 2
            if stream.channel is Channel.TRADES:
                self.brought[stream.symbol] = self.newest[stream.symbol]

    def behind(self, symbol: str) -> int:
        return max(0, self.known.get(symbol, 0) - self.brought.get(symbol, 0))

    def second(self) -> list[Finding]:
        """Let a second pass, and answer what the watchdog asks."""
        self.now += SECOND
        findings = self.watchdog.look(self.now, self.accepted, self.heard)
        for found in findings:
            if found.verdict is Verdict.ASK:
                self.asked += 1
                if self.answers:
                    symbol = found.key.symbol
                    before = self.behind(symbol)
                    if symbol not in self.brought:
                        self.brought[symbol] = self.newest.get(symbol, 0)
                    self.known[symbol] = self.newest.get(symbol, 0)
                    self.watchdog.answered(found.key, before, self.behind(symbol), self.now)
        return [found for found in findings if found.verdict is not Verdict.ASK]

    def until_dead(self, stream: StreamKey, most: int, moves=lambda: None) -> int:
        """Return after how many seconds a stream is found dead."""
        for seconds in range(1, most):
            moves()
            for found in self.second():
                assert found[:2] == (stream, Verdict.DEAD)
                return seconds
        raise AssertionError(f"not found in {most} s")


def test_a_trade_stream_that_lacks_what_the_venue_has_is_dead():
    venue = Venue()
    venue.accept(TRADES)
    venue.move(TRADES)
    venue.second()
    venue.deaf.add(TRADES)
    seconds = venue.until_dead(TRADES, 60, lambda: venue.move(TRADES))
    assert 20 <= seconds <= 25


def test_a_trade_stream_that_was_never_heard_needs_two_answers_because_the_first_may_be_old_news():
    venue = Venue()
    venue.newest["A"] = 500
    venue.accept(TRADES)
    venue.deaf.add(TRADES)
    for _ in range(30):
        assert venue.second() == []
    assert venue.asked == 1
    assert venue.until_dead(TRADES, 60, lambda: venue.move(TRADES)) < 30


def test_what_was_traded_before_a_reconnection_is_no_evidence_against_the_new_stream():
    venue = Venue()
    venue.accept(TRADES)
    venue.move(TRADES)
    venue.second()
    venue.accepted.clear()
    venue.second()
    venue.newest["A"] += 5
    venue.accept(TRADES)
    for _ in range(500):
        assert venue.second() == []
    assert venue.asked > 1


def seen_elsewhere(venue: Venue, made_ns: int) -> None:
    """Let the venue's clock be seen, and a trade that was made at a time be the newest that is known."""
    venue.ahead_ns = 0
    venue.heard[key("trades B")] = venue.now
    venue.made_ns["A"] = made_ns


def test_a_trade_known_before_the_stream_was_accepted_is_no_evidence_whatever_its_time():
    venue = Venue()
    seen_elsewhere(venue, START + 30 * SECOND)
    venue.accept(TRADES)
    for _ in range(200):
        assert venue.second() == []
        seen_elsewhere(venue, START + 30 * SECOND)


def test_a_trade_that_a_stream_lacks_is_proof_once():
    venue = Venue()
    venue.accept(TRADES)
    for _ in range(21):
        assert venue.second() == []
    seen_elsewhere(venue, START + 15 * SECOND)
    assert venue.until_dead(TRADES, 5) == 3
    for _ in range(200):
        assert venue.second() == []


def test_a_stream_may_be_a_moment_later_than_the_answer():
    venue = Venue()
    venue.accept(TRADES)
    venue.move(TRADES)
    for _ in range(10):
        venue.deaf.add(TRADES)
        asked = venue.asked
        while venue.asked == asked:
            venue.move(TRADES)
            assert venue.second() == []
        venue.deaf.clear()
        venue.move(TRADES)
        for _ in range(5):
            assert venue.second() == []


def test_a_quiet_trade_stream_is_asked_about_ever_less():
    venue = Venue()
    venue.accept(TRADES)
    venue.move(TRADES)
    for _ in range(3600):
        assert venue.second() == []
    assert 3 <= venue.asked <= 10


def test_a_stream_is_given_several_times_its_own_usual_gap():
    venue = Venue()
    venue.accept(TRADES)
    for second in range(1200):
        if second % 60 == 0:
            venue.move(TRADES)
        assert venue.second() == []
    assert venue.asked <= 2


def test_a_venue_that_cannot_be_asked_leaves_a_long_limit():
    venue = Venue()
    venue.accept(TRADES)
    venue.second()
    venue.watchdog.cannot_ask(TRADES)
    assert 395 <= venue.until_dead(TRADES, 1000) <= 405


def test_a_venue_that_does_not_answer_is_asked_again_every_minute():
    venue = Venue(answers=False)
    venue.accept(TRADES)
    for _ in range(600):
        assert venue.second() == []
    assert 9 <= venue.asked <= 10


def test_best_prices_that_stand_still_while_trades_are_made_are_dead():
    venue = Venue()
    venue.accept(TRADES, QUOTES)
    venue.move(QUOTES)
    venue.deaf.add(QUOTES)
    assert 15 <= venue.until_dead(QUOTES, 60, lambda: venue.move(TRADES)) <= 20


def test_best_prices_that_stand_still_while_nothing_is_traded_are_left_alone():
    venue = Venue()
    venue.accept(TRADES, QUOTES, BOOK)
    venue.move(QUOTES)
    for _ in range(250):
        venue.move(BOOK)
        assert venue.second() == []


def test_a_book_that_stands_still_while_best_prices_move_is_dead():
    venue = Venue()
    venue.accept(QUOTES, BOOK)
    venue.deaf.add(BOOK)
    assert 10 <= venue.until_dead(BOOK, 60, lambda: venue.move(QUOTES)) <= 15


def test_a_stream_that_is_carried_another_way_is_looked_at_anew_and_said_to_speak():
    venue = Venue()
    venue.accept(QUOTES, BOOK)
    venue.deaf.add(BOOK)
    venue.until_dead(BOOK, 60, lambda: venue.move(QUOTES))
    assert venue.watchdog.dead() == [BOOK]
    venue.accept(BOOK)
    venue.deaf.clear()
    venue.second()
    venue.move(BOOK)
    assert venue.second() == [Finding(BOOK, Verdict.SPEAKS, "heard again")]
    assert venue.watchdog.dead() == []


def test_a_stream_that_stays_dead_is_moved_ever_less():
    venue = Venue()
    venue.accept(QUOTES, BOOK)
    venue.deaf.add(BOOK)
    times = []
    for second in range(1000):
        venue.move(QUOTES)
        if venue.second():
            times.append(second)
            venue.accept(BOOK)
    waits = [later - before for before, later in itertools.pairwise(times)]
    assert all(later >= 2 * before - 2 for before, later in itertools.pairwise(waits))


def test_a_connection_that_is_down_is_not_the_watchdog_s_business():
    venue = Venue()
    venue.accept(TRADES, BOOK, QUOTES)
    venue.second()
    venue.accepted.clear()
    for _ in range(10_000):
        assert venue.second() == []


@settings(max_examples=100, deadline=None)
@given(
    rates=st.tuples(*[st.sampled_from([0.0, 0.002, 0.01, 0.1, 0.5, 1.0])] * 3),
    victim=st.sampled_from([TRADES, BOOK, QUOTES]),
    dies_at=st.integers(0, 300),
    seed=st.integers(0, 1 << 32),
)
def test_live_streams_are_never_found_dead_and_a_dead_one_whose_market_moves_is_found(rates, victim, dies_at, seed):
    """Trades move the best price, best prices move the book, books and prices also move alone."""
    draw = Random(seed).random
    venue = Venue()
    venue.accept(TRADES, QUOTES, BOOK)
    trade_rate, quote_rate, book_rate = rates
    shown = 0
    for second in range(1200):
        if second == dies_at:
            venue.deaf.add(victim)
        traded = draw() < trade_rate
        quoted = traded or draw() < quote_rate
        for stream, moved in ((TRADES, traded), (QUOTES, quoted), (BOOK, quoted or draw() < book_rate)):
            if moved:
                venue.move(stream)
        shown += second > dies_at + 1 and {TRADES: traded, QUOTES: traded, BOOK: traded or quoted}[victim]
        if findings := venue.second():
            assert [found[:2] for found in findings] == [(victim, Verdict.DEAD)], "a live stream was found dead"
            assert second > dies_at
            return
    # It was not found: then there was little to find it by, for the patience that it had earned.
    assert shown < 20


def test_streams_that_are_no_longer_wanted_are_forgotten():
    venue = Venue()
    venue.accept(QUOTES, BOOK)
    venue.deaf.add(BOOK)
    venue.until_dead(BOOK, 60, lambda: venue.move(QUOTES))
    venue.watchdog.forget(keys("book A"))
    assert venue.watchdog.dead() == []


NIGHT_SECONDS = 6 * 3_600
OUTAGE_SECONDS = 30
SOON_SECONDS = 60


def asked_after_an_outage(venue: Venue) -> int:
    """Return how often a venue is asked soon after an outage in which trades were made that nothing else shows."""
    venue.accepted.clear()
    for _ in range(OUTAGE_SECONDS):
        venue.second()
    venue.newest["A"] += 5
    venue.accept(TRADES)
    asked = venue.asked
    for _ in range(SOON_SECONDS):
        assert venue.second() == []
    return venue.asked - asked


def test_trades_of_an_outage_are_looked_for_soon_however_quiet_the_instrument_was_before():
    venue = Venue()
    venue.accept(TRADES)
    venue.move(TRADES)
    for _ in range(NIGHT_SECONDS):
        venue.second()
    assert asked_after_an_outage(venue) >= 1


def test_trades_of_an_outage_are_looked_for_soon_however_seldom_the_instrument_is_traded():
    venue = Venue()
    venue.accept(TRADES)
    for second in range(NIGHT_SECONDS):
        if second % 1_800 == 0:
            venue.move(TRADES)
        venue.second()
    assert asked_after_an_outage(venue) >= 1


def test_trades_that_stay_away_are_carried_another_way_ever_less():
    venue = Venue()
    venue.accept(TRADES)
    venue.move(TRADES)
    venue.second()
    venue.deaf.add(TRADES)
    moved = 0
    for _ in range(3_600):
        venue.move(TRADES)
        if any(found.verdict is Verdict.DEAD for found in venue.second()):
            moved += 1
            venue.accept(TRADES)
    assert 2 <= moved <= 12
