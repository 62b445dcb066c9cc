"""Live trade frames: bytes on a socket in, board and tape written and published.

An exchange in another process sends the same rendered USD-M frames of 100 instruments to everybody, over a loopback
socket without TLS. Ours is a venue's whole feed. The baselines pack what they deliver into a ring and a row: no bars,
checks, ids or repairs. The limit decodes in the callback that receives, and forgets. A core is a second of CPU time of
the client's process.

"Disconnect to repaired" is against ``tickfloor simulate``. Ours is repaired when every instrument is traded and live
again and no trade is missing. The baselines do not know what they missed: it is the time until trades come again.
"""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from benchmarks.feeds_clients import Figures, Venue
from benchmarks.feeds_exchange import INSTRUMENTS
from benchmarks.harness import Case, main

ROOT = Path(__file__).parents[1]
OURS, LIMIT = "ours", "picows + msgspec"
BASELINES = {
    "cryptofeed": ("cryptofeed",),
    "ccxt.pro": ("ccxt",),
    "websockets + orjson": ("websockets", "orjson"),
}
"""By name, with the packages that each needs."""
FRAMES = {OURS: 300_000, LIMIT: 300_000, "cryptofeed": 60_000, "ccxt.pro": 20_000, "websockets + orjson": 100_000}
RATE = 10_000
RATE_SECONDS = 4
FEW, FEW_RATE = 20, 2_000
"""Instruments and orders a second where connections are cut: every hole costs a request, and those are rationed."""
DROPS = 3
CLIENT_SECONDS = 120


@contextmanager
def running(*command: str) -> Iterator[dict[str, str]]:
    """Run an exchange in a process of its own; yields the addresses that it says."""
    with subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def measured(client: str, venue: Venue, *arguments: str) -> Figures:
    """Run a client in a process of its own."""
    command = [
        sys.executable, "-m", "benchmarks.feeds_clients", client, "--stream", venue.stream, "--rest", venue.rest,
        "--instruments", str(venue.instruments), *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=CLIENT_SECONDS)
    return Figures(**json.loads(done.stdout))


def flooded(client: str, frames: int) -> Figures:
    """Send as fast as the client reads."""
    with running("benchmarks.feeds_exchange", "--frames", str(frames)) as urls:
        return measured(client, Venue(urls["stream"], urls["rest"], INSTRUMENTS), "--frames", str(frames))


def paced(client: str, seconds: float, *arguments: str) -> Figures:
    """Send at a rate."""
    with running("benchmarks.feeds_exchange", "--rate", str(RATE)) as urls:
        frames = str(int(RATE * seconds))
        return measured(client, Venue(urls["stream"], urls["rest"], INSTRUMENTS), "--frames", frames, *arguments)


def dropped(client: str, drops: int) -> Figures:
    """Cut the connection to the local exchange."""
    options = ("--venue", "binance-usdm", "--instruments", str(FEW), "--rate", str(FEW_RATE), "--json")
    with running("tickfloor", "simulate", *options) as urls:
        return measured(client, Venue(urls["stream_url"], urls["rest_url"], FEW), "--drops", str(drops))


class Runs:
    """Runs of each client under one load; several cases take their figures from the same runs, in the same order."""

    def __init__(self, run: Callable[[str], Figures]) -> None:
        self._run = run
        self._runs: dict[str, list[Figures]] = {}
        self._taken: Counter[tuple[str, str]] = Counter()

    def figure(self, client: str, what: str, of: Callable[[Figures], float]) -> float:
        """Return a figure of the client's next run that this figure has not been taken from."""
        runs = self._runs.setdefault(client, [])
        number = self._taken[client, what]
        self._taken[client, what] += 1
        if number == len(runs):
            runs.append(self._run(client))
        return of(runs[number])


def installed_baselines() -> list[str]:
    """Return the baselines that can be run, and say which cannot."""
    found = []
    for name, packages in BASELINES.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            print(f"feeds: left out {name}: {', '.join(missing)} is not installed (the bench extra)", file=sys.stderr)
        else:
            found.append(name)
    return found


def cases(quick: bool) -> Sequence[Case]:
    """Return the cases, with fewer frames if asked to be quick."""
    share = 10 if quick else 1
    flood = Runs(lambda client: flooded(client, FRAMES[client] // share))
    steady = Runs(lambda client: paced(client, RATE_SECONDS / share))
    timed = Runs(lambda client: paced(client, RATE_SECONDS / share, "--ages"))
    cut = Runs(lambda client: dropped(client, 1 if quick else DROPS))
    baselines = installed_baselines()

    def case(
        name: str, unit: str, runs: Runs, of: Callable[[Figures], float],
        better: Literal["higher", "lower"] = "higher", target: float | None = None,
    ) -> Case:  # fmt: skip
        def measure(client: str) -> Callable[[], float]:
            return lambda: runs.figure(client, name, of)

        limit = None if runs is cut else measure(LIMIT)
        return Case(name, unit, measure(OURS), {each: measure(each) for each in baselines}, limit, better, target)

    return [
        case(
            "trade frames/s per core, socket to board and tape", "frames/s", flood,
            lambda run: run.frames / run.cpu_seconds, target=200_000,
        ),
        case("the same by the clock", "frames/s", flood, lambda run: run.frames / run.wall_seconds),
        case(
            f"CPU at {RATE:,} frames/s", "% of a core", steady,
            lambda run: 100 * run.cpu_seconds / run.wall_seconds, "lower",
        ),
        case(f"frame to board at {RATE:,} frames/s p50 us", "us", timed, lambda run: run.p50_us, "lower"),
        case(f"frame to board at {RATE:,} frames/s p99 us", "us", timed, lambda run: run.p99_us, "lower"),
        case("disconnect to repaired ms", "ms", cut, lambda run: run.repaired_ms, "lower"),
    ]  # fmt: skip


if __name__ == "__main__":
    main("feeds", __doc__, cases)
