"""The storage worker."""

from sqlalchemy import Engine

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import (
    CommandBody,
    Drain,
    QuerySignals,
    Result,
    SignalsFound,
    SignalsStored,
    StoreSignals,
    ToWorker,
)
from tickfloor.contracts.settings import StorageSettings, WorkerSettings
from tickfloor.contracts.signals import Signal
from tickfloor.storage.database import open_database
from tickfloor.storage.signal_store import SignalStore
from tickfloor.worker.runtime import Runtime


class StorageWorker:
    """Writes what has come in one transaction, then says that it is stored."""

    def __init__(self, runtime: Runtime, settings: StorageSettings) -> None:
        self._runtime = runtime
        self._engine: Engine = open_database(settings.url)
        self._store = SignalStore(self._engine, settings.run)
        self._waiting: list[Signal] = []

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Answer queries; everything said before a command is stored before its answer."""
        del sequence
        self._flush()
        if isinstance(body, QuerySignals):
            found, after = self._store.of_run(body.after, body.limit)
            return SignalsFound(signals=tuple(found), after=after)
        if isinstance(body, Drain):
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
        """Sleep until a message comes."""
        self._runtime.wait_for_message(seconds)

    def close(self) -> None:
        """Store what has come and close the database, which folds its write-ahead log in."""
        self._flush()
        self._engine.dispose()

    def _flush(self) -> None:
        if not self._waiting:
            return
        # Kept until they are stored: who said them does not say them again to a worker that lives.
        self._store.add(self._waiting)
        batch, self._waiting = self._waiting, []
        self._runtime.channel.send(SignalsStored(ids=tuple(signal.id for signal in batch)))


def make(runtime: Runtime, settings: WorkerSettings) -> StorageWorker:
    """Make the worker of a storage slot."""
    assert isinstance(settings, StorageSettings)
    return StorageWorker(runtime, settings)
