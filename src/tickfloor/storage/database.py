"""Opening a database so that what it says is stored is stored."""

import re
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from tickfloor.contracts.errors import StorageError
from tickfloor.storage.schema import metadata, signals

DIALECTS = ("sqlite", "postgresql")
_BUSY_SECONDS = 10.0


class DatabaseMissingError(StorageError):
    """There is no such database."""


def open_database(url: str) -> Engine:
    """Return an engine whose tables exist and can be written.

    Raises:
        StorageError: the URL is not valid, or the database cannot be opened or written.
    """
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable)
    try:
        metadata.create_all(engine)
        with engine.begin() as connection:
            # Creating tables that exist writes nothing; a database that is read-only has to show itself now.
            if engine.dialect.name == "sqlite":
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version = {version:d}")
    except SQLAlchemyError as error:
        engine.dispose()
        raise StorageError(f"cannot write the database {engine.url.render_as_string()}: {reason_of(error)}") from error
    return engine


def open_existing(url: str) -> Engine:
    """Return an engine to read a database that is there; nothing is made or changed.

    Raises:
        DatabaseMissingError: there is none.
        StorageError: the URL is not valid, or the database cannot be read or is not tickfloor's.
    """
    engine = _engine(url)
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and not path.startswith("file:") and not Path(path).exists():
        raise DatabaseMissingError(f"there is no database {path}; a replay or the demo makes one")
    try:
        tables = inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        engine.dispose()
        raise StorageError(f"cannot read the database {engine.url.render_as_string()}: {reason_of(error)}") from error
    if signals.name not in tables:
        engine.dispose()
        raise StorageError(f"{engine.url.render_as_string()} is no database of tickfloor's: it has no signals")
    return engine


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        arguments: dict[str, Any] = {"timeout": _BUSY_SECONDS} if parsed.get_backend_name() == "sqlite" else {}
        engine = create_engine(parsed, connect_args=arguments)
    except (ArgumentError, ImportError) as error:
        raise StorageError(f"the database URL {_without_password(url)!r} cannot be used: {error}") from error
    if engine.dialect.name not in DIALECTS:
        raise StorageError(f"the database must be SQLite or PostgreSQL, not {engine.dialect.name}")
    return engine


def _without_password(url: str) -> str:
    return re.sub(r"(//[^:/@]*):[^@]*@", r"\1:***@", url)


def reason_of(error: Exception) -> str:
    """Return what the database itself said, without the statement."""
    return str(getattr(error, "orig", None) or error)


def _durable(connection: SqliteConnection, record: object) -> None:
    del record
    # Readers and the writer do not block each other; a commit is on disk when it returns.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
