"""Running a floor from a command: to its end, to a time, or to Ctrl-C, and always to an orderly stop."""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from typing import Any

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import fail, say
from tickfloor.cli.rules import say_problems
from tickfloor.cli.rules_file import RulesFile
from tickfloor.config import Config
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import FeedFinished, FloorStatus
from tickfloor.contracts.signals import Signal
from tickfloor.floor import Floor, FloorPlan, RulesError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a floor ended.

    Attributes:
        feed: the feed's last word; signals: of this run, from the database, in tape order.
        status: the floor just before its workers were stopped.
        interrupted: somebody pressed Ctrl-C or sent SIGTERM.
    """

    feed: FeedFinished
    signals: list[Signal]
    status: FloorStatus
    interrupted: bool


def run_floor(config: Config, plan: FloorPlan, rules: RulesFile | None, seconds: float | None = None) -> Outcome:
    """Run a floor until its source ends, ``seconds`` have passed, or it is interrupted.

    Whatever ends it, the tape is drained, every signal is stored and every worker is cleaned up. What goes
    wrong ends the command with a message.
    """
    try:
        return asyncio.run(_run(config, plan, seconds))
    except RulesError as error:
        if rules is not None:
            say_problems(rules, error.problems)
        fail(str(error), ExitCode.INVALID)
    except TickfloorError as error:
        fail(str(error))


async def _run(config: Config, plan: FloorPlan, seconds: float | None) -> Outcome:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _interrupt, interrupted)
    floor = Floor(config, plan)
    try:
        if await _started(floor, interrupted):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await floor.unless_failed(asyncio.ensure_future(_ended(floor, interrupted)))
        feed = await floor.stop_feed()
        await floor.drain(feed.head)
        signals = await floor.stored_signals()
        floor.say_status()
        status = floor.status()
    finally:
        await floor.stop()
    return Outcome(feed=feed, signals=signals, status=status, interrupted=interrupted.is_set())


async def _started(floor: Floor, interrupted: asyncio.Event) -> bool:
    """Start the floor whole, even if Ctrl-C comes meanwhile: a half-started floor cannot be drained."""
    await floor.start()
    return not interrupted.is_set()


async def _ended(floor: Floor, interrupted: asyncio.Event) -> None:
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(interrupted.wait()), asyncio.shield(floor.finished)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _interrupt(interrupted: asyncio.Event) -> None:
    if interrupted.is_set():
        # The second time means now: the workers die with this process.
        say("tickfloor: stopped at once; what was not stored yet is lost")
        os._exit(ExitCode.INTERRUPTED)
    interrupted.set()
