"""Signals in the database: each once, however often it is said."""

import time
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Engine, Row, Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from tickfloor.contracts.errors import StorageError
from tickfloor.contracts.signals import Signal
from tickfloor.storage.database import reason_of
from tickfloor.storage.schema import signals

_ROWS_AT_ONCE = 500
"""Databases bound the variables of a statement, SQLite by 32,766."""

_INSERTS: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class SignalStore:
    """Writes and reads the signals of a database.

    Attributes:
        stored: signals that were new; repeated: signals that were there.
    """

    def __init__(self, engine: Engine, run: str) -> None:
        self._engine = engine
        self._run = run
        self._insert = _INSERTS[engine.dialect.name]
        self.stored = 0
        self.repeated = 0

    def add(self, batch: Sequence[Signal]) -> None:
        """Store signals in one transaction, however many.

        Raises:
            StorageError: none of them is stored.
        """
        now = time.time()
        rows = [_row_of(signal, self._run, now) for signal in {signal.id: signal for signal in batch}.values()]
        statement = self._insert(signals)
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={"run": statement.excluded.run})
        known = 0
        try:
            with self._engine.begin() as connection:
                for start in range(0, len(rows), _ROWS_AT_ONCE):
                    part = rows[start : start + _ROWS_AT_ONCE]
                    there = select(func.count()).where(signals.c.id.in_([row["id"] for row in part]))
                    known += connection.scalar(there) or 0
                    connection.execute(statement, part)
        except (SQLAlchemyError, OverflowError, ValueError) as error:
            raise StorageError(f"{len(rows)} signals could not be stored: {reason_of(error)}") from error
        self.stored += len(rows) - known
        self.repeated += known

    def of_run(self, after: int, limit: int) -> tuple[list[Signal], int]:
        """Return this run's signals from an offset, in order, and the offset to go on from (-1 at the end)."""
        chosen = select(signals).where(signals.c.run == self._run).offset(after).limit(limit)
        found = self._read(chosen.order_by(*_TAPE_ORDER))
        return found, after + limit if len(found) == limit else -1

    def newest(self, limit: int, *, trader: str | None = None, instrument: str | None = None) -> list[Signal]:
        """Return the newest signals, newest first."""
        chosen = select(signals)
        if trader is not None:
            chosen = chosen.where(signals.c.trader == trader)
        if instrument is not None:
            chosen = chosen.where(signals.c.instrument == instrument)
        return self._read(chosen.order_by(signals.c.ts_event.desc(), signals.c.id).limit(limit))

    def _read(self, chosen: "Select[tuple[object, ...]]") -> list[Signal]:
        try:
            with self._engine.connect() as connection:
                return [_signal_of(row) for row in connection.execute(chosen)]
        except SQLAlchemyError as error:
            raise StorageError(f"signals could not be read: {reason_of(error)}") from error


_TAPE_ORDER = (signals.c.tape_sequence, signals.c.trader, signals.c.instrument)


def _row_of(signal: Signal, run: str, now: float) -> dict[str, object]:
    row: dict[str, object] = msgspec.structs.asdict(signal)
    row["values"] = msgspec.json.encode(signal.values).decode()
    row["run"] = run
    row["stored_at"] = now
    return row


def _signal_of(row: "Row[tuple[object, ...]]") -> Signal:
    fields = row._mapping
    return Signal(
        id=fields["id"],
        source=fields["source"],
        trader=fields["trader"],
        revision=fields["revision"],
        instrument=fields["instrument"],
        tape=fields["tape"],
        tape_sequence=fields["tape_sequence"],
        ts_event=fields["ts_event"],
        values=msgspec.json.decode(fields["values"], type=dict[str, float | None]),
    )
