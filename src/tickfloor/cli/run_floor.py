"""Running a floor from a command: to its end, to a time, or to Ctrl-C, and always to an orderly stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import fail, say
from tickfloor.cli.rules import say_problems
from tickfloor.cli.rules_file import RulesFile
from tickfloor.config import Config
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.events import FeedFinished, FloorStatus
from tickfloor.contracts.feeds import VenueReport
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.signals import Signal
from tickfloor.floor import Floor, FloorPlan, ShutdownTimeoutError
from tickfloor.supervisor.pool.trader_pool import RulesError
from tickfloor.supervisor.zygote_client import end_orphans

T = TypeVar("T")

_GIVE_THE_TERMINAL_BACK = "\x1b[?1049l\x1b[?25h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a floor ended.

    Attributes:
        feed: the feed's last word; signals: of this run, from the database, in tape order.
        status: the floor just before its workers were stopped; instruments: what the feed has met.
        lost: records that a trader missed, and signals that are not stored.
        interrupted: somebody pressed Ctrl-C or sent SIGTERM.
        venues: how the venues of a live feed stood when it was stopped; nothing where it could not say.
    """

    feed: FeedFinished
    signals: list[Signal]
    status: FloorStatus
    instruments: tuple[Instrument, ...]
    lost: int
    interrupted: bool
    venues: tuple[VenueReport, ...] = ()


def run_floor(config: Config, plan: FloorPlan, rules: RulesFile | None, seconds: float | None = None) -> Outcome:
    """Run a floor until its source ends, ``seconds`` have passed, or it is interrupted.

    Whatever ends it, the tape is drained, every signal is stored and every worker is cleaned up. What goes
    wrong ends the command with a message.
    """
    try:
        outcome = asyncio.run(_run(config, plan, seconds))
    except RulesError as error:
        if rules is not None:
            say_problems(rules, error.problems)
        fail(str(error), ExitCode.INVALID)
    except ShutdownTimeoutError as error:
        fail(str(error), ExitCode.TIMEOUT)
    except TickfloorError as error:
        fail(str(error))
    if outcome.feed.error:
        fail(outcome.feed.error, ExitCode.INVALID)
    return outcome


async def _run(config: Config, plan: FloorPlan, seconds: float | None) -> Outcome:
    interrupted, ending = asyncio.Event(), asyncio.Event()
    floor = Floor(config, plan)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if interrupted.is_set():
            _leave_at_once(floor, plan)
        interrupted.set()
        ending.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    # Half of a shutdown's time is for the work to be finished, half for the workers to end.
    half = config.shutdown_seconds / 2
    try:
        # Whole, even if Ctrl-C comes meanwhile: a half-started floor cannot be drained.
        await _in_time(floor.start(), floor, ending, half)
        if seconds is not None:
            loop.call_later(seconds, ending.set)
        await floor.unless_failed(asyncio.ensure_future(_ended(floor, ending)))
        outcome = await _in_time(_finish(floor), floor, ending, half)
    finally:
        await floor.stop(half)
        end_orphans()
    return replace(outcome, interrupted=interrupted.is_set())


async def _finish(floor: Floor) -> Outcome:
    venues = await floor.venues()
    feed = await floor.stop_feed()
    await floor.drain(feed.head)
    signals = await floor.stored_signals()
    floor.say_status()
    return Outcome(
        feed=feed,
        signals=signals,
        status=floor.status(),
        instruments=floor.instruments(),
        lost=floor.lost(),
        interrupted=False,
        venues=venues,
    )


async def _ended(floor: Floor, ending: asyncio.Event) -> None:
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(ending.wait()), asyncio.shield(floor.finished)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _in_time(work: Coroutine[Any, Any, T], floor: Floor, ending: asyncio.Event, seconds: float) -> T:
    """Return what ``work`` gives; from the moment that the floor is to end it has so many seconds.

    Raises:
        ShutdownTimeoutError: naming what it was waiting for.
    """
    task = asyncio.ensure_future(work)
    asked = asyncio.ensure_future(ending.wait())
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        return task.result()
    waiting = floor.unfinished()
    task.cancel()
    await asyncio.wait({task})
    raise ShutdownTimeoutError(
        f"the floor did not end within {seconds:g} s: it waited for {waiting}; what was not stored is lost "
        "(shutdown_seconds is twice that time)"
    )


def _leave_at_once(floor: Floor, plan: FloorPlan) -> NoReturn:
    """End now: the workers die with this process."""
    if plan.console is not None and plan.console.live:
        # Nobody is left to do it, and the console must not draw after it.
        for process in floor.supervisor.processes("console"):
            process.kill(signal.SIGKILL)
        stream = sys.stdout if plan.console.stream == "stdout" else sys.stderr
        print(_GIVE_THE_TERMINAL_BACK, end="", file=stream, flush=True)
    if floor.control is not None:
        floor.control.unlink(missing_ok=True)
    say("tickfloor: stopped at once; what was not stored yet is lost")
    os._exit(ExitCode.INTERRUPTED)
