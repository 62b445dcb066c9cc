"""The storage worker."""

import time
from typing import NamedTuple

from sqlalchemy import Engine

from tickfloor.contracts.commands import (
    BeginEpoch,
    CommandBody,
    Drain,
    EpochBegun,
    Progress,
    QuerySignals,
    Result,
    SignalsFound,
)
from tickfloor.contracts.errors import StorageError, TickfloorError
from tickfloor.contracts.events import SignalsStored, StoreSignals
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.ports import BreakerPort
from tickfloor.contracts.settings import StorageSettings, WorkerSettings
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TradersHeld
from tickfloor.storage.database import open_database
from tickfloor.storage.epoch_store import EpochStore
from tickfloor.storage.signal_store import SignalStore
from tickfloor.worker.runtime import Runtime

_RETRY_SECONDS = 0.2


class _Stores(NamedTuple):
    engine: Engine
    signals: SignalStore
    epochs: EpochStore


def _open(settings: StorageSettings) -> _Stores:
    engine = open_database(settings.url)
    return _Stores(engine, SignalStore(engine, settings.run), EpochStore(engine))


class StorageWorker:
    """Writes what has come in one transaction, then says that it is stored.

    What a database refuses is kept and tried again, more and more seldom while it goes on refusing: a full disk or a
    server that restarts costs time and no signal.
    """

    def __init__(self, runtime: Runtime, settings: StorageSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._stores: _Stores | None = None
        if runtime.incarnation == 1:
            # A database that cannot be used is told before the floor begins. A successor must not die of it: signals
            # wait for it that nobody else can store.
            self._stores = _open(settings)
        self._breaker: BreakerPort = runtime.breaker("database", open_seconds=1.0, longest_open_seconds=60.0)
        self._waiting: list[Signal] = []
        self._retry_at = 0.0
        self._stored = 0

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Answer queries; everything said before a command is stored before its answer."""
        del sequence
        self._flush()
        if self._waiting:
            raise StorageError(f"{len(self._waiting):,} signals cannot be stored yet; ask again when they are")
        stores = self._stores = self._stores or _open(self._settings)
        match body:
            case QuerySignals(after=after, limit=limit):
                found, after = stores.signals.of_run(after, limit)
                return SignalsFound(signals=tuple(found), after=after)
            case BeginEpoch():
                return EpochBegun(epoch=stores.epochs.begin())
            case Drain():
                return None
        raise TickfloorError(f"a storage worker does not know {type(body).__name__}")

    def receive(self, message: ToWorker) -> None:
        """Take signals to store."""
        if isinstance(message, StoreSignals):
            self._waiting.extend(message.signals)

    def step(self) -> bool:
        """Store what has come."""
        self._flush()
        return False

    def wait(self, seconds: float) -> None:
        """Sleep until a message comes, or what could not be stored is to be tried again."""
        if self._waiting:
            seconds = min(seconds, max(self._retry_at - time.monotonic(), self._breaker.retry_seconds(), 0.001))
        self._runtime.wait_for_message(seconds)

    def progress(self) -> Progress:
        """Return signals stored, and signals that could be stored now."""
        return Progress(self._stored, 0 if self._retry_at else len(self._waiting))

    def traders_held(self) -> TradersHeld | None:
        """No trader runs here."""
        return None

    def details(self) -> dict[str, float]:
        """Return the figures of this worker."""
        return {"stored": self._stored, "waiting": len(self._waiting)}

    def close(self) -> None:
        """Store what has come and close the database, which folds its write-ahead log in."""
        self._retry_at = 0.0
        self._flush()
        if self._waiting:
            self._runtime.log.error("signals are not stored", signals=len(self._waiting))
        if self._stores is not None:
            self._stores.engine.dispose()

    def _flush(self) -> None:
        if not self._waiting or time.monotonic() < self._retry_at or not self._breaker.allows():
            return
        try:
            # Kept until they are stored: who said them does not say them again to a worker that lives.
            self._stores = self._stores or _open(self._settings)
            self._stores.signals.add(self._waiting)
        except StorageError as error:
            self._breaker.failure(error)
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            self._runtime.log.warning("signals wait", signals=len(self._waiting), reason=str(error))
            return
        self._breaker.success()
        self._retry_at = 0.0
        batch, self._waiting = self._waiting, []
        self._stored += len(batch)
        self._runtime.metrics.increment("signals_stored", len(batch))
        self._runtime.channel.send(SignalsStored(ids=tuple(signal.id for signal in batch)))


def make(runtime: Runtime, settings: WorkerSettings) -> StorageWorker:
    """Make the worker of a storage slot."""
    assert isinstance(settings, StorageSettings)
    return StorageWorker(runtime, settings)
