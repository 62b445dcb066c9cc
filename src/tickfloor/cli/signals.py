"""``tickfloor signals``."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import data, fail, say
from tickfloor.cli.settings import read_config
from tickfloor.contracts.errors import StorageError
from tickfloor.contracts.signals import Signal


def list_signals(
    limit: int, trader: str | None, instrument: str | None, as_json: bool, database: str | None, config: Path | None
) -> None:
    """Print the newest signals of a database."""
    from tickfloor.storage.database import DatabaseMissingError, open_existing
    from tickfloor.storage.signal_store import SignalStore

    settings = read_config(config, database=database)
    try:
        engine = open_existing(settings.database_url)
        found = SignalStore(engine, run="").newest(limit, trader=trader, instrument=instrument)
        engine.dispose()
    except DatabaseMissingError as error:
        fail(str(error), ExitCode.NOT_FOUND)
    except StorageError as error:
        fail(str(error))
    if as_json:
        data(msgspec.json.encode(found).decode())
        return
    for signal in found:
        data(_line(signal))
    if not found:
        say("no signals")


def _line(signal: Signal) -> str:
    moment = datetime.fromtimestamp(signal.ts_event / 1e9, UTC)
    values = "  ".join(
        f"{name}={'unknown' if value is None else f'{value:.8g}'}" for name, value in signal.values.items()
    )
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}  {signal.trader}  {signal.instrument}  {values}"
