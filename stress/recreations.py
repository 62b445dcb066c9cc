"""Workers are made anew again and again while the market goes on: replaced, killed, spread over more or fewer.

The floor is a whole one, with a simulated market, and its supervisor is this process. When some workers have been
made it is looked at for the first time, and at the end for the last: then it must hold what it held, no descriptor,
thread or segment more. Not one record may have been missed meanwhile, and every signal must be stored, once.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.cli.local_exchange import LocalExchange, local_exchange
from tickfloor.config import Config
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.settings import LiveSource, VenueSettings
from tickfloor.contracts.states import SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.floor import Floor, FloorPlan
from tickfloor.kinds import FEED, LOGGER, STORAGE
from tickfloor.supervisor.health.memory import private_memory
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.restarts import RestartPolicy

OUTCOMES = (
    Outcome("works again", Verdict.ACCEPTABLE, "everybody, after what was done to a worker"),
    Outcome("replaced", Verdict.INTERESTING, "as planned"),
    Outcome("killed", Verdict.INTERESTING, "SIGKILL"),
    Outcome("killed while replaced", Verdict.INTERESTING, ""),
    Outcome("scaled", Verdict.INTERESTING, "the traders were spread over another number of workers"),
    Outcome("given up", Verdict.INTERESTING, "a replacement or scaling, because a worker of it was killed"),
    Outcome("workers made", Verdict.INTERESTING, ""),
    Outcome("signals", Verdict.INTERESTING, "stored"),
    Outcome("supervisor grew KB", Verdict.INTERESTING, "own memory, between the first look and the last"),
    Outcome("hung", Verdict.FORBIDDEN, "a worker did not work again in time"),
    Outcome("more descriptors", Verdict.FORBIDDEN, ""),
    Outcome("more threads", Verdict.FORBIDDEN, ""),
    Outcome("more segments", Verdict.FORBIDDEN, ""),
    Outcome("more memory", Verdict.FORBIDDEN, "the supervisor's own, beyond what its bounded histories may take"),
    Outcome("place left", Verdict.FORBIDDEN, "a place at the tape that nobody sits in is still taken"),
    Outcome("records missed", Verdict.FORBIDDEN, "by a trader"),
    Outcome("signals not stored", Verdict.FORBIDDEN, ""),
    Outcome("signals doubled", Verdict.FORBIDDEN, ""),
)

PATIENCE = 60.0
FIRST_LOOK = 30
"""Workers made before the first look: the templates have been started and the histories have begun."""
GROWTH_BYTES = 12 << 20
"""Histories of messages, logs and times are bounded; this is more than all of them take."""
_LOOK_SECONDS = 0.005
_WORKERS = 3
_TRADERS = 24


@dataclass(frozen=True, slots=True)
class Held:
    """What the supervisor holds while nothing is under way."""

    descriptors: int
    segments: int
    threads: int
    memory: int


class Recreations:
    """One floor, and what is done to it."""

    def __init__(self, folder: Path, rng: random.Random, exchange: LocalExchange) -> None:
        self.tally = Tally("recreations", OUTCOMES)
        self._plan = _plan(exchange)
        self._folder = folder
        self._rng = rng

    async def run(self, workers: int) -> None:
        """Go on until so many workers have been made."""
        config = Config(
            database=str(self._folder / "floor.db"),
            log_file=str(self._folder / "floor.log"),
            log_level="info",
            trader_workers=_WORKERS,
            control_socket="none",
        )
        self._floor = floor = Floor(config, self._plan)
        # Deaths follow each other without a pause here; that they are paced is tested elsewhere.
        floor.supervisor._restarts = lambda: RestartPolicy(
            intensity=1_000_000, period=0.001, clock=time.monotonic, reset_seconds=0.0
        )
        try:
            await floor.start()
            while self._made() < FIRST_LOOK:
                await self._disturb()
            before = await self._held()
            while self._made() < workers:
                await self._disturb()
            self._compare(before, await self._held())
            self.tally.add(0, "workers made", self._made())
            feed = await floor.stop_feed()
            await floor.drain(feed.head)
            signals = [each.id for each in await floor.stored_signals()]
            self._see(floor.lost() > 0, "records missed")
            self._see(len(set(signals)) < len(signals), "signals doubled")
            self._see(sorted(signals) != self._rows() or not signals, "signals not stored")
            self.tally.add(0, "signals", len(signals))
        finally:
            await floor.stop(20.0)

    def _made(self) -> int:
        return self._floor.supervisor.lifecycle.statistics().started

    async def _disturb(self) -> None:
        rng, floor = self._rng, self._floor
        slot = rng.choice([*floor.supervisor.names("trader"), *floor.supervisor.names("trader"), FEED, STORAGE, LOGGER])
        what = rng.random()
        try:
            async with asyncio.timeout(PATIENCE):
                if what < 0.45:
                    await self._try(floor.replace(slot, "stress"), "replaced")
                elif what < 0.7:
                    killed = self._kill(slot)
                    if killed is not None:
                        await killed.dead.wait()
                        self.tally.add(0, "killed")
                elif what < 0.85:
                    await self._replace_and_kill(slot)
                else:
                    await self._try(floor._scaler.scale(rng.randrange(1, 6), "stress"), "scaled")
                await self._all_work()
        except TimeoutError:
            self.tally.add(0, "hung")
            states = {each.spec.name: str(each.state) for each in floor.supervisor.slots()}
            print(f"FORBIDDEN hung: {slot}, {what:.2f}: {states}\n{self._log()}", file=sys.stderr, flush=True)
            raise
        self.tally.add(0, "works again")

    async def _try(self, work: Awaitable[object], outcome: str) -> None:
        try:
            await work
        except WorkerError:
            self.tally.add(0, "given up")
        else:
            self.tally.add(0, outcome)

    async def _replace_and_kill(self, slot: str) -> None:
        replacing = asyncio.ensure_future(self._try(self._floor.replace(slot, "stress"), "replaced"))
        await asyncio.sleep(self._rng.uniform(0.0, 0.06))
        killed = self._kill(slot, newest=self._rng.random() < 0.5)
        self.tally.add(0, "killed while replaced")
        await replacing
        if killed is not None:
            await killed.dead.wait()

    def _kill(self, slot: str, *, newest: bool = False) -> WorkerProcess | None:
        """Kill a slot's worker, or the one that was started last; return it if there was one."""
        supervisor = self._floor.supervisor
        process = supervisor.slot(slot).process
        if newest:
            there = [each for each in supervisor._alive if each.slot == slot]
            process = max(there, key=lambda each: each.incarnation, default=None)
        if process is not None and not process.dead.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return process

    async def _all_work(self) -> None:
        """Return when every slot is filled with a worker that works, and nothing else is alive."""
        floor = self._floor
        while True:
            if floor.supervisor.failure.done():
                raise floor.supervisor.failure.result()
            slots = floor.supervisor.slots()
            members = floor._pool.members
            if (
                all(
                    slot.state is SlotState.RUNNING
                    and not slot.handing_over
                    and slot.process is not None
                    and slot.process.state is WorkerState.READY
                    for slot in slots
                )
                and all(
                    member.slot.process is not None and member.working == member.slot.process.incarnation
                    for member in members.values()
                )
                and len(floor.supervisor._alive) == len(slots)
            ):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self._see(len(floor._memory.seats._taken) != len(members), "place left")

    async def _held(self) -> Held:
        """Return what is held with as many workers as in the beginning."""
        await self._floor._scaler.scale(_WORKERS, "to be looked at")
        await self._all_work()
        gc.collect()
        targets = _open_files()
        return Held(
            descriptors=len(targets),
            segments=sum("memfd:" in target for target in targets),
            threads=threading.active_count(),
            memory=private_memory(os.getpid()),
        )

    def _compare(self, before: Held, after: Held) -> None:
        self._see(after.descriptors > before.descriptors, "more descriptors")
        self._see(after.segments > before.segments, "more segments")
        self._see(after.threads > before.threads, "more threads")
        self._see(after.memory > before.memory + GROWTH_BYTES, "more memory")
        self.tally.add(0, "supervisor grew KB", max(0, after.memory - before.memory) >> 10)
        print(f"{before}\n{after}", file=sys.stderr)

    def _see(self, wrong: bool, outcome: str) -> None:
        if wrong:
            self.tally.add(0, outcome)
            print(f"FORBIDDEN {outcome}\n{self._log()}", file=sys.stderr, flush=True)

    def _rows(self) -> list[str]:
        connection = sqlite3.connect(self._folder / "floor.db")
        try:
            return sorted(row[0] for row in connection.execute("SELECT id FROM signals"))
        finally:
            connection.close()

    def _log(self) -> str:
        path = self._folder / "floor.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-60:]) if path.exists() else ""


def _open_files() -> list[str]:
    """Return what this process has open."""
    targets = []
    for path in Path("/proc/self/fd").iterdir():
        # One of them is the listing's own, and gone.
        with contextlib.suppress(FileNotFoundError):
            targets.append(str(path.readlink()))
    return targets


def _plan(exchange: LocalExchange) -> FloorPlan:
    traders = tuple(
        TraderSpec(name=f"trader {number}", rule=f"bid_size > {1 + number / 8} * ask_size", cooldown_ns=1_000_000_000)
        for number in range(_TRADERS)
    )
    venue = VenueSettings(venue="binance", stream_url=exchange.stream_url, rest_url=exchange.rest_url)
    source = LiveSource(venues=(venue,))
    return FloorPlan(source=source, identity="recreations", tape="stress", traders=traders, replay=False, console=None)


def main() -> None:
    """Run from the command line; exit with 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000, help="to be made (default %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of what is done to them")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    with (
        tempfile.TemporaryDirectory(prefix="tickfloor-recreations-") as folder,
        local_exchange(["--venue", "binance", "--instruments", "20", "--rate", "500"]) as exchange,
    ):
        recreations = Recreations(Path(folder), random.Random(arguments.seed), exchange)
        with contextlib.suppress(TimeoutError):
            asyncio.run(recreations.run(arguments.workers))
    print(recreations.tally.as_json() if arguments.json else recreations.tally.as_table())
    sys.exit(0 if recreations.tally.passed else 1)


if __name__ == "__main__":
    main()
