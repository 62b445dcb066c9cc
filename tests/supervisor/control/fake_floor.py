"""A floor as its control socket sees it: every answer is ready, or made to fail or to wait."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tickfloor.contracts.commands import (
    Measure,
    OwnRuleReport,
    RuleProblem,
    StrategyReport,
    TraderReport,
    TradersRun,
)
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.feeds import VenueReport
from tickfloor.contracts.states import Health, SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control.floor_control import ControlRefusedError, FloorControl
from tickfloor.supervisor.control.listening import ListeningSocket
from tickfloor.supervisor.control.log_tail import LogSubscription, LogTail
from tickfloor.supervisor.control.replies import (
    EffectsSwitched,
    EmergencyRecovered,
    FeedReconnecting,
    FeedsListed,
    LogsShown,
    RankedTrader,
    RefusalKind,
    StatisticsShown,
    Traced,
    TraceStep,
    TraderDetails,
    TraderPlaced,
    TraderRemoved,
    TraderShown,
    TradersListed,
    TradersRanked,
    TradersScaled,
    WorkerCleanedUp,
    WorkerDetails,
    WorkerDrained,
    WorkerReplaced,
    WorkerShown,
    WorkersListed,
    WorkerStopped,
)
from tickfloor.supervisor.control.server import ControlServer
from tickfloor.worker.correlation import current


def worker(slot: str = "trader-1", **changes: Any) -> WorkerDetails:
    details: dict[str, Any] = {
        "slot": slot,
        "kind": slot.partition("-")[0],
        "pid": 4_711,
        "incarnation": 3,
        "slot_state": SlotState.RUNNING,
        "worker_state": WorkerState.READY,
        "health": Health.HEALTHY,
        "uptime": 3_725.0,
        "memory": 30 << 20,
        "private": 12 << 20,
        "private_trend": 1.5 * (1 << 20),
        "traders": 250,
        "restarts": 2,
        "replacements": 1,
        "last_pong": 0.5,
        "oldest_unacknowledged": None,
        "commands": 12_345,
        "busy": 0.25,
        "quarantine": "",
    }
    return WorkerDetails(**details | changes)


def line(number: int, slot: str = "trader-1", **changes: Any) -> LogLine:
    said: dict[str, Any] = {
        "ts": 1_700_000_000_000_000_000 + number,
        "level": "info",
        "slot": slot,
        "pid": 1,
        "event": f"line {number}",
        "fields": {},
    }
    return LogLine(**said | changes)


def report(name: str, **changes: Any) -> TraderReport:
    """Return what a trader has done."""
    done = {"evaluations": 12_345, "matches": 67, "signals": 8, "busy_seconds": 0.0125, "share": 0.25}
    return TraderReport(name=name, **done | changes)


STRATEGY = StrategyReport(
    state="running",
    calls=1_000,
    failures=2,
    held_back=3,
    mean_us=12.5,
    slow_calls=1,
    kept_bytes=3 << 20,
    last_failure="ValueError: no",
    rules=(OwnRuleReport(name="up", rule="close > open", evaluations=1, matches=0),),
)


class FakeFloor:
    """Knows two workers and two traders.

    Attributes:
        asked: what was asked, with its correlation id.
        failing: raised by every method but the listings, if it is set.
        gate: if it is set, replace_worker waits for it.
        broken: strategies whose files cannot be reloaded, with what is wrong.
        reports: what traders have done; silent: workers that do not say it.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.failing: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.replaced = 0
        self.logs = LogTail()
        self.workers = (
            worker(),
            worker(
                "trader-2",
                pid=0,
                worker_state=None,
                slot_state=SlotState.QUARANTINED,
                private_trend=None,
                quarantine="keeps dying: killed by SIGSEGV",
            ),
        )
        self.traders = {
            "up": TraderDetails(spec=TraderSpec(name="up", rule="close > open"), worker="trader-1", quarantine=""),
            "bad": TraderDetails(
                spec=TraderSpec(name="bad", strategy="/home/me/my.py:Bad"), worker="", quarantine="hung twice"
            ),
        }
        self.reports = {"up": report("up")}
        self.silent: tuple[str, ...] = ()
        self.effects = True
        self.steps: tuple[TraceStep, ...] = ()
        self.venues: tuple[VenueReport, ...] = ()
        self.broken: dict[str, tuple[RuleProblem, ...]] = {}

    def _ask(self, *what: Any) -> None:
        self.asked.append((*what, current.get()))
        if self.failing is not None:
            raise self.failing

    async def list_workers(self) -> WorkersListed:
        self.asked.append(("list_workers", current.get()))
        return WorkersListed(workers=self.workers)

    async def show_worker(self, name: str) -> WorkerShown:
        self._ask("show_worker", name)
        return WorkerShown(worker=self._worker(name))

    async def replace_worker(self, name: str) -> WorkerReplaced:
        self._ask("replace_worker", name)
        if self.gate is not None:
            await self.gate.wait()
        self.replaced += 1
        return WorkerReplaced(worker=self._worker(name).slot, pid=4_712, incarnation=4, seconds=0.123)

    async def drain_worker(self, name: str) -> WorkerDrained:
        self._ask("drain_worker", name)
        return WorkerDrained(worker=name, through=12_345 if name.startswith("trader") else None, seconds=0.01)

    async def cleanup_worker(self, name: str) -> WorkerCleanedUp:
        self._ask("cleanup_worker", name)
        return WorkerCleanedUp(worker=name, leaked=(), forced=False, seconds=0.05, incarnation=4)

    async def stop_worker(self, name: str) -> WorkerStopped:
        self._ask("stop_worker", name)
        return WorkerStopped(worker=name, leaked=("thread poller",), forced=True, seconds=1.25)

    async def scale_traders(self, workers: int) -> TradersScaled:
        self._ask("scale_traders", workers)
        return TradersScaled(before=2, after=workers, moved=100, seconds=0.4)

    async def show_logs(self, worker: str, last: int) -> LogsShown:
        self._ask("show_logs", worker, last)
        return LogsShown(lines=self.logs.last(last, worker))

    async def follow_logs(self, worker: str, last: int) -> LogSubscription:
        self._ask("follow_logs", worker, last)
        return self.logs.subscribe(last, worker)

    async def trace(self, identity: str) -> Traced:
        self._ask("trace", identity)
        return Traced(steps=self.steps, remembered=4_096)

    async def list_traders(self) -> TradersListed:
        self.asked.append(("list_traders", current.get()))
        return TradersListed(traders=tuple(self.traders.values()))

    async def show_trader(self, name: str) -> TraderShown:
        self._ask("show_trader", name)
        if name not in self.traders:
            raise ControlRefusedError(f"there is no trader {name}", RefusalKind.NOT_FOUND)
        return TraderShown(trader=self.traders[name], columns=("close@1m", "open@1m"), report=self.reports.get(name))

    async def rank_traders(self, by: Measure, most: int) -> TradersRanked:
        self._ask("rank_traders", by, most)
        ranked = (RankedTrader(trader=self.traders[name], report=done) for name, done in self.reports.items())
        return TradersRanked(traders=tuple(ranked), silent=self.silent)

    async def add_trader(self, spec: TraderSpec) -> TraderPlaced:
        self._ask("add_trader", spec)
        return TraderPlaced(trader=spec.name, worker="trader-1", revision=1)

    async def update_trader(self, spec: TraderSpec) -> TraderPlaced:
        self._ask("update_trader", spec)
        return TraderPlaced(trader=spec.name, worker="trader-1", revision=2)

    async def remove_trader(self, name: str) -> TraderRemoved:
        self._ask("remove_trader", name)
        return TraderRemoved(trader=name)

    async def pardon_trader(self, name: str) -> TraderPlaced:
        self._ask("pardon_trader", name)
        return TraderPlaced(trader=name, worker="trader-2", revision=1)

    async def reload_trader(self, name: str) -> TraderPlaced:
        self._ask("reload_trader", name)
        if name in self.broken:
            raise ControlRefusedError(f"trader {name!r} cannot run", RefusalKind.INVALID, self.broken[name])
        return TraderPlaced(trader=name, worker="trader-1", revision=2)

    async def run_traders(self, names: tuple[str, ...]) -> TradersRun:
        self._ask("run_traders", names)
        return TradersRun(matches={"up": ("binance:BTCUSDT", "binance:ETHUSDT")}, evaluations=1_234)

    async def show_statistics(self) -> StatisticsShown:
        self._ask("show_statistics")
        return StatisticsShown(parts={"router": {"routed": 12_345, "coverage": 0.9875}, "lifecycle": {"last": "ready"}})

    async def list_feeds(self) -> FeedsListed:
        self._ask("list_feeds")
        return FeedsListed(venues=self.venues)

    async def reconnect_feed(self, venue: str, connection: str) -> FeedReconnecting:
        self._ask("reconnect_feed", venue, connection)
        if self.venues and venue not in [each.venue for each in self.venues]:
            raise ControlRefusedError(f"the feed has no venue {venue!r}", RefusalKind.NOT_FOUND)
        return FeedReconnecting(venue=venue, connections=(connection,) if connection else ("market-1", "public-1"))

    async def emergency_stop(self) -> EffectsSwitched:
        self._ask("emergency_stop")
        return self._switch(False)

    async def emergency_resume(self) -> EffectsSwitched:
        self._ask("emergency_resume")
        return self._switch(True)

    async def emergency_recover(self) -> EmergencyRecovered:
        self._ask("emergency_recover")
        return EmergencyRecovered(
            workers=("feed-1", "trader-1"), failed={"console-1": "no terminal"}, traders=2, displays=0, seconds=1.5
        )

    def _worker(self, name: str) -> WorkerDetails:
        for known in self.workers:
            if known.slot == name:
                return known
        raise ControlRefusedError(f"there is no worker {name!r}", RefusalKind.NOT_FOUND)

    def _switch(self, allowed: bool) -> EffectsSwitched:
        changed, self.effects = self.effects is not allowed, allowed
        return EffectsSwitched(allowed=allowed, changed=changed)


@asynccontextmanager
async def serving(floor: FloorControl, listening: ListeningSocket, **settings: Any) -> AsyncIterator[ControlServer]:
    """Serve in the running loop; ``errors`` of the server are those told to on_error."""
    settings.setdefault("on_error", lambda identity, error: None)
    server = ControlServer(floor, **settings)
    server.start(listening)
    try:
        yield server
    finally:
        await server.close()


class ServedFloor:
    """A fake floor that serves in a thread of its own, for commands that are run beside it."""

    def __init__(self, floor: FakeFloor, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.floor = floor
        self.path = path
        self._loop = loop

    def do(self, action: Callable[[], Any]) -> Any:
        """Return what an action gives in the floor's own thread."""

        async def act() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result()


@contextmanager
def served_floor(**settings: Any) -> Iterator[ServedFloor]:
    """Serve a fake floor in the folder that the environment names."""
    begun: list[ServedFloor] = []
    ready, ending = threading.Event(), []

    async def serve() -> None:
        over = asyncio.Event()
        ending.append(over)
        floor = FakeFloor()
        listening = ListeningSocket.of_user(os.environ)
        async with serving(floor, listening, **settings):
            begun.append(ServedFloor(floor, listening.path, asyncio.get_running_loop()))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield begun[0]
    finally:
        begun[0].do(ending[0].set)
        thread.join()
