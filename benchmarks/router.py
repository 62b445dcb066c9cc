"""Messages through the supervisor's router, and how many of them batching leaves.

The first case passes real message structs, four reports to one message of signals, to handlers that count them. The
bound is raised for it: a thousand reports are less than what comes in ten milliseconds at the rate that is reached,
and dropping is faster than handling. The baseline passes them through an asyncio queue to a task; the limit looks the
handler up in a dict and calls it, and counts, bounds and measures nothing.

In the latency case bursts arrive on schedule, whatever the router is doing: 100 reports of 50 metrics each with one
control message behind them, every two milliseconds. The time runs from when the burst was due until the control
message is heard. The baseline handles everything in the order in which it came.
"""

import asyncio
import time
from typing import cast

from benchmarks.harness import Case, main
from tickfloor.contracts.events import SignalsRaised
from tickfloor.contracts.messages import FromWorker
from tickfloor.contracts.telemetry import BreakerReport, MetricsDelta
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.services.metrics import MetricsService
from tickfloor.supervisor.services.router import Handler, Router
from tickfloor.worker.breaker import Breaker
from tickfloor.worker.metrics import Metrics

READ_AT_ONCE = 100
"""Messages that one look at a socket gives."""

BURST_SECONDS = 0.002
SIGNALS = SignalsRaised(signals=())
DELTA = MetricsDelta(counts={f"counter {number}": 1.0 for number in range(50)}, gauges={}, updates=100)


class Sender:
    """A worker as the services see it."""

    slot = "trader-1"
    incarnation = 1


SENDER = cast(WorkerProcess, Sender())


class Heard:
    """Counts what it hears."""

    def __init__(self) -> None:
        self.messages = 0

    def hear(self, process: WorkerProcess, message: FromWorker) -> None:
        """Take a message."""
        del process, message
        self.messages += 1


def raise_it(process: WorkerProcess, message: FromWorker, error: Exception) -> None:
    """Let a handler's error end the benchmark."""
    del process, message
    raise error


def new_router(bound: int = 1000) -> Router:
    """Return a router on the running event loop."""
    return Router(call_later=asyncio.get_running_loop().call_later, on_error=raise_it, bound=bound)


# --- messages a second


def routed(messages: int) -> float:
    """Return the messages a second through the router, its timers on a real event loop."""
    heard = Heard()

    async def run() -> float:
        router = new_router(bound=messages)
        router.register(SignalsRaised, heard.hear)
        router.register_telemetry(MetricsDelta, heard.hear)
        began = time.perf_counter()
        for start in range(0, messages, READ_AT_ONCE):
            for number in range(start, start + READ_AT_ONCE):
                router.route(SENDER, DELTA if number % 5 else SIGNALS, correlation_id="trader-1:1")
            await asyncio.sleep(0)
        router.close()
        took = time.perf_counter() - began
        assert router.statistics().overflowed == {}, "the bound was reached: this measures dropping"
        return messages / took

    return _checked(asyncio.run(run()), heard, messages)


def queued(messages: int) -> float:
    """Return the messages a second through an asyncio queue."""
    heard = Heard()

    async def run() -> float:
        queue: asyncio.Queue[tuple[WorkerProcess, FromWorker] | None] = asyncio.Queue()
        handlers: dict[type, Handler] = {SignalsRaised: heard.hear, MetricsDelta: heard.hear}

        async def consume() -> None:
            while (item := await queue.get()) is not None:
                process, message = item
                handlers[type(message)](process, message)

        consumer = asyncio.create_task(consume())
        began = time.perf_counter()
        for start in range(0, messages, READ_AT_ONCE):
            for number in range(start, start + READ_AT_ONCE):
                queue.put_nowait((SENDER, DELTA if number % 5 else SIGNALS))
            await asyncio.sleep(0)
        queue.put_nowait(None)
        await consumer
        return messages / (time.perf_counter() - began)

    return _checked(asyncio.run(run()), heard, messages)


def dispatched(messages: int) -> float:
    """Return the messages a second of a dict of handlers."""
    heard = Heard()

    async def run() -> float:
        handlers: dict[type, Handler] = {SignalsRaised: heard.hear, MetricsDelta: heard.hear}
        began = time.perf_counter()
        for start in range(0, messages, READ_AT_ONCE):
            for number in range(start, start + READ_AT_ONCE):
                message = DELTA if number % 5 else SIGNALS
                handlers[type(message)](SENDER, message)
            await asyncio.sleep(0)
        return messages / (time.perf_counter() - began)

    return _checked(asyncio.run(run()), heard, messages)


def _checked(figure: float, heard: Heard, messages: int) -> float:
    assert heard.messages == messages, f"{heard.messages} of {messages} messages were heard"
    return figure


# --- a control message under load


def control_p99_us(bursts: int, *, batched: bool) -> float:
    """Return the 99th percentile, microseconds, from when a burst was due until its control message is heard."""
    latencies: list[float] = []

    async def run() -> None:
        router, metrics = new_router(), MetricsService()
        due = 0.0

        def hear(process: WorkerProcess, message: SignalsRaised) -> None:
            del process, message
            latencies.append(time.perf_counter() - due)

        router.register(SignalsRaised, hear)
        register = router.register_telemetry if batched else router.register
        register(MetricsDelta, metrics.on_delta)
        began = time.perf_counter()
        for number in range(bursts):
            due = began + number * BURST_SECONDS
            # Timers run meanwhile, and between two looks at the sockets even if it is late.
            await asyncio.sleep(0)
            while time.perf_counter() < due:  # noqa: ASYNC110 - a sleep would be late itself
                await asyncio.sleep(0)
            for _ in range(READ_AT_ONCE):
                router.route(SENDER, DELTA, correlation_id="trader-1:1")
            router.route(SENDER, SIGNALS, correlation_id="trader-1:2")
        router.close()
        # A host that stops for a while costs reports; a load that is too high costs them all the time.
        dropped = bursts * READ_AT_ONCE - metrics.summary().messages
        assert dropped <= 0.05 * bursts * READ_AT_ONCE, f"{dropped} reports were dropped: the load is too high"

    asyncio.run(run())
    return sorted(latencies)[int(len(latencies) * 0.99)] * 1e6


# --- messages that batching leaves


def messages_of(updates_per_second: int, seconds: int) -> float:
    """Return the messages a second that a worker's metrics send; the clock is virtual."""
    now = 0
    sent: list[MetricsDelta] = []
    metrics = Metrics(sent.append, clock=lambda: now)
    for _ in range(updates_per_second * seconds):
        metrics.increment("ticks")
        now += 10**9 // updates_per_second
        metrics.flush_if_due()
    metrics.destroy()
    assert sum(delta.updates for delta in sent) == updates_per_second * seconds
    return len(sent) / seconds


def decision_us(decisions: int) -> float:
    """Return the microseconds of a breaker's decision, half of them while it is open."""
    said: list[BreakerReport] = []
    closed, opened = Breaker("closed", said.append), Breaker("opened", said.append)
    for _ in range(5):
        opened.failure(OSError("refused"))
    began = time.perf_counter()
    for _ in range(decisions // 2):
        closed.allows()
        opened.allows()
    return (time.perf_counter() - began) / decisions * 1e6


def batching(rate: int, seconds: int) -> Case:
    """Return the case of so many metric updates a second; without batching each would be a message."""
    return Case(
        f"messages/s of {rate:,} metric updates/s", "messages/s", lambda: messages_of(rate, seconds),
        {"not batched": lambda: rate}, better="lower", target=0.4 * rate,
    )  # fmt: skip


def cases(quick: bool) -> list[Case]:
    """Return the cases, shorter ones if asked to be quick."""
    messages = 10_000 if quick else 500_000
    bursts = 50 if quick else 1_000
    seconds = 2 if quick else 60
    return [
        Case(
            "messages/s", "messages/s", lambda: routed(messages),
            {"asyncio queue": lambda: queued(messages)}, lambda: dispatched(messages), target=10_000,
        ),
        Case(
            "control message under 50,000 reports/s p99 us", "us", lambda: control_p99_us(bursts, batched=True),
            {"in order of arrival": lambda: control_p99_us(bursts, batched=False)}, better="lower", target=1_000,
        ),
        *(batching(rate, seconds) for rate in (25, 100, 1_000)),
        Case("breaker decision us", "us", lambda: decision_us(messages), better="lower", target=100),
    ]  # fmt: skip


if __name__ == "__main__":
    main("router", __doc__, cases)
