"""What a simulated exchange is made of."""

import math

import msgspec

from tickfloor.simulator.errors import SimulatorError

DEFAULT_VENUES = ("binance", "binance-usdm")


class Step(msgspec.Struct, frozen=True):
    """A hostility that begins by itself.

    Attributes:
        do: its name.
        parameters: as the hostility takes them.
        at: seconds of market time since the start, or None.
        frame: when so many frames have been sent, or None.
    """

    do: str
    parameters: dict[str, object]
    at: float | None = None
    frame: int | None = None


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that may be chosen.

    Attributes:
        venues: which exchanges are simulated; of captures: those that they are of.
        seed: the same seed gives the same market; when its frames are sent is another matter.
        instruments: of each venue, most traded first.
        rate: orders and quotes a second of market time, over all instruments of a venue. An order is one to three
            trades at one price, and a new quote.
        speed: market time over real time; 0: as fast as clients read.
        start_ns: market time of the beginning, ns UTC; 0: now.
        captures: recorded sessions to serve instead of a seeded market.
        settle_seconds: captures begin when clients have asked for streams and asked for no more for so long.
        paused: begin at rest, until told to resume.
        stream_port, rest_port: of the loopback interface; 0: a free one.
        ping_seconds: between two pings, instead of the venue's own; 0: the venue's.
        life_seconds: of a connection.
        backlog_bytes: of a connection that reads too slowly, beyond which it is closed.
        kept_trades: how many trades of a venue REST can still answer for.
        enforce_limits: refuse what the venue refuses: too many messages, connections or weight.
        scenario: hostilities that begin by themselves.
    """

    venues: tuple[str, ...] = DEFAULT_VENUES
    seed: int = 1
    instruments: int = 100
    rate: float = 2_000.0
    speed: float = 1.0
    start_ns: int = 0
    captures: tuple[str, ...] = ()
    settle_seconds: float = 1.0
    paused: bool = False
    stream_port: int = 0
    rest_port: int = 0
    ping_seconds: float = 0.0
    life_seconds: float = 86_400.0
    backlog_bytes: int = 16 << 20
    kept_trades: int = 2_000_000
    enforce_limits: bool = True
    scenario: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        for name, valid, rule in (
            ("instruments", 1 <= self.instruments <= 100, "1 to 100"),
            ("rate", 0 < self.rate < math.inf, "a positive number"),
            ("speed", 0 <= self.speed < math.inf, "a number from 0"),
            ("start_ns", 0 <= self.start_ns < 1 << 62, "ns UTC, or 0"),
            ("settle_seconds", 0 <= self.settle_seconds < math.inf, "a number from 0"),
            ("stream_port", 0 <= self.stream_port < 1 << 16, "0 to 65535"),
            ("rest_port", 0 <= self.rest_port < 1 << 16, "0 to 65535"),
            ("ping_seconds", 0 <= self.ping_seconds < math.inf, "a number from 0"),
            ("life_seconds", 0 < self.life_seconds < math.inf, "a positive number"),
            ("backlog_bytes", self.backlog_bytes > 0, "positive"),
            ("kept_trades", self.kept_trades > 0, "positive"),
        ):
            if not valid:
                raise SimulatorError(f"{name} must be {rule}, not {getattr(self, name)}")
        if not self.venues or len(set(self.venues)) < len(self.venues):
            raise SimulatorError(f"venues must be named, each once, not {list(self.venues)}")
