"""Planned replacements of a floor that plays, and deaths in the middle of them."""

import os
import random
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from tests.floor.playing import Meddler, config_for, play, raised, report_of, working
from tests.waiting import until_async
from tickfloor.cli.run_floor import Outcome
from tickfloor.contracts.commands import CommandBody
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.messages import Command
from tickfloor.contracts.states import WorkerState
from tickfloor.floor import Floor, FloorPlan
from tickfloor.supervisor.process import WorkerProcess

_decode = msgspec.msgpack.Decoder(CommandBody).decode


def stored_ids(database: Path) -> list[str]:
    """Return the id of every row of a database's signals."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM signals ORDER BY id")]
    finally:
        connection.close()


def play_undisturbed(folder: Path, plan: FloorPlan, settings: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the report and the stored ids of a run in which nobody meddles."""
    outcome = play(config_for(folder, **settings), plan)
    assert len(outcome.signals) > 300
    return report_of(plan, outcome), stored_ids(folder / "floor.db")


def same(undisturbed: tuple[dict[str, Any], list[str]], folder: Path, plan: FloorPlan, outcome: Outcome) -> None:
    """See that report and database are those of the undisturbed run, to the last signal."""
    expected, ids = undisturbed
    found = report_of(plan, outcome)
    missing = [each for each in expected["signals"] if each not in found["signals"]]
    extra = [each for each in found["signals"] if each not in expected["signals"]]
    assert (missing, extra) == ([], [])
    assert found == expected
    assert stored_ids(folder / "floor.db") == ids
    assert outcome.lost == 0


def descriptors() -> list[str]:
    """Return what this process has open, without what differs from one moment to the next."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(path.readlink()).partition(":")[0])
        except FileNotFoundError:
            continue  # the listing's own
    return sorted(found)


def seats_taken(floor: Floor) -> int:
    """Return how many places at the tape are not free."""
    return len(floor._memory.seats._taken)


def nothing_is_left_over(floor: Floor, before: list[str]) -> None:
    """See that the floor holds what it held, after whatever happened to its workers."""
    assert seats_taken(floor) == len(floor._pool.members)
    assert len(floor.supervisor._alive) == len(floor.supervisor.slots())
    assert descriptors() == before


def replacer(rng: random.Random, *slots: str, times: int, signals: int) -> Meddler:
    """Return a meddler that replaces one of the slots' workers whenever some more signals have been raised."""

    async def meddle(floor: Floor) -> None:
        for count in sorted(rng.randrange(1, signals) for _ in range(times)):
            await raised(floor, count)
            slot = rng.choice(slots)
            await at_work(floor, slot)
            if floor.finished.done():
                return
            await floor.replace(slot, "test")

    return meddle


class Assassin:
    """Kills a worker of a slot at the moment at which a command is said to that slot.

    Attributes:
        killed: the victim; None while it lives.
    """

    def __init__(self, floor: Floor, slot: str, command: type[CommandBody], *, successor: bool) -> None:
        """Lie in wait, from the first command of that kind on.

        Args:
            successor: the victim is the worker that was started last, not the one that fills the slot.
        """
        self.killed: WorkerProcess | None = None
        self._floor = floor
        self._slot = slot
        self._old = floor.supervisor.slot(slot).process
        self._command = command
        self._successor = successor
        self._passed = floor.supervisor.passed
        floor.supervisor.passed = self._look  # type: ignore[method-assign]

    def _look(self, process: WorkerProcess, outward: bool, correlation_id: str, message: object) -> None:
        self._passed(process, outward, correlation_id, message)
        if self.killed is None and outward and process.slot == self._slot and isinstance(message, Command):
            victim = self._victim(process)
            if victim is not None and isinstance(_decode(message.body), self._command):
                self.killed = victim
                os.kill(victim.pid, 9)

    def _victim(self, process: WorkerProcess) -> WorkerProcess | None:
        if not self._successor:
            return self._old
        return process if process is not self._old else None


async def at_work(floor: Floor, slot: str) -> WorkerProcess:
    """Return a slot's worker once it does what it shall; of a trader worker that is more than being ready."""
    await working(floor, slot)

    def process() -> WorkerProcess | None:
        found = floor.supervisor.slot(slot)
        member = floor._pool.members.get(slot)
        if found.process is None or found.handing_over or found.process.state is not WorkerState.READY:
            return None
        return found.process if member is None or member.working == found.process.incarnation else None

    await until_async(process, f"{slot} is at work")
    found = process()
    assert found is not None
    return found


async def replaced(floor: Floor, slot: str) -> bool:
    """Try to replace a slot's worker; say whether that went well."""
    try:
        await floor.replace(slot, "test")
    except WorkerError:
        return False
    return True
