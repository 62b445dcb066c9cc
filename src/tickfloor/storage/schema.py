"""Tables, for SQLite and PostgreSQL alike."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

signals = Table(
    "signals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("run", String(64), nullable=False),
    Column("trader", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("tape", Text, nullable=False),
    Column("tape_sequence", BigInteger, nullable=False),
    Column("ts_event", BigInteger, nullable=False),
    Column("values", Text, nullable=False),
    Column("stored_at", Float, nullable=False),
    Index("signals_by_run", "run", "tape_sequence", "trader", "instrument"),
    Index("signals_by_time", "ts_event"),
)
"""One row per signal. ``run`` is the last run that raised it: a replay that is run again finds its signals here."""

epochs = Table("epochs", metadata, Column("epoch", BigInteger, primary_key=True, autoincrement=False))
"""One row for each start of a floor on this database."""
