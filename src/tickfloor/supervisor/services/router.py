"""Who hears which message: handlers registered by type, and a count of everything."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tickfloor.contracts.latency import LatencyHistogram
from tickfloor.contracts.messages import FromWorker
from tickfloor.supervisor.process import WorkerProcess

Handler = Callable[[WorkerProcess, Any], None]
CallLater = Callable[[float, Callable[[], None]], object]
"""Calls a function once, so many seconds later, as an event loop's ``call_later`` does."""


class _Waiting(NamedTuple):
    """Telemetry that waits since a moment, ns of the router's clock."""

    since_ns: int
    handler: Handler
    process: WorkerProcess
    message: FromWorker


class RouterStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a router has done so far.

    Attributes:
        routed: messages by type, whether or not anybody had registered for it.
        unrouted: messages by type that nobody had registered for; they harm nothing.
        queued: telemetry that waits now, at most ``bound``.
        overflowed: telemetry by type that was dropped because the bound was reached.
        failed: telemetry by type whose handler raised an error.
        flushes: batches of telemetry handled; largest_batch: messages in the largest.
        identified: messages with a correlation id; anonymous: without.
        processing_p50_us, processing_p99_us: time in a handler; None before the first message.
    """

    routed: dict[str, int]
    unrouted: dict[str, int]
    queued: int
    bound: int
    overflowed: dict[str, int]
    failed: dict[str, int]
    flushes: int
    largest_batch: int
    identified: int
    anonymous: int
    processing_p50_us: float | None
    processing_p99_us: float | None


class Router:
    """Passes each message to the handler of its type.

    Control messages are handled at once. Telemetry waits, so that a worker that reports much does not come before one
    that asks for something: it is handled in batches, half of ``flush_seconds`` after the first, and a batch in slices
    of ``slice_seconds`` with a look at the sockets between two of them. Beyond ``bound`` the oldest is dropped. So
    telemetry may be heard after control messages that were said later: whoever needs what has been reported so far
    calls :meth:`flush` first.
    """

    def __init__(
        self,
        *,
        call_later: CallLater,
        on_error: Callable[[WorkerProcess, FromWorker, Exception], None],
        bound: int = 1000,
        flush_seconds: float = 0.01,
        slice_seconds: float = 0.0002,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Make a router without handlers.

        Args:
            call_later: schedules the next slice.
            on_error: hears of an error that a telemetry handler raised; the rest of the batch is handled all the same.
            bound: telemetry messages that may wait.
            flush_seconds: the longest that telemetry waits, as long as the handlers keep up.
            slice_seconds: the longest that a control message waits for telemetry, but for one handler's time.
            clock: monotonic ns.

        Raises:
            ValueError: nothing could wait, or a time is not positive.
        """
        if bound < 1:
            raise ValueError(f"a bound of {bound} lets no telemetry wait: it must be at least 1")
        if not (0 < flush_seconds < math.inf and 0 < slice_seconds < math.inf):
            raise ValueError(
                f"flush_seconds is {flush_seconds} and slice_seconds {slice_seconds}: both must be positive numbers"
            )
        self._handlers: dict[type, Handler] = {}
        self._telemetry_handlers: dict[type, Handler] = {}
        self._call_later = call_later
        self._on_error = on_error
        self._bound = bound
        self._flush_ns = round(flush_seconds * 1e9)
        self._slice_ns = round(slice_seconds * 1e9)
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._left = 0
        self._scheduled = False
        self._flushing = False
        self._closed = False
        self._routed: Counter[type] = Counter()
        self._unrouted: Counter[type] = Counter()
        self._overflowed: Counter[type] = Counter()
        self._failed: Counter[type] = Counter()
        self._flushes = 0
        self._largest_batch = 0
        self._anonymous = 0
        self._processing = LatencyHistogram()

    def register(self, kind: type, handler: Handler) -> None:
        """Let a handler hear all messages of a type, each at once and none dropped.

        Raises:
            ValueError: the type has a handler.
        """
        self._refuse_second(kind)
        self._handlers[kind] = handler

    def register_telemetry(self, kind: type, handler: Handler) -> None:
        """Let a handler hear the messages of a type in batches.

        Raises:
            ValueError: the type has a handler.
        """
        self._refuse_second(kind)
        self._telemetry_handlers[kind] = handler

    def route(self, process: WorkerProcess, message: FromWorker, *, correlation_id: str = "") -> None:  # hot path
        """Pass a message on, at once or with the next batch; what a control message's handler raises is raised here."""
        kind = type(message)
        self._routed[kind] += 1
        if not correlation_id:
            self._anonymous += 1
        handler = self._handlers.get(kind)
        if handler is not None:
            began = self._clock()
            handler(process, message)
            self._processing.add(self._clock() - began)
            return
        handler = self._telemetry_handlers.get(kind)
        if handler is None:
            self._unrouted[kind] += 1
            return
        if len(self._queue) >= self._bound:
            self._overflowed[type(self._take_oldest().message)] += 1
        now = self._clock()
        self._queue.append(_Waiting(now, handler, process, message))
        if not self._scheduled:
            self._schedule()
        if self._closed:
            self.flush()
        elif now - self._queue[0].since_ns >= self._flush_ns:
            # The event loop is behind, and so is its timer.
            self._flush_slice()

    def flush(self) -> None:
        """Handle the telemetry that waits, now; within a telemetry handler nothing, because this is happening."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while self._queue:
                self._extend_batch()
                while self._left:
                    self._handle_oldest()
                # What handlers have caused to be queued waits for the next batch, as long as there will be one.
                if not self._closed:
                    break
        finally:
            self._flushing = False

    def close(self) -> None:
        """Handle the telemetry that waits; what is routed from now on is handled at once."""
        self._closed = True
        self.flush()

    def statistics(self) -> RouterStatistics:
        """Return what has been done so far."""
        return RouterStatistics(
            routed=_by_name(self._routed),
            unrouted=_by_name(self._unrouted),
            queued=len(self._queue),
            bound=self._bound,
            overflowed=_by_name(self._overflowed),
            failed=_by_name(self._failed),
            flushes=self._flushes,
            largest_batch=self._largest_batch,
            identified=self._routed.total() - self._anonymous,
            anonymous=self._anonymous,
            processing_p50_us=self._processing.quantile_us(0.5),
            processing_p99_us=self._processing.quantile_us(0.99),
        )

    def _on_timer(self) -> None:
        self._scheduled = False
        try:
            self._flush_slice()
        finally:
            if self._queue and not self._scheduled:
                self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        waited = self._clock() - self._queue[0].since_ns
        self._call_later(0.0 if self._left else max(0, self._flush_ns // 2 - waited) / 1e9, self._on_timer)

    def _flush_slice(self) -> None:
        """Handle the batch under way, or a new one, for a slice of time."""
        if self._flushing or not self._queue:
            return
        if not self._left:
            self._extend_batch()
        now = self._clock()
        until = now + self._slice_ns
        self._flushing = True
        try:
            while self._left and now < until:
                now = self._handle_oldest()
        finally:
            self._flushing = False

    def _extend_batch(self) -> None:
        """Make all that waits one batch, with what is left of the batch under way."""
        self._flushes += self._left == 0
        self._left = len(self._queue)
        self._largest_batch = max(self._largest_batch, self._left)

    def _handle_oldest(self) -> int:  # hot path
        """Return when it was done."""
        began = self._clock()
        _, handler, process, message = self._take_oldest()
        try:
            handler(process, message)
        except Exception as error:  # noqa: BLE001 - one handler's error must not lose the messages after it
            self._failed[type(message)] += 1
            self._on_error(process, message, error)
        ended = self._clock()
        self._processing.add(ended - began)
        return ended

    def _take_oldest(self) -> _Waiting:
        if self._left:
            self._left -= 1
        return self._queue.popleft()

    def _refuse_second(self, kind: type) -> None:
        if kind in self._handlers or kind in self._telemetry_handlers:
            raise ValueError(f"{kind.__name__} has a handler already")


def _by_name(counts: Counter[type]) -> dict[str, int]:
    return {kind.__name__: count for kind, count in counts.items()}
