"""What is asked for, what is believed, and when a venue is given up."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.live.venue import FakeDialect, key, keys
from tickfloor.feeds.live.connecting.subscriptions import AGAIN_NS, NEVER_NS, Subscriptions
from tickfloor.feeds.venue import Acked, Channel, Listed, Refused, StreamKey, TooManyMessages

SECOND = 1_000_000_000


def asked(message: bytes | None) -> tuple[str, list[StreamKey], int]:
    assert message is not None
    said = json.loads(message)
    return said["op"], [StreamKey(Channel(channel), symbol) for channel, symbol in said["keys"]], said["id"]


def test_a_refused_request_is_asked_again_in_halves_until_the_wrong_stream_stands_alone():
    wanted = keys(*(f"trades {name}" for name in "ABCDEFGH"))
    subscriptions = Subscriptions(FakeDialect(lists=False), wanted)
    now, messages = 0, 0
    while not subscriptions.settled:
        message = subscriptions.take(now)
        if message is None:
            now = subscriptions.due_ns(now)
            continue
        _, streams, number = asked(message)
        messages += 1
        wrong = key("trades F") in streams
        subscriptions.on(Refused(number, None, "unknown symbol") if wrong else Acked(number, None), now)
    assert subscriptions.refused() == {key("trades F"): "unknown symbol"}
    assert set(subscriptions.accepted()) == set(wanted) - {key("trades F")}
    assert messages <= 10


def test_a_venue_that_does_not_number_its_answers_answers_the_oldest_request():
    subscriptions = Subscriptions(FakeDialect(lists=False, streams_per_message=1), keys("trades A", "trades B"))
    subscriptions.take(0)
    subscriptions.take(0)
    subscriptions.on(Acked(None, None), 1)
    assert set(subscriptions.accepted()) == {key("trades A")}
    subscriptions.on(Acked(None, (key("trades B"),)), 2)
    assert subscriptions.accepted() == {key("trades A"): 1, key("trades B"): 2}


def test_a_list_that_comes_unasked_accepts_what_it_names():
    subscriptions = Subscriptions(FakeDialect(lists=False), keys("trades A", "trades B"))
    subscriptions.take(0)
    subscriptions.on(Listed(frozenset(keys("trades A"))), 1)
    assert subscriptions.accepted() == {key("trades A"): 1}
    assert not subscriptions.settled
    subscriptions.on(Listed(frozenset(keys("trades A", "trades B"))), 2)
    assert subscriptions.settled


def test_a_stream_that_the_venue_lists_no_longer_is_asked_for_once_more_and_then_given_up():
    subscriptions = Subscriptions(FakeDialect(lists=False), keys("trades A"))
    for _ in range(2):
        subscriptions.on(Acked(asked(subscriptions.take(0))[2], None), 0)
        assert subscriptions.accepted()
        subscriptions.on(Listed(frozenset()), 1)
    assert subscriptions.take(1) is None
    assert subscriptions.refused() == {key("trades A"): "accepted, yet the venue does not list it"}


def test_an_answer_that_comes_late_still_counts():
    subscriptions = Subscriptions(FakeDialect(ack_seconds=1.0, lists=False), keys("trades A"))
    first = asked(subscriptions.take(0))[2]
    for now in (SECOND, 2 * SECOND):
        subscriptions.expire(now)
        subscriptions.take(now)
    assert subscriptions.refused() == {key("trades A"): "no answer within 1 s"}
    assert subscriptions.nobody_answers
    subscriptions.on(Acked(first, None), 3 * SECOND)
    assert subscriptions.accepted() == {key("trades A"): 3 * SECOND}
    assert not subscriptions.nobody_answers


def test_a_stream_that_is_wanted_again_at_once_is_asked_for_after_its_end_is_confirmed():
    subscriptions = Subscriptions(FakeDialect(lists=False), keys("trades A"))
    subscriptions.on(Acked(asked(subscriptions.take(0))[2], None), 0)
    subscriptions.remove(keys("trades A"))
    subscriptions.add(keys("trades A"))
    op, _, number = asked(subscriptions.take(0))
    assert op == "unsub"
    assert subscriptions.take(0) is None
    subscriptions.on(Acked(number, None), 1)
    assert asked(subscriptions.take(1))[0] == "sub"


def test_an_end_that_is_not_confirmed_is_taken_for_granted_in_the_end():
    subscriptions = Subscriptions(FakeDialect(ack_seconds=1.0, lists=False), keys("trades A"))
    subscriptions.on(Acked(asked(subscriptions.take(0))[2], None), 0)
    assert subscriptions.renew(keys("trades A", "trades B")) == keys("trades A")
    assert subscriptions.renew(keys("trades A")) == keys("trades A")
    assert asked(subscriptions.take(0))[0] == "unsub"
    assert subscriptions.due_ns(0) == SECOND
    subscriptions.expire(SECOND)
    assert asked(subscriptions.take(SECOND))[0] == "sub"


def test_a_venue_that_never_lists_is_not_waited_for():
    subscriptions = Subscriptions(FakeDialect(ack_seconds=1.0), keys("trades A"))
    subscriptions.on(Acked(asked(subscriptions.take(0))[2], None), 0)
    now = 0
    for _ in range(2):
        assert asked(subscriptions.take(now))[0] == "list"
        assert not subscriptions.settled
        now += SECOND
        subscriptions.expire(now)
    assert subscriptions.take(now) is None
    assert subscriptions.settled


def refusing(subscriptions: Subscriptions, now: int, until: int) -> int:
    """Refuse everything for a while; return how often was asked."""
    asked_for = 0
    while now < until:
        subscriptions.expire(now)
        if (message := subscriptions.take(now)) is not None:
            asked_for += 1
            subscriptions.on(Refused(asked(message)[2], None, "market in maintenance"), now)
        now += SECOND
    return asked_for


def test_a_stream_that_was_refused_for_hours_is_asked_for_every_few_minutes_and_had_in_the_end():
    subscriptions = Subscriptions(FakeDialect(lists=False), keys("trades A"))
    refusing(subscriptions, 0, 60 * SECOND)
    hours = 4
    assert subscriptions.refused() == {key("trades A"): "market in maintenance"}
    assert subscriptions.settled
    assert hours * 6 <= refusing(subscriptions, 60 * SECOND, hours * 3_600 * SECOND) <= hours * 12
    now = subscriptions.due_ns(hours * 3_600 * SECOND)
    message = subscriptions.take(now)
    # Until it is accepted it is one that was given up: nobody waits for it.
    assert subscriptions.refused()
    assert subscriptions.settled
    subscriptions.on(Acked(asked(message)[2], None), now)
    assert subscriptions.accepted() == {key("trades A"): now}
    assert subscriptions.refused() == {}


def test_a_stream_that_was_accepted_and_not_listed_is_believed_when_it_is_listed():
    subscriptions = Subscriptions(FakeDialect(), keys("trades A"))
    now = 0

    def accept_and_list(listed) -> None:
        subscriptions.on(Acked(asked(subscriptions.take(now))[2], None), now)
        assert asked(subscriptions.take(now))[0] == "list"
        seen.append(set(subscriptions.accepted()))
        subscriptions.on(Listed(frozenset(listed)), now)

    seen: list[set[StreamKey]] = []
    accept_and_list([])
    accept_and_list([])
    now += AGAIN_NS
    accept_and_list([])
    assert subscriptions.refused()
    now += AGAIN_NS
    accept_and_list(keys("trades A"))
    assert seen == [{key("trades A")}, {key("trades A")}, set(), set()]
    assert set(subscriptions.accepted()) == {key("trades A")}
    assert not subscriptions.refused()


def test_what_was_left_out_because_there_were_too_many_messages_is_asked_for_again_and_not_given_up():
    subscriptions = Subscriptions(FakeDialect(lists=False, ack_seconds=1.0), keys("trades A", "quotes A"))
    now = 0
    for _ in range(5):
        requests = [asked(subscriptions.take(now)) for _ in range(2)]
        assert [streams for _, streams, _ in requests] == [keys("trades A"), keys("quotes A")]
        assert subscriptions.take(now) is None
        subscriptions.on(TooManyMessages(), now)
        assert subscriptions.take(now) is None
        now += SECOND
        subscriptions.expire(now)
    subscriptions.on(Acked(asked(subscriptions.take(now))[2], None), now)
    assert not subscriptions.refused()
    assert not subscriptions.nobody_answers


def test_an_end_that_was_left_out_is_asked_for_again():
    subscriptions = Subscriptions(FakeDialect(lists=False, ack_seconds=1.0), keys("book A"))
    subscriptions.on(Acked(asked(subscriptions.take(0))[2], None), 0)
    subscriptions.renew(keys("book A"))
    assert asked(subscriptions.take(0))[0] == "unsub"
    subscriptions.on(TooManyMessages(), 0)
    subscriptions.expire(SECOND)
    op, _, number = asked(subscriptions.take(SECOND))
    assert op == "unsub"
    subscriptions.on(Acked(number, None), SECOND)
    assert asked(subscriptions.take(SECOND))[0] == "sub"


STREAMS = keys(*(f"{channel} {symbol}" for channel in ("trades", "quotes") for symbol in "ABCD"))
MOODS = st.sampled_from(["ack", "ack by name", "part", "refuse", "refuse by name", "silence", "late", "too many"])
CHANGES = st.one_of(
    st.tuples(st.sampled_from(["add", "remove", "renew"]), st.lists(st.sampled_from(STREAMS), max_size=3)),
    st.just(("wait", [])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MOODS, max_size=25), st.lists(CHANGES, max_size=12), st.integers(1, 4), st.booleans())
def test_whatever_a_venue_answers_it_settles_in_few_messages_and_believes_only_what_is_true(
    moods, changes, together, lists
):
    """The venue answers in a bad mood for a while and then well; the wanted set changes meanwhile."""
    dialect = FakeDialect(lists=lists, ack_seconds=1.0, streams_per_message=together)
    subscriptions = Subscriptions(dialect, STREAMS[:4])
    wanted = set(STREAMS[:4])
    held: set[StreamKey] = set()
    late: list[int] = []
    moods, changes = list(moods), list(changes)
    now = messages = 0
    for _ in range(2000):
        subscriptions.expire(now)
        message = subscriptions.take(now)
        if message is None:
            if not changes and subscriptions.settled:
                break
            if changes:
                what, some = changes.pop()
                if what == "add":
                    subscriptions.add(some)
                    wanted |= set(some)
                elif what == "remove":
                    subscriptions.remove(some)
                    wanted -= set(some)
                elif what == "renew":
                    subscriptions.renew(some)
                else:
                    for number in late:
                        subscriptions.on(Acked(number, None), now)
                    late.clear()
                now += SECOND // 10
            else:
                due = subscriptions.due_ns(now)
                assert now < due < NEVER_NS, "it waits for nothing"
                now = due
            continue
        messages += 1
        op, some, number = asked(message)
        if op == "list":
            subscriptions.on(Listed(frozenset(held)), now)
        elif op == "unsub":
            held -= set(some)
            subscriptions.on(Acked(number, None), now)
        else:
            answer(subscriptions, moods.pop() if moods else "ack", held, late, some, number, now)
    else:
        raise AssertionError("it never settles")
    assert set(subscriptions.keys) == wanted
    accepted, refused = set(subscriptions.accepted()), set(subscriptions.refused())
    assert accepted | refused == wanted
    assert not accepted & refused
    assert accepted <= held
    assert messages <= 40 + 12 * len(STREAMS)


def answer(subscriptions, mood, held, late, some, number, now) -> None:
    """Answer a subscription as the mood is."""
    if mood == "ack":
        held |= set(some)
        subscriptions.on(Acked(number, None), now)
    elif mood == "ack by name":
        held |= set(some)
        for each in some:
            subscriptions.on(Acked(number, (each,)), now)
    elif mood == "part":
        held.add(some[0])
        subscriptions.on(Acked(number, (some[0],)), now)
    elif mood == "refuse":
        subscriptions.on(Refused(number, None, "no"), now)
    elif mood == "too many":
        subscriptions.on(TooManyMessages(), now)
    elif mood == "refuse by name":
        subscriptions.on(Refused(None, (some[-1],), "no"), now)
    elif mood == "late":
        held |= set(some)
        late.append(number)
