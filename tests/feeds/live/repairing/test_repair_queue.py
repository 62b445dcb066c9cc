"""Everything asked for is answered once, in the order of need, within what the venue allows."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.live import virtual_time
from tests.feeds.live.virtual_time import START_NS, VirtualLoop
from tickfloor.feeds.live.backoff import MOST_SECONDS, Backoff
from tickfloor.feeds.live.repairing.repair_queue import MOST_FLYING, MOST_RETRIES, Priority, RepairQueue
from tickfloor.feeds.live.repairing.rest import Answer, RestError
from tickfloor.feeds.live.repairing.weight_budget import GUARD_NS, MINUTE_NS, SHARE, WeightBudget
from tickfloor.feeds.venue import Request
from tickfloor.worker.token_bucket import TokenBucket

SECOND = 1_000_000_000
MINUTE = 60.0
GUARD = GUARD_NS / 1e9


class Reply(NamedTuple):
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    seconds: float = 0.1


BROKEN = Reply(0)


class FakeVenue:
    """Answers every path with 200 unless it has other replies for it, which are used up one by one."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.sent: list[tuple[float, str]] = []
        self.flying = 0
        self.most_flying = 0
        self.replies: dict[str, deque[Reply]] = {}
        self.on_change: Callable[[], None] = lambda: None

    def replies_to(self, path: str, *replies: Reply) -> None:
        self.replies[path] = deque(replies)

    async def fetch(self, path: str) -> Answer:
        self.sent.append((round(self.loop.time(), 6), path))
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        self.on_change()
        replies = self.replies.get(path)
        reply = replies.popleft() if replies else Reply()
        try:
            await asyncio.sleep(reply.seconds)
        finally:
            self.flying -= 1
            self.on_change()
        if reply is BROKEN:
            raise RestError("no connection")
        return Answer(reply.status, reply.headers, path.encode(), self.loop.utc_ns(), path)

    @property
    def paths(self) -> list[str]:
        return [path for _, path in self.sent]


class FakeLog:
    def __init__(self) -> None:
        self.warnings: list[tuple[str, dict[str, object]]] = []
        self.on_change: Callable[[], None] = lambda: None

    def warning(self, event: str, *, correlation_id: str = "", **fields: object) -> None:
        self.warnings.append((event, fields))
        self.on_change()


class Asking:
    """A queue at work, and the answers as they come."""

    def __init__(
        self,
        loop: VirtualLoop,
        weight_per_minute: int = 6_000,
        pace: Callable[[VirtualLoop], TokenBucket | None] = lambda _: None,
    ) -> None:
        self.loop = loop
        self.venue = FakeVenue(loop)
        self.log = FakeLog()
        self.queue = RepairQueue(
            self.venue.fetch, weight_per_minute=weight_per_minute, clock=loop.utc_ns, log=self.log,
            backoff=lambda: Backoff(uniform=lambda _, most: most), pace=pace(loop),
        )  # fmt: skip
        self.answers: list[Answer] = []
        self._something = asyncio.Event()
        self.venue.on_change = self.log.on_change = self._something.set

    def ask(self, path: str, *, weight: int = 1, priority: int = Priority.TRADES, key: object = None, **more) -> bool:
        return self.queue.ask(Request(path, weight), key=key or path, priority=priority, then=self._on_answer, **more)

    async def answered(self, count: int) -> None:
        """Let the queue work until there are so many answers."""
        await self.until(lambda: len(self.answers) >= count)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the queue work until something is so; looked at with every request, reply, answer and warning."""
        async with asyncio.timeout(10 * 86_400):
            while not condition():
                self._something.clear()
                await self._something.wait()

    def _on_answer(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._something.set()


def asking(test: Callable[[Asking], object], **more) -> Asking:
    """Run a test's coroutine beside a working queue, in virtual time."""
    made = []

    async def main(loop: VirtualLoop) -> None:
        asked = Asking(loop, **more)
        made.append(asked)
        working = asyncio.create_task(asked.queue.run())
        await test(asked)
        await stop(working)

    virtual_time.run(main)
    return made[0]


async def stop(working: asyncio.Task[None]) -> None:
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


def test_what_is_needed_more_goes_first_and_within_that_what_was_asked_first():
    async def test(asked: Asking) -> None:
        asked.ask("info", priority=Priority.METADATA)
        asked.ask("book 1", priority=Priority.BOOKS)
        asked.ask("trades 1", priority=Priority.TRADES)
        asked.ask("book 2", priority=Priority.BOOKS)
        asked.ask("trades 2", priority=Priority.TRADES)
        await asked.answered(5)

    assert asking(test).venue.paths == ["trades 1", "trades 2", "book 1", "book 2", "info"]


def test_only_so_many_are_under_way_at_once():
    async def test(asked: Asking) -> None:
        for number in range(20):
            asked.ask(f"{number}")
        await asked.answered(20)

    assert asking(test).venue.most_flying == MOST_FLYING


def test_the_same_is_asked_for_once_while_it_is_under_way_and_again_from_its_answer_on():
    async def test(asked: Asking) -> None:
        again = []
        asked.queue.ask(
            Request("book", 1), key="k", priority=0, then=lambda answer: again.append(asked.ask("book", key="k"))
        )
        assert not asked.ask("book", key="k")
        await asked.answered(1)
        assert again == [True]

    made = asking(test)
    assert made.venue.paths == ["book", "book"]
    assert made.queue.statistics().joined == 1


def test_a_question_may_wait_before_it_is_sent():
    async def test(asked: Asking) -> None:
        asked.ask("later", delay_seconds=5.0)
        asked.ask("now", priority=Priority.METADATA)
        await asked.answered(2)

    assert asking(test).venue.sent == [(0.0, "now"), (5.0, "later")]


def test_what_the_minute_does_not_hold_waits_for_the_next_one():
    async def test(asked: Asking) -> None:
        for number in range(5):
            asked.ask(f"{number}", weight=40)
        await asked.answered(5)

    sent = asking(test, weight_per_minute=100).venue.sent
    # The queue's first minute is the last one of the venue's clock until the guard has passed.
    assert [at for at, _ in sent] == [0.0, 0.0, GUARD, GUARD, MINUTE + GUARD]


def test_what_comes_due_and_fits_does_not_wait_for_what_is_needed_less():
    async def test(asked: Asking) -> None:
        await asyncio.sleep(GUARD)
        asked.ask("first", weight=80)
        asked.ask("less", weight=40, priority=Priority.METADATA)
        asked.ask("later", weight=5, delay_seconds=3.0)
        await asked.answered(3)

    sent = asking(test, weight_per_minute=100).venue.sent
    assert sent == [(GUARD, "first"), (GUARD + 3.0, "later"), (MINUTE + GUARD, "less")]


def test_a_request_that_costs_more_than_a_minute_is_sent_alone():
    async def test(asked: Asking) -> None:
        asked.ask("huge", weight=500)
        asked.ask("small", weight=1)
        await asked.answered(2)

    assert asking(test, weight_per_minute=100).venue.sent == [(0.0, "huge"), (GUARD, "small")]


def test_the_venue_is_believed_about_what_is_used():
    async def test(asked: Asking) -> None:
        await asyncio.sleep(GUARD)
        asked.venue.replies_to("first", Reply(headers={"x-mbx-used-weight-1m": "95"}))
        asked.ask("first", weight=5)
        await asked.answered(1)
        asked.ask("second", weight=5)
        await asked.answered(2)

    assert [at for at, _ in asking(test, weight_per_minute=100).venue.sent] == [GUARD, MINUTE + GUARD]


def test_what_the_venue_says_of_a_minute_that_is_over_is_not_believed_for_the_next():
    now = [START_NS + GUARD_NS]
    budget = WeightBudget(100, lambda: now[0])
    minute = budget.minute()
    assert budget.spend(10)
    now[0] += MINUTE_NS
    assert budget.minute() == minute + 1
    budget.told(99, minute)
    assert budget.spend(50)
    budget.told(95, budget.minute())
    assert not budget.spend(1)


def test_a_limit_that_the_venue_names_later_holds_from_then_on():
    async def test(asked: Asking) -> None:
        asked.queue.allow(50)
        asked.ask("1", weight=40)
        asked.ask("2", weight=40)
        await asked.answered(2)
        with pytest.raises(ValueError, match="lets no request through"):
            asked.queue.allow(0)

    assert [at for at, _ in asking(test, weight_per_minute=100).venue.sent] == [0.0, GUARD]


def test_after_429_everything_waits_as_long_as_the_venue_says_and_nothing_is_lost():
    async def test(asked: Asking) -> None:
        asked.venue.replies_to("1", Reply(429, {"retry-after": "30"}))
        for number in range(8):
            asked.ask(f"{number}")
        await asked.answered(8)

    made = asking(test)
    assert sorted(answer.path for answer in made.answers) == [f"{number}" for number in range(8)]
    assert all(at < 0.2 or at >= 30.0 for at, _ in made.venue.sent)
    assert made.queue.statistics().too_many == 1
    assert all(answer.ok for answer in made.answers)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {}, 10.0), (429, {"retry-after": "0"}, 1.0), (429, {"retry-after": "soon"}, 10.0), (418, {}, 120.0),
        (418, {"retry-after": "86400"}, 86_400.0), (418, {"retry-after": "999999999"}, 259_200.0),
    ],
)  # fmt: skip
def test_a_ban_is_waited_for_however_long_and_said(status: int, headers: dict[str, str], seconds: float):
    said = []

    async def test(asked: Asking) -> None:
        asked.venue.replies_to("1", Reply(status, headers))
        asked.ask("1")
        await asked.until(lambda: asked.log.warnings)
        said.append(asked.queue.statistics().barred_until_ns)
        await asked.answered(1)
        said.append(asked.queue.statistics().barred_until_ns)

    made = asking(test)
    assert said == [START_NS + round((seconds + 0.1) * 1e9), 0]
    what = "had too many requests" if status == 429 else "bans this address"
    then = f"nothing is asked of it for {seconds:,.0f} s"
    assert made.log.warnings == [(f"the venue {what}", {"venue": "", "status": status, "then": then})]
    assert [at for at, _ in made.venue.sent] == [0.0, pytest.approx(seconds + 0.1)]


def test_what_was_under_way_together_is_told_of_a_ban_together():
    async def test(asked: Asking) -> None:
        for number in range(MOST_FLYING):
            asked.venue.replies_to(f"{number}", Reply(418))
            asked.ask(f"{number}")
        await asked.answered(MOST_FLYING)

    made = asking(test)
    assert len(made.log.warnings) == 1
    assert made.queue.statistics().bans == MOST_FLYING


@pytest.mark.parametrize("reply", [BROKEN, Reply(403), Reply(408), Reply(500), Reply(503)])
def test_what_failed_is_asked_for_again_ever_later_and_answered_as_failed_in_the_end(reply: Reply):
    async def test(asked: Asking) -> None:
        asked.venue.replies_to("1", *[reply] * 20)
        asked.ask("1")
        await asked.answered(1)

    made = asking(test)
    assert len(made.venue.sent) == MOST_RETRIES + 1
    [answer] = made.answers
    assert (answer.ok, answer.status) == (False, reply.status)
    times = [at for at, _ in made.venue.sent]
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[-1] <= MOST_SECONDS + reply.seconds
    statistics = made.queue.statistics()
    assert (statistics.failed, statistics.repeated) == (1, MOST_RETRIES)


def test_a_venue_that_does_not_answer_is_said_once_with_why_and_when_it_is_asked_again_and_so_is_that_it_answers():
    async def test(asked: Asking) -> None:
        for path in ("1", "2"):
            asked.venue.replies_to(path, BROKEN, Reply(503), BROKEN)
            asked.ask(path)
        await asked.answered(2)
        asked.venue.replies_to("3", Reply(503))
        asked.ask("3")
        await asked.answered(3)

    lost, then = "the venue does not answer", "asked again in 0.2 s, and ever later until it does"
    assert asking(test).log.warnings == [
        (lost, {"venue": "", "reason": "no connection", "then": then}), ("the venue answers again", {"venue": ""}),
        (lost, {"venue": "", "reason": "status 503: 3", "then": then}), ("the venue answers again", {"venue": ""}),
    ]  # fmt: skip


def test_others_go_on_while_what_failed_waits():
    async def test(asked: Asking) -> None:
        asked.venue.replies_to("1", BROKEN, BROKEN)
        asked.ask("1")
        asked.ask("2", priority=Priority.METADATA)
        await asked.answered(2)

    assert [answer.path for answer in asking(test).answers] == ["2", "1"]


@pytest.mark.parametrize("status", [301, 400, 404, 451])
def test_what_is_wrong_with_the_request_is_final(status: int):
    async def test(asked: Asking) -> None:
        asked.venue.replies_to("1", Reply(status))
        asked.ask("1")
        await asked.answered(1)

    made = asking(test)
    assert [answer.status for answer in made.answers] == [status]
    assert len(made.venue.sent) == 1


def test_who_waits_for_an_answer_gets_it_or_the_news_that_there_will_be_none():
    async def test(asked: Asking) -> None:
        assert (await asked.queue.get(Request("info", 20))).body == b"info"
        given_up = asyncio.create_task(asked.queue.get(Request("given up", 20)))
        await asked.until(lambda: "given up" in asked.venue.paths)
        given_up.cancel()
        await asked.until(lambda: not asked.venue.flying)
        waiting = asyncio.create_task(asked.queue.get(Request("waiting", 20)))
        await asked.until(lambda: "waiting" in asked.venue.paths)
        asked.queue.close()
        with pytest.raises(RestError):
            await waiting
        with pytest.raises(RestError, match="closed"):
            await asked.queue.get(Request("late", 20))

    assert asking(test).venue.flying == 0


def test_a_pace_spreads_requests_over_the_minute():
    async def test(asked: Asking) -> None:
        for number in range(5):
            asked.ask(f"{number}")
        await asked.answered(5)

    def paced(loop: VirtualLoop) -> TokenBucket:
        return TokenBucket(1.0, 2, clock=lambda: round(loop.time() * 1e9))

    times = [at for at, _ in asking(test, pace=paced).venue.sent]
    assert times == pytest.approx([0.0, 0.0, 1.0, 2.0, 3.0])


def test_what_a_reader_of_answers_raises_is_not_swallowed():
    def broken(answer: Answer) -> None:
        raise KeyError(answer.path)

    async def main(loop: VirtualLoop) -> None:
        asked = Asking(loop)
        asked.queue.ask(Request("1", 1), key="1", priority=0, then=broken)
        with pytest.raises(ExceptionGroup) as caught:
            await asked.queue.run()
        assert caught.group_contains(KeyError)

    virtual_time.run(main)


REPLIES = st.sampled_from([
    Reply(), Reply(), Reply(seconds=20.0), Reply(429, {"retry-after": "7"}), Reply(418, {"retry-after": "130"}),
    Reply(500), Reply(403), Reply(400), BROKEN, Reply(headers={"x-mbx-used-weight-1m": "80"}),
])  # fmt: skip
QUESTIONS = st.tuples(
    st.integers(0, 12), st.sampled_from(list(Priority)), st.integers(1, 60), st.sampled_from([0.0, 0.05, 3.0, 61.0])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(QUESTIONS, min_size=1, max_size=30), st.dictionaries(st.integers(0, 12), st.lists(REPLIES, max_size=9)))
def test_whatever_the_venue_answers_every_question_ends_once_and_no_limit_is_broken(questions, replies):
    async def test(asked: Asking) -> None:
        for number, scripted in replies.items():
            asked.venue.replies_to(f"{number}", *scripted)
        accepted = Counter()
        weights: dict[str, int] = {}
        for number, priority, weight, pause in questions:
            path = f"{number}"
            if asked.ask(path, weight=weights.setdefault(path, weight), priority=priority):
                accepted[path] += 1
            await asyncio.sleep(pause)
        await asked.answered(accepted.total())
        assert Counter(answer.path for answer in asked.answers) == accepted
        assert asked.venue.most_flying <= MOST_FLYING
        statistics = asked.queue.statistics()
        assert (statistics.waiting, statistics.flying) == (0, 0)
        spent = Counter()
        for at, path in asked.venue.sent:
            spent[(START_NS + round(at * 1e9) - GUARD_NS) // MINUTE_NS] += weights[path]
        assert all(used <= 100 * SHARE for used in spent.values())

    asking(test, weight_per_minute=100)


HOLD_SECONDS = 5.0
"""After which a trade that waits for a repair is let go, and there is a gap."""


def test_questions_about_quiet_streams_leave_weight_for_a_repair_of_trades_in_time():
    asked_at = []

    async def test(asked: Asking) -> None:
        await asyncio.sleep(GUARD)
        # Binance spot: 300 instruments that are quiet at night, each looked at for its newest trade.
        for number in range(300):
            asked.ask(f"newest {number}", weight=25, priority=Priority.METADATA)
        await asked.answered(144)
        await asyncio.sleep(5.0)
        assert len(asked.answers) == 144
        asked_at.append(asked.loop.time())
        asked.ask("trades", weight=25, priority=Priority.TRADES)
        await asked.answered(301)

    asked = asking(test)
    sent_at = next(at for at, path in asked.venue.sent if path == "trades")
    assert sent_at - asked_at[0] < HOLD_SECONDS


@pytest.mark.parametrize(("priority", "allowed"), [
    (Priority.TRADES, 95), (Priority.BOOKS, 60), (Priority.METADATA, 60),
])  # fmt: skip
def test_only_repairs_of_trades_may_use_a_whole_minute(priority, allowed):
    async def test(asked: Asking) -> None:
        await asyncio.sleep(GUARD)
        for number in range(100):
            asked.ask(f"{number}", priority=priority)
        await asked.answered(100)

    asked = asking(test, weight_per_minute=100)
    assert len([at for at, _ in asked.venue.sent if at < MINUTE / 2]) == allowed
