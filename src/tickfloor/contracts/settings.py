"""What each kind of worker is told when it starts."""

from typing import Literal

import msgspec


class CaptureSource(msgspec.Struct, frozen=True, tag="captures"):
    """Recorded frames, merged by receive time.

    Attributes:
        paths: capture files.
        speed: times real time; 0 for as fast as possible.
    """

    paths: tuple[str, ...]
    speed: float


class SimulatedSource(msgspec.Struct, frozen=True, tag="simulated"):
    """A seeded market.

    Attributes:
        seed: the same seed and start give the same frames.
        instruments: how many.
        ticks_per_second: frames a second, all instruments together.
        start_ns: receive time of the first frame, ns UTC.
    """

    seed: int
    instruments: int
    ticks_per_second: int
    start_ns: int


class FeedSettings(msgspec.Struct, frozen=True, tag="feed"):
    """Attributes:
    source: where frames come from.
    tape: the tape's name, part of every signal's identity.
    audit: keep the exact figures of a replay's report.
    wait_for_readers: never overwrite what a reader needs (a replay), or never wait (live).
    """

    source: CaptureSource | SimulatedSource
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
