"""Asks one venue for what is missing, in the order of need and never faster than the venue allows.

The weight of a minute is counted as the venue counts it. A request that was refused because there were too many waits
with all others for as long as the venue says; one that failed is tried again; what cannot be had is answered, too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from enum import IntEnum
from heapq import heappop, heappush
from typing import Final

import msgspec

from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.repairing.answering import Answering
from tickfloor.feeds.live.repairing.rest import Answer, RestError
from tickfloor.feeds.live.repairing.weight_budget import OTHERS_SHARE, SHARE, WeightBudget
from tickfloor.feeds.live.retry_after import BANNED, USUAL_SECONDS, pause_seconds, whole_number
from tickfloor.feeds.venue import Request
from tickfloor.worker.token_bucket import TokenBucket

MOST_FLYING: Final = 4
MOST_RETRIES: Final = 6
USED_WEIGHT: Final = "x-mbx-used-weight-1m"
RETRY_AFTER: Final = "retry-after"
FORBIDDEN: Final = 403
TIMED_OUT: Final = 408
SERVER_ERRORS: Final = 500


class Priority(IntEnum):
    """What is needed first."""

    TRADES = 0
    BOOKS = 1
    METADATA = 2


class RepairQueueStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, and what was asked for since the beginning.

    Attributes:
        waiting: requests that have not been sent, those that will be tried again included.
        flying: requests without an answer yet.
        used_weight, weight_per_minute: of the current minute.
        barred_until_ns: nothing is sent before, ns UTC, because the venue said so; 0: it did not.
        sent: requests, repetitions included.
        repeated: that had failed before.
        failed: that were answered with a failure in the end.
        joined: asked for while the same was under way.
        too_many: answers 429.
        bans: answers 418.
    """

    waiting: int
    flying: int
    used_weight: int
    weight_per_minute: int
    barred_until_ns: int
    sent: int
    repeated: int
    failed: int
    joined: int
    too_many: int
    bans: int


class _Job:
    """A request, and what has happened to it."""

    __slots__ = ("backoff", "failures", "key", "order", "priority", "request", "then")

    def __init__(
        self, request: Request, key: Hashable, priority: int, order: int, then: Callable[[Answer], None],
        backoff: Backoff,
    ) -> None:  # fmt: skip
        self.request = request
        self.key = key
        self.priority = priority
        self.order = order
        self.then = then
        self.backoff = backoff
        self.failures = 0


class RepairQueue:
    """The requests to one venue from one address."""

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[Answer]],
        *,
        weight_per_minute: int,
        clock: Callable[[], int] = time.time_ns,
        pace: TokenBucket | None = None,
        backoff: Callable[[], Backoff] = Backoff,
        venue: str = "",
        log: LogPort | None = None,
    ) -> None:
        """Begin with nothing to ask for.

        Args:
            fetch: gets a path; see :meth:`~tickfloor.feeds.live.repairing.rest.RestClient.fetch`.
            weight_per_minute: what the venue allows; :meth:`allow` corrects it.
            clock: ns UTC.
            pace: a token for each request, where the venue also limits what is sent at once; None: it does not.
            backoff: makes what says how long a request that failed waits.
            venue: whose, for the log.
            log: told of what the venue forbids, and when it does not answer.

        Raises:
            ValueError: the weight lets nothing through.
        """
        self._fetch = fetch
        self._clock = clock
        self._budget = WeightBudget(weight_per_minute, clock)
        self._pace = pace
        self._backoff = backoff
        self._answering = Answering(venue, log)
        self._waiting: list[tuple[int, int, _Job]] = []
        self._later: list[tuple[int, int, _Job]] = []
        self._keys: set[Hashable] = set()
        self._gets: set[asyncio.Future[Answer]] = set()
        self._changed = asyncio.Event()
        self._closed = False
        self._order = 0
        self._flying = 0
        self._flying_weight = 0
        self._barred_until_ns = 0
        self._sent = self._repeated = self._failed = self._joined = self._too_many = self._bans = 0

    @property
    def unanswered(self) -> str:
        """Why the venue does not answer; empty: it does."""
        return self._answering.unanswered

    def ask(
        self,
        request: Request,
        *,
        key: Hashable,
        priority: int,
        then: Callable[[Answer], None],
        delay_seconds: float = 0.0,
    ) -> bool:
        """Ask for something.

        Args:
            key: what it is; while it is under way it is not asked for again.
            priority: see :class:`Priority`; lower goes first, and within one the older.
            then: given the answer, which may be a failure; the key is free by then.
            delay_seconds: before it is sent.

        Returns:
            False if the same is under way: then it is that one whose ``then`` is called.
        """
        if key in self._keys:
            self._joined += 1
            return False
        self._keys.add(key)
        self._order += 1
        job = _Job(request, key, priority, self._order, then, self._backoff())
        if delay_seconds > 0:
            self._postpone(job, delay_seconds)
        else:
            heappush(self._waiting, (priority, job.order, job))
        self._changed.set()
        return True

    async def get(self, request: Request, *, priority: int = Priority.METADATA) -> Answer:
        """Ask for something and wait for the answer, which may be a failure.

        Raises:
            RestError: the queue was closed before.
        """
        if self._closed:
            raise RestError(f"{request.path}: the queue is closed")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def then(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        self._gets.add(future)
        try:
            self.ask(request, key=future, priority=priority, then=then)
            return await future
        finally:
            self._gets.discard(future)

    def allow(self, weight_per_minute: int) -> None:
        """Go by another limit from now on, as the venue has named it.

        Raises:
            ValueError: it lets nothing through.
        """
        self._budget.allow(weight_per_minute)
        self._changed.set()

    async def run(self) -> None:
        """Send what is asked for until cancelled; then the queue is closed."""
        try:
            async with asyncio.TaskGroup() as flights:
                while True:
                    self._changed.clear()
                    wait_ns = self._send(flights)
                    try:
                        async with asyncio.timeout(None if wait_ns is None else wait_ns / 1e9):
                            await self._changed.wait()
                    except TimeoutError:
                        continue
        finally:
            self.close()

    def close(self) -> None:
        """Forget everything; who waits for an answer gets a RestError."""
        self._closed = True
        self._waiting.clear()
        self._later.clear()
        self._keys.clear()
        for future in self._gets:
            if not future.done():
                future.set_exception(RestError("the feed is closing"))

    def statistics(self) -> RepairQueueStatistics:
        """Return what waits and what was done so far."""
        self._budget.minute()
        return RepairQueueStatistics(
            waiting=len(self._waiting) + len(self._later),
            flying=self._flying,
            used_weight=self._budget.used,
            weight_per_minute=self._budget.per_minute,
            barred_until_ns=self._barred_until_ns if self._clock() < self._barred_until_ns else 0,
            sent=self._sent,
            repeated=self._repeated,
            failed=self._failed,
            joined=self._joined,
            too_many=self._too_many,
            bans=self._bans,
        )

    def _send(self, flights: asyncio.TaskGroup) -> int | None:
        """Send what may be sent; return after how many ns there may be more, None: after an answer or a question."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            job = heappop(self._later)[2]
            heappush(self._waiting, (job.priority, job.order, job))
        if now < self._barred_until_ns:
            return self._barred_until_ns - now
        pause_ns = None
        while self._waiting and self._flying < MOST_FLYING and pause_ns is None:
            pause_ns = self._pause_ns(self._waiting[0][2], now)
            if pause_ns is None:
                flights.create_task(self._fly(heappop(self._waiting)[2]))
        if self._later:
            until_later_ns = self._later[0][0] - now
            return until_later_ns if pause_ns is None else min(pause_ns, until_later_ns)
        return pause_ns

    def _pause_ns(self, job: _Job, now: int) -> int | None:
        """Spend a request's weight, or return how long there is no spending it."""
        if self._pace is not None:
            pause_seconds = self._pace.wait_seconds()
            if pause_seconds > 0:
                return round(pause_seconds * 1e9)
        weight = job.request.weight
        # Trades are held back for seconds only: what can wait longer leaves some of the minute for them.
        if not self._budget.spend(weight, SHARE if job.priority == Priority.TRADES else OTHERS_SHARE):
            return self._budget.next_minute_ns() - now
        if self._pace is not None:
            self._pace.take()
        # Here and not when its task begins, which is a turn of the loop later.
        self._flying += 1
        self._flying_weight += weight
        return None

    async def _fly(self, job: _Job) -> None:
        path, weight = job.request
        minute = self._budget.minute()
        self._sent += 1
        try:
            answer = await self._fetch(path)
        except RestError as error:
            answer = Answer(0, {}, str(error).encode(), self._clock(), path)
        finally:
            self._flying -= 1
            self._flying_weight -= weight
            self._changed.set()
        used = whole_number(answer.headers.get(USED_WEIGHT, ""))
        if used is not None:
            self._budget.told(used + self._flying_weight, minute)
        self._take(job, answer)

    def _take(self, job: _Job, answer: Answer) -> None:
        """Hand an answer on, or ask again."""
        if answer.status in USUAL_SECONDS:
            self._bar(answer)
            heappush(self._waiting, (job.priority, job.order, job))
            return
        if may_pass(answer.status):
            job.failures += 1
            if job.failures <= MOST_RETRIES:
                self._repeated += 1
                seconds = job.backoff.seconds(0.0)
                self._answering.failed(answer, seconds)
                self._postpone(job, seconds)
                return
        else:
            self._answering.answered()
        if not answer.ok:
            self._failed += 1
        self._keys.discard(job.key)
        job.then(answer)

    def _postpone(self, job: _Job, seconds: float) -> None:
        heappush(self._later, (self._clock() + round(seconds * 1e9), job.order, job))

    def _bar(self, answer: Answer) -> None:
        """Send nothing for as long as the venue says."""
        seconds = pause_seconds(answer.status, answer.headers.get(RETRY_AFTER, ""))
        now = self._clock()
        # Those that were under way together are told the same.
        news = now >= self._barred_until_ns
        self._barred_until_ns = max(self._barred_until_ns, now + round(seconds * 1e9))
        if answer.status == BANNED:
            self._bans += 1
        else:
            self._too_many += 1
        if news:
            self._answering.barred(answer.status, seconds)


def may_pass(status: int) -> bool:
    """Say whether a request that failed with this status may succeed later."""
    return status in (0, FORBIDDEN, TIMED_OUT) or status >= SERVER_ERRORS
