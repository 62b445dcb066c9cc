"""What waits for snapshots is bounded over all books together."""

from hypothesis import given
from hypothesis import strategies as st

from tickfloor.feeds.venues.binance.book_sync import BookSync, Outcome
from tickfloor.feeds.venues.binance.waiting_events import LEVELS_OF_AN_EVENT, BookEvent, WaitingRoom

LEVEL = (1.0, 1.0)


def event(number: int, levels: int = 0) -> BookEvent:
    return BookEvent(number, number, None, number, [LEVEL] * levels, [])


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans()), max_size=80),
    st.integers(LEVELS_OF_AN_EVENT, 60),
)
def test_the_books_of_a_market_never_keep_more_than_there_is_room_for(steps, most):
    room = WaitingRoom(most)
    queues = [room.queue() for _ in range(4)]
    taken = [0] * 4
    for number, (which, levels, clear) in enumerate(steps):
        if clear:
            taken[which] -= len(queues[which])
            queues[which].clear()
        else:
            queues[which].append(event(number, levels))
            taken[which] += 1
        kept = [sum(LEVELS_OF_AN_EVENT + len(each.bids) for each in queue) for queue in queues]
        assert kept == [queue.levels for queue in queues]
        assert sum(kept) <= most
        assert [len(queue) + queue.overflowed for queue in queues] == taken


def test_the_book_that_keeps_the_most_gives_way_and_begins_anew():
    room = WaitingRoom(100)
    loud, quiet = BookSync(futures=False, room=room), BookSync(futures=False, room=room)
    assert quiet.on_event(event(1, 40)) is Outcome.FIRST
    assert [loud.on_event(event(number, 20)) for number in (1, 2)] == [Outcome.FIRST, Outcome.WAITING]
    assert quiet.on_event(event(2, 10)) is Outcome.FIRST  # it had the most itself
    assert (quiet.waiting, quiet.overflowed, loud.waiting, loud.overflowed) == (0, 2, 2, 0)
    assert quiet.on_event(event(3, 10)) is Outcome.FIRST
    # A snapshot from before what was forgotten is of no use, one from after it is.
    assert quiet.on_snapshot(1, [LEVEL], []) is Outcome.REFUSED
    assert quiet.on_snapshot(2, [LEVEL], []) is Outcome.APPLIED
    assert loud.on_snapshot(2, [LEVEL], []) is Outcome.APPLIED
