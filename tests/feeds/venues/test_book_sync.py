"""The book's state machine against an obvious model, and the venues' rules one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.instrument_writer import BOOK_LEVELS
from tickfloor.feeds.venues.binance.book_sync import RENUMBERED_NS, BookSync, Outcome
from tickfloor.feeds.venues.binance.waiting_events import MAX_WAITING_EVENTS, BookEvent


def event(first, last, previous=None, bids=(), asks=(), ts_event=None):
    return BookEvent(first, last, previous, last if ts_event is None else ts_event, list(bids), list(asks))


def history(sizes, *, futures):
    """A venue's book events with consecutive ids (spot) or with ids of others between (futures)."""
    events, last = [], 100
    for number, size in enumerate(sizes):
        first = last + (3 if futures else 1)
        price = float(number % 5 + 1)
        events.append(event(first, first + number % 3, last, [(price, float(size))], [(price + 10, float(size))]))
        last = first + number % 3
    return events


def state_after(events, count):
    bids, asks = {}, {}
    for each in events[:count]:
        for side, levels in ((bids, each.bids), (asks, each.asks)):
            for price, size in levels:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
    return sorted(bids.items(), reverse=True), sorted(asks.items())


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans(), st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_a_trusted_book_is_the_venue_s_book_whatever_is_lost_repeated_or_swapped(data, futures, sizes):
    events = history(sizes, futures=futures)
    sync = BookSync(futures=futures)
    after = {each.last_id: count for count, each in enumerate(events, 1)}
    position = 0
    while position < len(events):
        what = data.draw(st.sampled_from(["next", "next", "next", "lose", "repeat", "swap", "snapshot"]))
        if what == "next":
            sync.on_event(events[position])
            position += 1
        elif what == "lose":
            position += 1
        elif what == "repeat" and position:
            sync.on_event(events[data.draw(st.integers(0, position - 1))])
        elif what == "swap" and position + 1 < len(events):
            sync.on_event(events[position + 1])
            sync.on_event(events[position])
            position += 2
        elif what == "snapshot":
            count = data.draw(st.integers(max(0, position - 3), min(len(events), position + 2)))
            if count:
                bids, asks = state_after(events, count)
                # Ids of other symbols may have passed since (futures).
                update_id = events[count - 1].last_id + (data.draw(st.integers(0, 2)) if futures else 0)
                after[update_id] = count
                sync.on_snapshot(update_id, bids, asks)
        if sync.trusted:
            assert (sync.book.top(99)) == state_after(events, after[sync.update_id])
        else:
            assert sync.book.top(99) == ([], [])


MOST = 150
"""Levels of each side in a snapshot."""


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-60, 60), st.lists(st.integers(0, 400), max_size=6), st.sampled_from([0, 1, 2, 3])),
        max_size=40,
    ),
)
def test_a_book_that_is_sure_has_the_venue_s_best_levels_wherever_the_price_goes(steps):
    """A venue of 400 levels a side; the price walks, and the snapshots that are asked for come 0 to 3 events later."""
    price, update_id, waited = 1000, 10, None
    bids = {float(price - place): 1.0 for place in range(1, 401)}
    asks = {float(price + place): 1.0 for place in range(1, 401)}

    def best(count):
        return sorted(bids.items(), reverse=True)[:count], sorted(asks.items())[:count]

    sync = BookSync(futures=False)
    sync.on_snapshot(update_id, *best(MOST), most=MOST)
    pending = None
    for walk, deeper, delay in steps:
        price, update_id = max(600, min(1400, price + walk)), update_id + 1
        changed_bids = [(each, 0.0) for each in bids if each >= price]
        changed_asks = [(each, 0.0) for each in asks if each <= price]
        changed_bids += [(float(price - 1 - place), float(place + 2)) for place in deeper]
        changed_asks += [(float(price + 1 + place), float(place + 2)) for place in deeper]
        for side, changes in ((bids, changed_bids), (asks, changed_asks)):
            for level, size in changes:
                side[level] = size
                if not size:
                    del side[level]
        outcome = sync.on_event(event(update_id, update_id, bids=changed_bids, asks=changed_asks))
        while True:
            assert outcome is not Outcome.GAP
            if outcome in (Outcome.APPLIED, Outcome.THIN):
                assert sync.book.top(BOOK_LEVELS) == best(BOOK_LEVELS)
            if outcome in (Outcome.THIN, Outcome.UNSURE, Outcome.REFUSED) and pending is None:
                pending, waited = (update_id, *best(MOST)), delay
            if pending is None or waited:
                waited = waited and waited - 1
                break
            (number, *levels), pending = pending, None
            outcome = sync.on_snapshot(number, *levels, most=MOST)
            assert outcome is not Outcome.REFUSED


@pytest.mark.parametrize("futures", [False, True])
def test_events_wait_for_the_snapshot_and_older_ones_are_dropped(futures):
    events = history([1, 2, 3, 4], futures=futures)
    sync = BookSync(futures=futures)
    assert [sync.on_event(each) for each in events] == [Outcome.FIRST, *[Outcome.WAITING] * 3]
    assert sync.on_snapshot(events[1].last_id, *state_after(events, 2)) is Outcome.APPLIED
    assert sync.trusted
    # Futures apply the event that ends at the snapshot once more: its sizes are absolute.
    assert (sync.applied, sync.dropped) == ((3, 1) if futures else (2, 2))
    assert sync.book.top(9) == state_after(events, 4)


def test_spot_gap_is_counted_and_the_book_given_up_until_a_snapshot():
    sync = BookSync(futures=False)
    sync.on_snapshot(10, [(1.0, 1.0)], [])
    assert sync.on_event(event(11, 12)) is Outcome.APPLIED
    assert sync.on_event(event(14, 15)) is Outcome.GAP
    assert (sync.trusted, sync.sequence_gaps, sync.book.top(1)) == (False, 1, ([], []))
    assert sync.on_event(event(16, 16, bids=[(2.0, 2.0)])) is Outcome.WAITING
    assert sync.on_snapshot(12, [], []) is Outcome.REFUSED
    assert sync.on_snapshot(15, [(1.0, 3.0)], []) is Outcome.APPLIED
    assert sync.book.top(9) == ([(2.0, 2.0), (1.0, 3.0)], [])


def test_futures_gap_is_by_the_previous_id():
    sync = BookSync(futures=True)
    sync.on_snapshot(10, [], [])
    assert sync.on_event(event(8, 12, 7)) is Outcome.APPLIED
    assert sync.on_event(event(20, 22, 12)) is Outcome.APPLIED
    assert sync.on_event(event(23, 24, 21)) is Outcome.GAP
    assert sync.sequence_gaps == 1


@pytest.mark.parametrize(("futures", "first"), [(False, event(12, 13)), (True, event(12, 13, 11))])
def test_a_snapshot_that_the_next_event_does_not_reach_is_not_trusted(futures, first):
    sync = BookSync(futures=futures)
    sync.on_snapshot(10, [(1.0, 1.0)], [])
    assert sync.on_event(first) is Outcome.GAP
    assert (sync.trusted, sync.snapshots_refused, sync.sequence_gaps) == (False, 1, 0)


def test_an_older_snapshot_does_not_turn_a_trusted_book_back():
    sync = BookSync(futures=False)
    sync.on_snapshot(10, [(1.0, 1.0)], [])
    sync.on_event(event(11, 11, bids=[(2.0, 2.0)]))
    assert sync.on_snapshot(10, [], []) is Outcome.OLD
    assert sync.book.bids.best() == (2.0, 2.0)


@pytest.mark.parametrize("futures", [False, True])
def test_numbers_that_begin_anew_are_a_gap_and_repetitions_are_not(futures):
    sync = BookSync(futures=futures)
    assert sync.on_event(event(1000, 1001, 999, ts_event=0)) is Outcome.FIRST
    sync.on_snapshot(1001, [(1.0, 1.0)], [])
    assert sync.on_event(event(1002, 1003, 1001, ts_event=1)) is Outcome.APPLIED
    assert sync.on_event(event(1000, 1001, 999, ts_event=0)) is Outcome.OLD
    # Another server's clock may differ a little.
    assert sync.on_event(event(1002, 1003, 1001, ts_event=RENUMBERED_NS + 1)) is Outcome.OLD
    later = RENUMBERED_NS + 2
    assert sync.on_event(event(1, 2, 0, [(2.0, 2.0)], ts_event=later)) is Outcome.GAP
    assert sync.on_event(event(3, 4, 2, [(3.0, 2.0)], ts_event=later + 1)) is Outcome.WAITING
    assert sync.on_snapshot(2, [(2.0, 2.0)], []) is Outcome.APPLIED
    assert (sync.trusted, sync.update_id, sync.sequence_gaps) == (True, 4, 1)
    assert sync.book.top(9) == ([(3.0, 2.0), (2.0, 2.0)], [])


def test_an_id_from_nowhere_does_not_make_later_events_old_for_ever():
    sync = BookSync(futures=False)
    sync.on_snapshot(10, [], [])
    assert sync.on_event(event(11, 11, ts_event=0)) is Outcome.APPLIED
    assert sync.on_event(event(2**50, 2**50, ts_event=1)) is Outcome.GAP
    assert sync.on_event(event(12, 12, ts_event=2)) is Outcome.OLD
    assert sync.on_event(event(13, 13, ts_event=RENUMBERED_NS + 2)) is Outcome.FIRST
    assert sync.on_snapshot(13, [(1.0, 1.0)], []) is Outcome.APPLIED


def test_what_waits_is_bounded():
    sync = BookSync(futures=False)
    for number in range(1, MAX_WAITING_EVENTS + 11):
        sync.on_event(event(number, number))
    assert (sync.waiting, sync.overflowed) == (MAX_WAITING_EVENTS, 10)
    assert sync.on_event(event(number + 1, number + 1)) is Outcome.FIRST
    assert sync.on_snapshot(5, [], []) is Outcome.REFUSED


def test_ids_that_make_no_sense_are_refused():
    with pytest.raises(FrameError, match="before its first"):
        BookSync(futures=False).check(event(5, 4))
    with pytest.raises(FrameError, match="without pu"):
        BookSync(futures=True).check(event(4, 5))
