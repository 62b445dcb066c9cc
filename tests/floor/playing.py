"""A floor in this process: its workers are real, and a test can meddle with them while it plays."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.waiting import until_async
from tickfloor.cli.replay import identity_of
from tickfloor.cli.report import build_report
from tickfloor.cli.rules_file import RulesFile
from tickfloor.cli.run_floor import Outcome
from tickfloor.config import Config
from tickfloor.contracts.settings import CaptureSource
from tickfloor.contracts.states import WorkerState
from tickfloor.floor import Floor, FloorPlan
from tickfloor.supervisor.process import WorkerProcess

Meddler = Callable[[Floor], Awaitable[None]]


def config_for(folder: Path, **given) -> Config:
    chosen = {"database": str(folder / "floor.db"), "log_file": str(folder / "floor.log"), "restart_intensity": 10_000}
    return Config(**chosen | given)


def plan_for(captures: list[Path], rules: Path, *, speed: float = 0.0) -> FloorPlan:
    traders = RulesFile(rules).specs
    return FloorPlan(
        source=CaptureSource(paths=tuple(map(str, captures)), speed=speed),
        identity=identity_of(captures, traders),
        tape="replay",
        traders=traders,
        replay=True,
        audit=True,
        console=None,
    )


async def nobody(floor: Floor) -> None:
    """Let the floor play undisturbed."""


def play(config: Config, plan: FloorPlan, meddle: Meddler = nobody, *, into_the_end: bool = False) -> Outcome:
    """Play a floor to its end, with somebody meddling from its beginning on.

    However fast the feed is, the floor does not end before the meddling, unless that goes on ``into_the_end``.
    """
    return asyncio.run(asyncio.wait_for(_play(config, plan, meddle, into_the_end), 240))


async def _play(config: Config, plan: FloorPlan, meddle: Meddler, into_the_end: bool) -> Outcome:
    floor = Floor(config, plan)
    try:
        meddling = asyncio.ensure_future(meddle(floor))
        await floor.start()
        await floor.unless_failed(asyncio.ensure_future(asyncio.shield(floor.finished)))
        if not into_the_end:
            await floor.unless_failed(asyncio.ensure_future(asyncio.shield(meddling)))
        feed = await floor.stop_feed()
        await floor.drain(feed.head)
        signals = await floor.stored_signals()
        outcome = Outcome(
            feed=feed,
            signals=signals,
            status=floor.status(),
            instruments=floor.instruments(),
            lost=floor.lost(),
            interrupted=False,
        )
        await meddling
    finally:
        await floor.stop(20.0)
    return outcome


def report_of(plan: FloorPlan, outcome: Outcome) -> dict[str, Any]:
    """Return the report without its timings."""
    assert isinstance(plan.source, CaptureSource)
    report = msgspec.json.decode(build_report(list(plan.source.paths), outcome))
    del report["latency_us"]
    return report


async def raised(floor: Floor, count: int) -> None:
    """Return when so many signals have been raised, or the feed is at its end."""
    await until_async(lambda: floor._signals.raised >= count or floor.finished.done(), f"{count} signals")


async def working(floor: Floor, slot: str) -> WorkerProcess:
    """Return a slot's worker once it is there and ready."""
    await until_async(lambda: slot in floor.supervisor._slots, f"{slot} is there")

    def process() -> WorkerProcess | None:
        found = floor.supervisor.slot(slot).process
        return found if found is not None and found.state is WorkerState.READY else None

    await until_async(process, f"{slot} is ready")
    found = process()
    assert found is not None
    return found


def kill(process: WorkerProcess) -> None:
    os.kill(process.pid, signal.SIGKILL)
