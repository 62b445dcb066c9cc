"""Every setting, in one place: a TOML file, then ``TICKFLOOR_…`` variables, over these defaults."""

import os
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args, get_type_hints

import msgspec

from tickfloor.contracts.errors import ConfigError
from tickfloor.contracts.settings import CCXT, VENUES, VenueSettings, is_venue

_PREFIX = "TICKFLOOR_"
_OTHERS = {"TICKFLOOR_CONFIG", "TICKFLOOR_DATA", "TICKFLOOR_FENCES"}
"""Variables that are not settings: the settings file, the tests' data, the kind of memory fences."""
_STREAMS: tuple[str, ...] = get_args(get_args(get_type_hints(VenueSettings)["streams"])[0])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The floor's settings.

    Attributes:
        database: SQLAlchemy URL, or the path of an SQLite file.
        tape_records: records the tape holds, a power of two; 64 bytes each.
        board_instruments: rows of the board.
        board_depth: closed bars kept per instrument and interval.
        trader_workers: worker processes that traders are spread over, 1 to 16.
        log_level, log_form, log_file: what is logged, how and where (empty: stderr).
        trader_workers_min, trader_workers_max: between which that number follows load and traders while the floor
            runs; without a maximum (0) it stays what it is.
        traders_per_worker: more are not placed in one worker while another may be started.
        control_socket: where a running floor listens for commands of its own user; empty for a path of its own in
            the user's run folder, ``none`` for nowhere.
        ping_seconds, stale_seconds: each worker is asked for a sign of life so often, and replaced when it has
            not answered, or has not got on with waiting work, for so long; 0 asks nobody.
        memory_seconds: between looks at the workers' memory.
        worker_memory_mib: own memory at which a worker is replaced; 0 for no limit.
        leak_mib_per_hour: steady growth at which a worker is replaced; 0 to let it grow.
        worker_age_hours: age at which a worker is replaced; 0 for no limit.
        recovery_intensity, recovery_period: everything is started anew at most so many times within so many
            seconds when a worker keeps dying; then the floor ends.
        restart_intensity, restart_period: a worker that dies more often than so many times within so many
            seconds is given up, and the floor with it.
        shutdown_seconds: what an orderly shutdown may take in all.
        message_passing_share: percentage of trader workers that get their records as messages; the others read
            shared memory in place. 0 and 100 choose one data path for all, what lies between is a rollout.
        venues: what ``tickfloor run`` and ``tickfloor record`` subscribe to, one ``[[venues]]`` each.
        begins: what time it is taken to be when these begin, in RFC 3339 with its zone, where an exchange plays back
            the past; empty: now.
    """

    database: str = "tickfloor.db"
    tape_records: int = 65_536
    board_instruments: int = 256
    board_depth: int = 500
    trader_workers: int = 2
    trader_workers_min: int = 1
    trader_workers_max: int = 0
    traders_per_worker: int = 250
    control_socket: str = ""
    ping_seconds: float = 5.0
    stale_seconds: float = 10.0
    memory_seconds: float = 10.0
    worker_memory_mib: int = 512
    leak_mib_per_hour: float = 16.0
    worker_age_hours: float = 0.0
    recovery_intensity: int = 3
    recovery_period: float = 300.0
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_form: Literal["text", "json"] = "text"
    log_file: str = ""
    restart_intensity: int = 5
    restart_period: float = 60.0
    shutdown_seconds: float = 25.0
    message_passing_share: int = 0
    venues: tuple[VenueSettings, ...] = ()
    begins: str = ""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("tape_records", 256, 1 << 32),
            ("board_instruments", 1, 1 << 20),
            ("board_depth", 2, 1 << 20),
            ("trader_workers", 1, 16),
            ("trader_workers_min", 1, 16),
            ("trader_workers_max", 0, 16),
            ("traders_per_worker", 1, 1 << 20),
            ("worker_memory_mib", 0, 1 << 20),
            ("recovery_intensity", 0, 1 << 20),
            ("restart_intensity", 0, 1 << 20),
            ("message_passing_share", 0, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be between {low} and {high:,}, not {value:,}")
        for name in (
            "restart_period", "recovery_period", "shutdown_seconds", "stale_seconds", "memory_seconds"
        ):  # fmt: skip
            seconds = getattr(self, name)
            if not 0 < seconds <= 86_400:
                raise ValueError(f"{name} must be above 0 and at most 86,400 seconds, not {seconds}")
        for name in ("leak_mib_per_hour", "worker_age_hours", "ping_seconds"):
            value = getattr(self, name)
            if not 0 <= value <= 1_000_000:
                raise ValueError(f"{name} must be between 0 and 1,000,000, not {value}")
        for venue in self.venues:
            if not is_venue(venue.venue):
                raise ValueError(
                    f"there is no venue {venue.venue!r}; there are {', '.join(VENUES)}, and {CCXT}NAME for others"
                )
            for setting, url, schemes in (
                ("stream_url", venue.stream_url, ("ws://", "wss://")),
                ("rest_url", venue.rest_url, ("http://", "https://")),
                ("proxy", venue.proxy, ("http://", "https://")),
            ):
                if url and not url.startswith(schemes):
                    # Not the whole: there may be a password in it.
                    raise ValueError(
                        f"{venue.venue}: {setting} must begin with {' or '.join(schemes)}, not {url.partition('://')[0]!r}"
                    )
            if bool(venue.stream_url) is not bool(venue.rest_url):
                given, lacking = ("stream_url", "rest_url") if venue.stream_url else ("rest_url", "stream_url")
                raise ValueError(
                    f"{venue.venue}: {given} stands without {lacking}, which would be the real exchange's; "
                    "set both, or neither"
                )
            if not venue.symbols:
                raise ValueError(f"{venue.venue} has no symbols; leave the setting out for all of them")
            if not venue.streams:
                raise ValueError(f"{venue.venue} has no streams; leave the setting out for trades, quotes and tickers")
            if venue.top < 0:
                raise ValueError(f"{venue.venue}: top must not be below 0, not {venue.top}")
            if not 0.01 <= venue.patience <= 100:
                raise ValueError(f"{venue.venue}: patience must be from 0.01 to 100, not {venue.patience:g}")
        twice = [name for name, times in Counter(venue.venue for venue in self.venues).items() if times > 1]
        if twice:
            raise ValueError(f"{twice[0]} stands twice; put its symbols into one [[venues]]")
        if self.tape_records & (self.tape_records - 1):
            raise ValueError(f"tape_records must be a power of two, not {self.tape_records:,}")
        if self.begins and not 0 < _ns_of(self.begins) < 1 << 62:
            raise ValueError(
                f"begins must be a time from 1970 on, with its zone, such as 2021-04-04T12:00:00Z, not {self.begins!r}"
            )

    @property
    def begins_ns(self) -> int:
        """When it begins, ns UTC; 0: now."""
        return _ns_of(self.begins) if self.begins else 0

    @property
    def database_url(self) -> str:
        """The database as an SQLAlchemy URL."""
        return self.database if "://" in self.database else f"sqlite:///{Path(self.database).absolute()}"


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Return the settings of a file (none: only the environment's).

    Raises:
        ConfigError: naming file or variable, setting and what it must be.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    if path is not None:
        try:
            values.update(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is no text file: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}") from error
    names = set(Config.__struct_fields__)
    unknown = next((name for name in values if name not in names), None)
    if unknown is not None:
        raise ConfigError(f"{path}: unknown setting {unknown!r}; there are {', '.join(sorted(names))}")
    _check_venue_tables(path, values.get("venues"))
    strangers = sorted(name for name in environment if name.startswith(_PREFIX) and name not in _OTHERS)
    for stranger in strangers:
        if stranger.removeprefix(_PREFIX).lower() not in names:
            raise ConfigError(f"{stranger}: there is no such setting; there are {', '.join(sorted(names))}")
    for name in names:
        text = environment.get(_PREFIX + name.upper())
        if text is not None and name == "venues":
            raise ConfigError(f"{_PREFIX}VENUES: venues stand in the settings file, one [[venues]] each")
        if text is not None:
            values[name] = text
    begins = values.get("begins")
    if isinstance(begins, datetime):
        # TOML has times of its own; both ways of writing one are right.
        values["begins"] = begins.isoformat()
    for name, value in values.items():
        try:
            # One at a time, so that the error names the setting.
            msgspec.convert({name: value}, Config, strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            where = _PREFIX + name.upper() if environment.get(_PREFIX + name.upper()) is not None else f"{path}: {name}"
            raise ConfigError(f"{where}: {error}") from error
    config = msgspec.convert(values, Config, strict=False)
    if 0 < config.trader_workers_max < config.trader_workers_min:
        raise ConfigError(
            f"trader_workers_max ({config.trader_workers_max}) must not be below trader_workers_min "
            f"({config.trader_workers_min}); 0 lets the number of workers be"
        )
    if config.stale_seconds < config.ping_seconds:
        raise ConfigError(
            f"stale_seconds ({config.stale_seconds:g}) must not be below ping_seconds ({config.ping_seconds:g}): "
            "no worker could answer in time"
        )
    return config


def _check_venue_tables(path: Path | None, tables: object) -> None:
    """Check the names in every ``[[venues]]``, which the conversion refuses without saying which ones there are.

    Raises:
        ConfigError: a setting or a stream does not exist, or stands in the wrong place.
    """
    settings = VenueSettings.__struct_fields__
    for table in tables if isinstance(tables, list) else ():
        if not isinstance(table, dict):
            continue
        where = f"{path}: venues: {table.get('venue', 'a venue')}"
        for name in table:
            if name in Config.__struct_fields__:
                raise ConfigError(f"{where}: {name} is no setting of a venue; put it above the first [[venues]]")
            if name not in settings:
                raise ConfigError(f"{where}: unknown setting {name!r}; there are {', '.join(settings)}")
        streams = table.get("streams")
        for stream in streams if isinstance(streams, list) else ():
            if stream not in _STREAMS:
                raise ConfigError(f"{where}: there is no stream {stream!r}; there are {', '.join(_STREAMS)}")


def _ns_of(text: str) -> int:
    """Return a time in ns UTC; -1: it is none, or names no zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return -1
    return -1 if time.tzinfo is None else (time - _EPOCH) // timedelta(microseconds=1) * 1000
