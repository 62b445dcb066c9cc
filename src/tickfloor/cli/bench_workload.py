"""What ``tickfloor bench`` gives a floor to do: the same frames and the same traders, every time."""

import itertools
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import fail
from tickfloor.cli.rules import read_rules
from tickfloor.contracts.errors import CaptureError
from tickfloor.contracts.settings import CaptureSource
from tickfloor.contracts.traders import TraderSpec
from tickfloor.feeds.recording.capture import Capture
from tickfloor.floor import FloorPlan
from tickfloor.simulator.offline import seeded_frames
from tickfloor.simulator.settings import SimulatorSettings

_BEGIN_NS = 1_700_000_000_000_000_000
_FIRST_LINE = b'# {"exchange": "binance", "market": "spot", "name": "simulated"}\n'


@dataclass(frozen=True, slots=True)
class Workload:
    """Frames and traders.

    Attributes:
        frames: how many; seconds: from the first to the last, as recorded.
    """

    captures: tuple[Path, ...]
    traders: tuple[TraderSpec, ...]
    frames: int
    seconds: float

    def plan(self, speed: float) -> FloorPlan:
        """Return how a floor plays it, at so many times its own pace; 0 for flat out."""
        return FloorPlan(
            source=CaptureSource(paths=tuple(map(str, self.captures)), speed=speed),
            identity="bench",
            tape="bench",
            traders=self.traders,
            replay=True,
            console=None,
        )


def recorded(captures: list[Path], traders: int) -> Workload:
    """Return the workload of recorded frames, or end the command with what is wrong with them."""
    frames = 0
    first, last = math.inf, -math.inf
    for path in captures:
        if not path.is_file():
            fail(f"there is no capture {path}", ExitCode.NOT_FOUND)
        try:
            capture = Capture(path)
            for recv_ns, kind, *_ in capture:
                frames += kind == "F"
                first, last = min(first, recv_ns), max(last, recv_ns)
        except CaptureError as error:
            fail(str(error))
        if capture.problem_count:
            problem = capture.problems[0]
            fail(f"{path}:{problem.line}: {problem.reason}; only what can be read whole is compared")
    if not frames:
        fail("the captures hold no frames")
    return Workload(tuple(captures), sample_traders(traders), frames, (last - first) / 1e9)


def simulated(folder: Path, *, instruments: int, rate: int, seconds: float, seed: int, traders: int) -> Workload:
    """Record a piece of the seeded market in a folder and return it as a workload."""
    settings = SimulatorSettings(
        venues=("binance",), seed=seed, start_ns=_BEGIN_NS, instruments=instruments, rate=rate, kept_trades=1
    )
    path = folder / "simulated.frames"
    end_ns = _BEGIN_NS + int(seconds * 1e9)
    frames = 0
    with path.open("wb") as file:
        file.write(_FIRST_LINE)
        received = seeded_frames(settings, ("trade", "bookTicker", "ticker"))
        for recv_ns, kind, payload in itertools.takewhile(lambda each: each[0] < end_ns, received):
            ref = b"/api/v3/exchangeInfo" if kind == "H" else b"simulated"
            file.write(b"%d\t%b\t%b\t%b\n" % (recv_ns, kind.encode(), ref, payload))
            frames += kind == "F"
    return Workload((path,), sample_traders(traders), frames, seconds)


def sample_traders(count: int) -> tuple[TraderSpec, ...]:
    """Return so many traders: the sample rules, over and over."""
    with resources.as_file(resources.files("tickfloor.cli") / "sample_rules.toml") as sample:
        samples = read_rules(sample).specs
    turns = itertools.count(1)
    again = ((turn, spec) for turn in turns for spec in samples)
    return tuple(
        spec if turn == 1 else msgspec.structs.replace(spec, name=f"{spec.name}, {turn}")
        for turn, spec in itertools.islice(again, count)
    )
