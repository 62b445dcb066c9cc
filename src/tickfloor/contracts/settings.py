"""What each kind of worker is told when it starts."""

from typing import Final, Literal

import msgspec


class CaptureSource(msgspec.Struct, frozen=True, tag="captures"):
    """Recorded frames, merged by receive time.

    Attributes:
        paths: capture files.
        speed: times real time; 0 for as fast as possible.
    """

    paths: tuple[str, ...]
    speed: float


VENUES: Final = ("binance", "binance-usdm", "binance-coinm", "kraken", "coinbase")
"""What a live feed can connect to by itself."""
CCXT: Final = "ccxt-"
"""Stands before the name of an exchange that ccxt is to connect to, as in ``ccxt-okx``."""


def is_venue(name: str) -> bool:
    """Say whether a live feed can connect to it; of an exchange of ccxt only ccxt can say whether there is one."""
    return name in VENUES or (name.startswith(CCXT) and len(name) > len(CCXT))


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which streams of which instruments of a venue.

    Attributes:
        venue: for example ``binance-usdm``, or ``ccxt-okx`` for an exchange of ccxt.
        symbols: the venue's own symbols, of ccxt's exchanges its unified ones such as ``BTC/USDT``, or patterns of
            them with ``*`` and ``?``.
        quotes: only instruments quoted in one of these assets; none given: in any.
        top: of all those only so many, the most traded of the last 24 hours; 0: all.
        streams: what to subscribe to; bars are built from trades anyway.
        stream_url, rest_url: instead of the venue's own addresses, for example the simulator's; empty: its own.
        proxy: URL of a proxy; empty: what HTTPS_PROXY says.
        patience: times how long a stream or a connection may be silent before it is looked at, from 0.01 to 100;
            below 0.1 only for an exchange on the same machine.
    """

    venue: str
    symbols: tuple[str, ...] = ("*",)
    quotes: tuple[str, ...] = ()
    top: int = 0
    streams: tuple[Literal["trades", "quotes", "book", "bars", "tickers"], ...] = ("trades", "quotes", "tickers")
    stream_url: str = ""
    rest_url: str = ""
    proxy: str = ""
    patience: float = 1.0


class LiveSource(msgspec.Struct, frozen=True, tag="live"):
    """Exchanges, as they are now.

    Attributes:
        venues: what to subscribe to.
        record: folder for everything that is received; empty: nothing is recorded.
        ahead_ns: how far the feed's clock is ahead of the machine's, ns, the same for every successor; below 0 where an
            exchange plays back the past.
    """

    venues: tuple[VenueSettings, ...]
    record: str = ""
    ahead_ns: int = 0


class FeedSettings(msgspec.Struct, frozen=True, tag="feed"):
    """Attributes:
    source: where frames come from.
    tape: the tape's name, part of every signal's identity.
    audit: keep the exact figures of a replay's report.
    wait_for_readers: never overwrite what a reader needs (a replay), or never wait (live).
    """

    source: CaptureSource | LiveSource
    tape: str
    audit: bool
    wait_for_readers: bool


class TraderSettings(msgspec.Struct, frozen=True, tag="trader"):
    """Attributes:
    source: the identity of this run's data, part of every signal's identity.
    tape: the tape's name.
    reader: the worker's place in the tape's readers.
    message_passing_share: percentage of trader workers that are sent records as messages; by its slot a worker
        knows whether it is one of them.
    """

    source: str
    tape: str
    reader: int
    message_passing_share: int = 0


class StorageSettings(msgspec.Struct, frozen=True, tag="storage"):
    """Attributes:
    url: SQLAlchemy database URL.
    run: the run that stored signals are marked with.
    """

    url: str
    run: str


class LoggerSettings(msgspec.Struct, frozen=True, tag="logger"):
    """Attributes:
    level: least level that is written.
    form: lines for people or JSON lines.
    path: file to append to; empty for stderr.
    """

    level: Literal["debug", "info", "warning", "error"]
    form: Literal["text", "json"]
    path: str


class ConsoleSettings(msgspec.Struct, frozen=True, tag="console"):
    """Attributes:
    view: the whole floor, or the progress of a replay.
    live: redraw in place on a terminal; otherwise plain lines.
    stream: where it is shown.
    """

    view: Literal["floor", "replay"]
    live: bool
    stream: Literal["stdout", "stderr"]


WorkerSettings = FeedSettings | TraderSettings | StorageSettings | LoggerSettings | ConsoleSettings
