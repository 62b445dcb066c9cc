"""No command is lost or applied twice, whatever the channel does to it and whoever is killed.

Several real workers are told to change traders, and other things, with a full window each, over channels that lose,
repeat and delay commands and answers. Some workers are killed now and then; some commands have a deadline that is too
short. Each command has a number of its own, and its worker counts it in memory that outlives the worker.
"""

import argparse
import asyncio
import math
import mmap
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stress.counting_worker import DISORDER, FIRST, TWICE
from stress.faulty_channel import Fate, FaultyChannel
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.board import segment
from tickfloor.contracts.commands import (
    AddTrader,
    CommandBody,
    Ping,
    Pong,
    ReadThrough,
    RemoveTrader,
    Result,
    SyncTraders,
    UpdateTrader,
)
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.messages import FromWorker
from tickfloor.contracts.settings import LoggerSettings
from tickfloor.contracts.traders import TraderSet, TraderSpec
from tickfloor.supervisor.lifecycle import Lifecycle
from tickfloor.supervisor.outbox import WINDOW, BackpressureError, CommandTimeoutError
from tickfloor.supervisor.process import WorkerDiedError, WorkerProcess
from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.services.router import Router
from tickfloor.supervisor.slots import Kind, SlotSpec
from tickfloor.supervisor.supervisor import Supervisor, new_run_id
from tickfloor.supervisor.zygote_client import ZygoteClient
from tickfloor.worker import effects
from tickfloor.worker.log import Log

OUTCOMES = (
    Outcome("applied and answered", Verdict.ACCEPTABLE, "once, and its caller knows"),
    Outcome("deadline passed, applied", Verdict.ACCEPTABLE, "its caller was told that it is not known"),
    Outcome("worker died, applied", Verdict.ACCEPTABLE, "its caller was told that the worker died"),
    Outcome("worker died, not applied", Verdict.ACCEPTABLE, "its caller was told that the worker died"),
    Outcome("desired is real", Verdict.ACCEPTABLE, "a worker's traders at the end"),
    Outcome("said again", Verdict.INTERESTING, "commands"),
    Outcome("worker killed", Verdict.INTERESTING, "SIGKILL at a random moment"),
    Outcome("lost", Verdict.FORBIDDEN, "answered and not applied, or its caller was never told anything"),
    Outcome("applied twice", Verdict.FORBIDDEN, ""),
    Outcome("order broken", Verdict.FORBIDDEN, "applied after one that was said later"),
    Outcome("refused", Verdict.FORBIDDEN, "there is no reason to"),
    Outcome("desired is not real", Verdict.FORBIDDEN, "a worker's traders at the end"),
)

WORKERS = 4
TRADERS = 50
LOSS = 0.003
"""Probability of each fault, for each message of each direction."""
SHORT_DEADLINES = 0.01
KILLS = 0.0002
"""Probabilities for each command."""
_PATIENCE = 60.0
"""Seconds for the last answers: much longer than the slowest asks again."""


class Driven:
    """One slot: what it is told, and what came of it."""

    def __init__(self, number: int, stress: "CommandStress", commands: int) -> None:
        self.name = f"counting-{number}"
        self._stress = stress
        # Each incarnation is told all its traders by a command, too, and nobody can say how many there will be.
        size = FIRST + commands + commands // 100 + 10_000
        self._descriptor = segment.create(self.name, size)
        segment.reserve(self._descriptor, 0, size, self.name)
        self._ledger = mmap.mmap(self._descriptor, size)
        self._commands = commands
        self._number = 0
        # Two places are for the commands that each incarnation begins with.
        self._room = asyncio.Semaphore(WINDOW - 2)
        self._waiting: set[int] = set()
        self._late: list[tuple[int, WorkerProcess]] = []
        self.incarnations: list[WorkerProcess] = []
        self.wanted = TraderSet()

    def spec(self) -> SlotSpec:
        """Return what belongs in the slot."""
        kind = Kind(
            name="counting",
            entry="stress.counting_worker:CountingWorker",
            cleanup_seconds=5.0,
            from_template=True,
            vital=True,
            overlaps=True,
        )
        settings = LoggerSettings(level="error", form="text", path="")
        return SlotSpec(self.name, kind, lambda: settings, lambda: {"ledger": self._descriptor}, self._on_ready)

    async def _on_ready(self, process: WorkerProcess) -> None:
        self._stress.disturb(process)
        self.incarnations.append(process)
        self._number = number = self._number + 1
        self.wanted.revision = number
        self._say(process, number, SyncTraders(specs=self.wanted.specs(), revision=number), self._let_be)

    async def drive(self) -> None:
        """Say all commands, as fast as the window lets them."""
        rng = self._stress.random
        for _ in range(self._commands):
            await self._say_one(math.inf if rng.random() > SHORT_DEADLINES else rng.uniform(0.001, 0.05))
            if rng.random() < KILLS:
                self.incarnations[-1].kill(signal.SIGKILL)
                self._stress.tally.add(0, "worker killed")

    async def _say_one(self, seconds: float) -> None:
        while True:
            await self._room.acquire()
            process = self.incarnations[-1]
            if not process.dead.is_set():
                number = self._number + 1
                try:
                    self._say(process, number, self._body(number), self._room.release, seconds)
                except BackpressureError:
                    # Commands whose callers do not wait any more still have their place.
                    pass
                else:
                    self._number = number
                    return
            self._room.release()
            await asyncio.sleep(0.001)

    def _body(self, number: int) -> CommandBody:
        rng = self._stress.random
        if rng.random() < 0.7:
            return ReadThrough(through=number)
        name = f"trader {rng.randrange(TRADERS)}"
        if rng.random() < 0.3:
            return RemoveTrader(name=name, revision=number)
        command = UpdateTrader if name in self.wanted else AddTrader
        return command(spec=TraderSpec(name=name, rule="last > 1", cooldown_ns=number), revision=number)

    def _say(
        self,
        process: WorkerProcess,
        number: int,
        body: CommandBody,
        release: Callable[[], None],
        seconds: float = math.inf,
    ) -> None:
        future = process.command(body, seconds=seconds)
        self._waiting.add(number)
        future.add_done_callback(lambda done: self._told(process, number, done, release))
        match body:
            case AddTrader(spec=spec) | UpdateTrader(spec=spec):
                self.wanted.put(spec)
                self.wanted.revision = number
            case RemoveTrader(name=name):
                self.wanted.drop(name)
                self.wanted.revision = number

    def _told(
        self,
        process: WorkerProcess,
        number: int,
        done: "asyncio.Future[Result | None]",
        release: Callable[[], None],
    ) -> None:
        release()
        self._waiting.discard(number)
        self._stress.told += 1
        match done.exception():
            case None:
                self._count("applied and answered" if self._is_applied(number) else "lost")
            case WorkerDiedError():
                self._count(f"worker died, {'applied' if self._is_applied(number) else 'not applied'}")
            case CommandTimeoutError():
                self._late.append((number, process))
            case error:
                print(f"{self.name}: {number}: {error}", file=sys.stderr)
                self._count("refused")

    def _is_applied(self, number: int) -> bool:
        return self._ledger[FIRST + number] > 0

    def _count(self, outcome: str, count: int = 1) -> None:
        self._stress.tally.add(0, outcome, count)

    @staticmethod
    def _let_be() -> None:
        """Give no room back: none was taken."""

    def is_settled(self) -> bool:
        """Say whether everybody has been told, and the worker has answered everything."""
        lanes = self.incarnations[-1].statistics().values()
        return not self._waiting and (self.incarnations[-1].dead.is_set() or not any(each.unanswered for each in lanes))

    async def judge(self) -> None:
        """Compare what was said with what was done."""
        for number, process in self._late:
            if self._is_applied(number):
                self._count("deadline passed, applied")
            else:
                self._count("worker died, not applied" if process.dead.is_set() else "lost")
        self._count("lost", len(self._waiting))
        self._count("applied twice", self._ledger[TWICE])
        self._count("order broken", self._ledger[DISORDER])
        for process in self.incarnations:
            self._count("said again", sum(each.said_again for each in process.statistics().values()))
        pong = await self.incarnations[-1].command(Ping())
        assert isinstance(pong, Pong)
        self._count("desired is real" if pong.traders == self.wanted.held() else "desired is not real")

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()
        os.close(self._descriptor)


class SilentRouter(Router):
    """Hears events, and lets them be."""

    def route(self, process: WorkerProcess, message: FromWorker, *, correlation_id: str = "") -> None:
        """Do nothing."""


class CommandStress:
    """One run."""

    def __init__(self, commands: int, rng: random.Random) -> None:
        self.tally = Tally("commands", OUTCOMES)
        self.random = rng
        self.told = 0
        self._commands = commands
        self._healed = False

    def disturb(self, process: WorkerProcess) -> None:
        """Put a faulty channel before a worker's own."""
        FaultyChannel(process, self._fate, self._fate)

    def _fate(self, message: object) -> Fate:
        del message
        chance = self.random.random()
        if self._healed or chance > 3 * LOSS:
            return Fate.PASS
        return (Fate.LOSE, Fate.REPEAT, Fate.DELAY)[min(2, int(chance / LOSS))]

    async def run(self) -> None:
        """Say all commands and judge what came of them.

        Raises:
            WorkerError: a worker could not be started.
        """
        word = effects.create()
        readable = segment.read_only(word)
        errors: list[LogLine] = []
        log = Log("stress", errors.append)
        supervisor = Supervisor(
            run_id=new_run_id(),
            router=SilentRouter(call_later=asyncio.get_running_loop().call_later, on_error=_raise_it),
            flow=MessageFlow(),
            lifecycle=Lifecycle(log),
            log=log,
            effects=readable,
            restarts=lambda: RestartPolicy(intensity=1_000_000, period=1.0, clock=time.monotonic, jitter=_at_once),
            recoveries=RecoveryPolicy(clock=time.monotonic, intensity=0),
            on_death=_let_be,
            well_seconds=_at_once,
            zygote=ZygoteClient(path=[str(Path(__file__).parents[1])]),
        )
        driven = [Driven(number, self, self._commands // WORKERS) for number in range(1, WORKERS + 1)]
        progress = asyncio.ensure_future(self._say_progress())
        try:
            for each in driven:
                await supervisor.start(each.spec())
            driving = asyncio.gather(*(each.drive() for each in driven))
            ends: list[asyncio.Future[Any]] = [driving, supervisor.failure]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if supervisor.failure.done():
                driving.cancel()
                raise supervisor.failure.result()
            await driving
            await self._settle(driven)
            for each in driven:
                await each.judge()
        finally:
            progress.cancel()
            await supervisor.close()
            for each in driven:
                each.close()
            for fd in (readable, word):
                os.close(fd)

    async def _settle(self, driven: list[Driven]) -> None:
        """Wait until all is answered; from now on nothing is lost on the way."""
        self._healed = True
        until = time.monotonic() + _PATIENCE
        while not all(each.is_settled() for each in driven) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def _say_progress(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(5.0)
            seconds = time.monotonic() - began
            print(f"{self.told:,} of {self._commands:,}, {self.told / seconds:,.0f}/s", file=sys.stderr, flush=True)


def _at_once(given: object) -> float:
    """Return no seconds, of whatever there are at most."""
    del given
    return 0.0


def _let_be(process: WorkerProcess) -> None:
    del process


def _raise_it(process: WorkerProcess, message: FromWorker, error: Exception) -> None:
    del process, message
    raise error


def main() -> None:
    """Run from the command line; exit with 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000, help="how many to say (default %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the faults and deaths")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    stress = CommandStress(arguments.commands, random.Random(arguments.seed))
    began = time.monotonic()
    asyncio.run(stress.run())
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    print(stress.tally.as_json() if arguments.json else stress.tally.as_table())
    sys.exit(0 if stress.tally.passed else 1)


if __name__ == "__main__":
    main()
