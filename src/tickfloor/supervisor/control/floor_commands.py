"""What a running floor does when it is asked through its control socket."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import msgspec

from tickfloor.contracts.commands import (
    CommandBody,
    Drain,
    FeedReported,
    GetStatus,
    Measure,
    Reconnect,
    Reconnecting,
    ReportFeed,
    Result,
    TradersRun,
    WorkerReport,
)
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.states import Health, SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.background import InterruptedByRecoveryError
from tickfloor.supervisor.control.floor_control import ControlRefusedError
from tickfloor.supervisor.control.log_tail import LogSubscription, LogTail
from tickfloor.supervisor.control.replies import (
    EffectsSwitched,
    EmergencyRecovered,
    FeedReconnecting,
    FeedsListed,
    LogsShown,
    RefusalKind,
    StatisticsShown,
    Traced,
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
from tickfloor.supervisor.control.trace import step_of
from tickfloor.supervisor.control.trader_view import TraderView
from tickfloor.supervisor.floor_memory import FloorMemory
from tickfloor.supervisor.health.blame import BlameLedger
from tickfloor.supervisor.health.memory import proportional_share
from tickfloor.supervisor.health.monitor import HealthMonitor
from tickfloor.supervisor.pool.scaler import Scaler
from tickfloor.supervisor.pool.strategy_file import NoStrategyError
from tickfloor.supervisor.pool.trader_pool import RulesError, TraderExistsError, TraderPool, UnknownTraderError
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.slots import Slot
from tickfloor.supervisor.supervisor import SlotBusyError, Supervisor
from tickfloor.worker.log import Log

T = TypeVar("T")

_PATIENCE = 2.0


class FloorCommands:
    """A :class:`~tickfloor.supervisor.control.floor_control.FloorControl` over the parts of one floor.

    Args:
        replace: puts a successor in a slot's place.
        figures: gives the statistics of every part of the floor, by name.
        feed: the name of the feed's slot.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        pool: TraderPool,
        health: HealthMonitor,
        ledger: BlameLedger,
        flow: MessageFlow,
        tail: LogTail,
        memory: FloorMemory,
        log: Log,
        replace: Callable[[str, str], Coroutine[None, None, None]],
        scaler: Scaler,
        figures: Callable[[], dict[str, object]],
        feed: str,
    ) -> None:
        self._supervisor = supervisor
        self._pool = pool
        self._health = health
        self._flow = flow
        self._tail = tail
        self._memory = memory
        self._log = log
        self._replace = replace
        self._scaler = scaler
        self._figures = figures
        self._feed = feed
        self._traders = TraderView(pool, ledger, log)

    # Workers

    async def list_workers(self) -> WorkersListed:
        """Describe every worker's place."""
        details = (self._details(slot) for slot in self._supervisor.slots())
        allowed = not self._memory.emergency.pulled
        return WorkersListed(workers=tuple(await asyncio.gather(*details)), effects_allowed=allowed)

    async def show_worker(self, name: str) -> WorkerShown:
        """Describe one worker's place."""
        return WorkerShown(worker=await self._details(self._slot(name)))

    async def _details(self, slot: Slot) -> WorkerDetails:
        name, process = slot.spec.name, slot.process
        member = self._pool.members.get(name)
        alive = process is not None and not process.dead.is_set()
        report = await self._report(process) if alive and process is not None else None
        trend = self._health.trend(name)
        age = max((lane.oldest_age for lane in process.statistics().values()), default=0.0) if process else 0.0
        return WorkerDetails(
            slot=name,
            kind=slot.spec.kind.name,
            pid=process.pid if alive and process else 0,
            incarnation=slot.incarnations,
            slot_state=slot.state,
            worker_state=process.state if process else None,
            health=self._health.health(process) if process else Health.HEALTHY,
            uptime=time.monotonic() - process.started_at if alive and process else 0.0,
            memory=proportional_share(process.pid) if alive and process else 0,
            private=self._health.private(process) if process else 0,
            private_trend=trend.bytes_per_hour if trend else None,
            traders=len(member.wanted) if member else 0,
            restarts=slot.restarts.restarts,
            replacements=slot.replacements,
            last_pong=self._health.last_pong(process) if process else None,
            oldest_unacknowledged=age or None,
            commands=report.commands if report else 0,
            busy=min(1.0, report.busy / report.uptime) if report and report.uptime else None,
            quarantine=slot.reason,
            figures=_figures(report) if report else {},
        )

    async def _report(self, process: WorkerProcess) -> WorkerReport | None:
        """Return what a worker says of itself; None if it does not answer soon, which the other figures show."""
        if process.state is not WorkerState.READY:
            return None
        try:
            report = await process.command(GetStatus(), seconds=_PATIENCE)
        except WorkerError as error:
            self._log.debug("no status", worker=process.slot, reason=str(error))
            return None
        assert isinstance(report, WorkerReport)
        return report

    async def replace_worker(self, name: str) -> WorkerReplaced:
        """Put a new worker in the place of one, or of a stopped one; a trader's work goes over without a gap."""
        slot = self._slot(name)
        began = time.monotonic()
        self._log.info("replacement asked for", worker=name)
        empty = slot.state in (SlotState.STOPPED, SlotState.QUARANTINED)
        await self._done(self._supervisor.fill_again(slot) if empty else self._replace(name, "asked for"))
        process = self._slot(name).process
        assert process is not None
        return WorkerReplaced(
            worker=name, pid=process.pid, incarnation=process.incarnation, seconds=time.monotonic() - began
        )

    async def drain_worker(self, name: str) -> WorkerDrained:
        """Return when a worker has finished what waited for it at the time of asking; it goes on working."""
        slot = self._slot(name)
        began = time.monotonic()
        through = self._memory.head() if name in self._pool.members else None
        if through is not None or slot.spec.kind.name == "storage":
            await _granted(self._supervisor.ask(name, Drain(through=through or 0)))
        else:
            # What was said to it before is done before it answers.
            await _granted(self._supervisor.ask(name, GetStatus()))
        return WorkerDrained(worker=name, through=through, seconds=time.monotonic() - began)

    async def cleanup_worker(self, name: str) -> WorkerCleanedUp:
        """Have a worker clean up and exit, and fill its place again."""
        slot = self._slot(name)
        process = self._working(slot)
        began = time.monotonic()
        self._log.info("cleanup asked for", worker=name)
        await self._done(self._supervisor.renew(slot))
        return WorkerCleanedUp(
            worker=name,
            leaked=process.clean.leaked if process.clean else (),
            forced=process.state is not WorkerState.TERMINATED,
            seconds=time.monotonic() - began,
            incarnation=slot.incarnations,
        )

    async def stop_worker(self, name: str) -> WorkerStopped:
        """Have a worker clean up and exit, and leave its place empty; a trader worker's traders go to the others."""
        slot = self._slot(name)
        process = self._working(slot)
        began = time.monotonic()
        if name in self._pool.members:
            if len(self._pool.members) == 1:
                reason = f"{name} is the only trader worker; replace it, or remove its traders"
                raise ControlRefusedError(reason, RefusalKind.REFUSED)
        elif slot.spec.kind.vital:
            reason = f"the floor cannot go on without {name}; replace it, or end the floor"
            raise ControlRefusedError(reason, RefusalKind.REFUSED)
        self._log.warning("stop asked for", worker=name)
        await self._done(self._leave(name) if name in self._pool.members else self._supervisor.stop(name))
        return WorkerStopped(
            worker=name,
            leaked=process.clean.leaked if process.clean else (),
            forced=process.state is not WorkerState.TERMINATED,
            seconds=time.monotonic() - began,
        )

    async def scale_traders(self, workers: int) -> TradersScaled:
        """Spread the traders over so many workers, without a gap."""
        before = len(self._pool.members)
        began = time.monotonic()
        self._log.info("scaling asked for", workers=workers)
        moved = await self._done(self._scaler.scale(workers, "asked for"))
        return TradersScaled(
            before=before, after=len(self._pool.members), moved=moved, seconds=time.monotonic() - began
        )

    async def _leave(self, name: str) -> None:
        await self._scaler.leave(name, "asked to stop")

    async def _done(self, work: Coroutine[None, None, T]) -> T:
        """Return what comes of an action; once it has begun it goes on to its end, whether or not the asker waits."""
        return await _granted(self._supervisor.tasks.see_through(work))

    # What passed

    async def show_logs(self, worker: str, last: int) -> LogsShown:
        """Return the last log lines of a worker, or of all (empty)."""
        self._require_known(worker)
        return LogsShown(lines=self._tail.last(last, worker))

    async def follow_logs(self, worker: str, last: int) -> LogSubscription:
        """Return a subscription that begins with the last log lines; the caller closes it."""
        self._require_known(worker)
        return self._tail.subscribe(last, worker)

    async def trace(self, identity: str) -> Traced:
        """Return what passed the supervisor with a correlation id or a signal id."""
        steps = tuple(step_of(entry, identity) for entry in self._flow.trace(identity))
        return Traced(steps=steps, remembered=self._flow.statistics().remembered)

    async def show_statistics(self) -> StatisticsShown:
        """Return the figures of every part of the floor."""
        return StatisticsShown(parts={name: _flat(figures) for name, figures in self._figures().items()})

    # Feeds

    async def list_feeds(self) -> FeedsListed:
        """Describe the live feed, venue by venue."""
        reported = await self._of_feed(ReportFeed())
        assert isinstance(reported, FeedReported)
        return FeedsListed(venues=reported.venues)

    async def reconnect_feed(self, venue: str, connection: str) -> FeedReconnecting:
        """Replace a venue's connections, or the one of that name, without a gap."""
        answer = await self._of_feed(Reconnect(venue=venue, connection=connection))
        assert isinstance(answer, Reconnecting)
        return FeedReconnecting(venue=venue, connections=answer.connections)

    async def _of_feed(self, body: CommandBody) -> Result | None:
        process = self._slot(self._feed).process
        if process is None or process.state is not WorkerState.READY:
            raise ControlRefusedError("the feed is not running; try again later", RefusalKind.BUSY)
        return await _granted(process.command(body, seconds=_PATIENCE))

    # Traders

    async def list_traders(self) -> TradersListed:
        """Describe every trader."""
        return self._traders.all()

    async def show_trader(self, name: str) -> TraderShown:
        """Describe one trader and what it has done."""
        return await self._traders.one(name)

    async def rank_traders(self, by: Measure, most: int) -> TradersRanked:
        """Describe the first traders by a measure and what they have done."""
        return await self._traders.first(by, most)

    async def add_trader(self, spec: TraderSpec) -> TraderPlaced:
        """Check a new trader and run it."""
        return await self._placed(self._pool.add(spec), spec.name)

    async def update_trader(self, spec: TraderSpec) -> TraderPlaced:
        """Check a trader's new description and run it so; an invalid one leaves it as it is."""
        return await self._placed(self._pool.update(spec), spec.name)

    async def pardon_trader(self, name: str) -> TraderPlaced:
        """Lift a trader's quarantine and run it again."""
        return await self._placed(self._pool.pardon(name), name)

    async def reload_trader(self, name: str) -> TraderPlaced:
        """Run a strategy as its file is now, and pardon it; one whose file cannot run goes on as it was."""
        return await self._placed(self._pool.reload(name), name)

    async def remove_trader(self, name: str) -> TraderRemoved:
        """Run a trader no more."""
        await self._done(self._pool.remove(name))
        return TraderRemoved(trader=name)

    async def run_traders(self, names: tuple[str, ...]) -> TradersRun:
        """Evaluate traders now, all without names, in every worker that has some."""
        return await _granted(self._pool.run(names))

    async def _placed(self, work: Coroutine[None, None, str], name: str) -> TraderPlaced:
        worker = await self._done(work)
        spec = self._pool.members[worker].wanted.get(name)
        return TraderPlaced(trader=name, worker=worker, revision=spec.revision if spec else 0)

    # Emergencies

    async def emergency_stop(self) -> EffectsSwitched:
        """Stop all effects on the world outside."""
        changed = not self._memory.emergency.pulled
        self._memory.emergency.pull()
        self._log.error("emergency stop: no effects on the world outside")
        return EffectsSwitched(allowed=False, changed=changed)

    async def emergency_resume(self) -> EffectsSwitched:
        """Allow effects again."""
        changed = self._memory.emergency.pulled
        self._memory.emergency.release()
        self._log.warning("effects on the world outside are allowed again")
        return EffectsSwitched(allowed=True, changed=changed)

    async def emergency_recover(self) -> EmergencyRecovered:
        """Restart every worker and restore what shall be."""
        began = time.monotonic()
        self._log.warning("emergency recovery asked for")
        await self._done(self._supervisor.recover("asked for"))
        return EmergencyRecovered(
            workers=tuple(slot.spec.name for slot in self._supervisor.slots() if slot.wanted),
            failed={slot.spec.name: slot.reason for slot in self._supervisor.slots() if slot.reason},
            traders=sum(len(member.wanted) for member in self._pool.members.values()),
            displays=sum(slot.wanted for slot in self._supervisor.slots() if slot.spec.kind.name == "console"),
            seconds=time.monotonic() - began,
        )

    # Who is meant

    def _slot(self, name: str) -> Slot:
        try:
            return self._supervisor.slot(name)
        except KeyError:
            known = ", ".join(slot.spec.name for slot in self._supervisor.slots())
            raise ControlRefusedError(f"there is no worker {name}; there are {known}", RefusalKind.NOT_FOUND) from None

    def _require_known(self, worker: str) -> None:
        # Lines may be left of a worker that is gone.
        if worker not in ("", "supervisor") and not self._tail.last(1, worker):
            self._slot(worker)

    def _working(self, slot: Slot) -> WorkerProcess:
        if slot.process is None or slot.process.state is not WorkerState.READY or slot.handing_over:
            raise ControlRefusedError(f"{slot.spec.name} is {slot.state}; try again later", RefusalKind.BUSY)
        return slot.process


def _figures(report: WorkerReport) -> dict[str, float]:
    own = {"threads": report.threads, "descriptors": report.descriptors, "repeated_commands": report.duplicates}
    return {**own, **{("rules" if name == "traders" else name): value for name, value in report.details.items()}}


async def _granted(work: Awaitable[T]) -> T:
    """Return what the floor gives; what it refuses has a kind."""
    try:
        return await work
    except RulesError as error:
        raise ControlRefusedError(str(error), RefusalKind.INVALID, error.problems) from error
    except UnknownTraderError as error:
        raise ControlRefusedError(str(error), RefusalKind.NOT_FOUND) from error
    except (TraderExistsError, NoStrategyError) as error:
        raise ControlRefusedError(str(error), RefusalKind.REFUSED) from error
    except (InterruptedByRecoveryError, SlotBusyError) as error:
        raise ControlRefusedError(str(error), RefusalKind.BUSY) from error
    except WorkerError as error:
        raise ControlRefusedError(str(error), RefusalKind.FAILED) from error


def _flat(figures: object) -> dict[str, float | str]:
    """Return a statistics object as names and figures; what lies deeper has names joined by dots."""
    if dataclasses.is_dataclass(figures) and not isinstance(figures, type):
        figures = dataclasses.asdict(figures)
    flat: dict[str, float | str] = {}
    for name, value in msgspec.to_builtins(figures).items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": each for inner, each in _flat(value).items()})
        elif isinstance(value, int | float | str):
            flat[name] = int(value) if isinstance(value, bool) else value
        elif value is not None:
            flat[name] = str(value)
    return flat
