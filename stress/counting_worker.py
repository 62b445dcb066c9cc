"""A worker that notes each command that it applies in memory which outlives it; loaded in worker processes only."""

import mmap

from tickfloor.contracts.commands import (
    AddTrader,
    CommandBody,
    Progress,
    ReadThrough,
    RemoveTrader,
    Result,
    SyncTraders,
    TradersSynced,
    UpdateTrader,
)
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.contracts.traders import TraderSet, TradersHeld
from tickfloor.worker.inbox import Later
from tickfloor.worker.runtime import Runtime

TWICE, DISORDER = 0, 1
"""Bytes of the ledger that count what must not be, up to 255; those from ``FIRST`` on count each command."""
FIRST = 8
LATE = 100
"""Every so many commands, one is answered late."""


class CountingWorker:
    """A command's number is its ``through`` or ``revision``; numbers grow, for none is said twice."""

    def __init__(self, runtime: Runtime, settings: WorkerSettings) -> None:
        del settings
        self._runtime = runtime
        self._ledger = mmap.mmap(runtime.descriptors["ledger"], 0)
        self._last = 0
        self._late: list[int] = []
        self._traders = TraderSet()

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Note a command and apply it."""
        match body:
            case SyncTraders(specs=specs, revision=revision):
                self._note(revision)
                self._traders = TraderSet(specs, revision)
                return TradersSynced(refused={})
            case AddTrader(spec=spec, revision=revision) | UpdateTrader(spec=spec, revision=revision):
                self._note(revision)
                self._traders.put(spec)
                self._traders.revision = revision
            case RemoveTrader(name=name, revision=revision):
                self._note(revision)
                self._traders.drop(name)
                self._traders.revision = revision
            case ReadThrough(through=number):
                self._note(number)
                if number % LATE == 0:
                    self._late.append(sequence)
                    raise Later
            case _:
                raise AssertionError(f"nobody says {type(body).__name__} to a counting worker")
        return None

    def _note(self, number: int) -> None:
        ledger = self._ledger
        if number <= self._last:
            ledger[DISORDER] = min(255, ledger[DISORDER] + 1)
        self._last = number
        place = FIRST + number
        ledger[place] += 1
        if ledger[place] > 1:
            ledger[TWICE] = min(255, ledger[TWICE] + 1)

    def receive(self, message: ToWorker) -> None:
        """Take an event; there is none for this worker."""

    def step(self) -> bool:
        """Answer what is answered late."""
        late, self._late = self._late, []
        for sequence in late:
            self._runtime.applied(sequence)
        return False

    def wait(self, seconds: float) -> None:
        """Sleep until a message comes."""
        self._runtime.wait_for_message(seconds)

    def progress(self) -> Progress:
        """Return the last number."""
        return Progress(self._last, 0)

    def traders_held(self) -> TradersHeld:
        """Return what traders would run here."""
        return self._traders.held()

    def details(self) -> dict[str, float]:
        """Return nothing: the ledger says it all."""
        return {}

    def close(self) -> None:
        """Unmap the ledger."""
        self._ledger.close()
