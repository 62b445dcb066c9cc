"""Ours and the peers over the same tape: each record timed by itself, or thousands in a burst."""

import importlib.util
import sys
import time
from collections.abc import Callable, Hashable, Sequence
from functools import cache, lru_cache
from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_market import Market, market
from benchmarks.engine_peers import pandas_peer, polars_peer, talib_peer
from benchmarks.engine_rules import MINUTES, Rules, rules
from benchmarks.engine_talib import Tick, ticks
from benchmarks.harness import Measure
from tickfloor.contracts.records import RECORD_BYTES, Kind
from tickfloor.traders.engine.engine import Engine

T = TypeVar("T")
Nanoseconds = NDArray[np.int64]

WARM: Final = 2_000
"""Records before the timed ones; every instrument has traded in them."""

CHECKED: Final = 1_500
"""Records that a peer's matches are compared with our signals on, at most."""

AT_ONCE: Final = 4_096
"""Records in hand of a worker that is behind."""


class Taker(Protocol):
    """A peer at work."""

    def take(self, tick: Tick) -> Sequence[int]:
        """Take a record; return the rules that match now and did not before. The first trade gives none."""


class Start(Hashable, Protocol):
    """How a peer is started."""

    def __call__(self, market: Market, rules: Rules, /) -> Taker:
        """Return it before the first record."""


def timed(take: Callable[[T], object], records: Sequence[T]) -> Nanoseconds:
    """Return how long each record took."""
    took = np.empty(len(records), np.int64)
    clock = time.perf_counter_ns
    for number, record in enumerate(records):
        began = clock()
        take(record)
        took[number] = clock() - began
    return took


# --- ours


def new_engine(traded: Market, wanted: Rules) -> Engine:
    """Return an engine that knows what closed before the market's first record."""
    made = Engine(source="benchmark", tape="benchmark", describe=traded.describe)
    made.sync(wanted.specs())
    made.resync(0, traded.views)
    return made


@lru_cache(maxsize=1)
def _kept(traders: int, columns: int) -> Engine:
    return new_engine(market(MINUTES), rules(traders, columns))


def begun(traders: int, columns: int) -> Engine:
    """Return an engine after the first records of the market; the last one is used again, to save the time."""
    made = _kept(traders, columns)
    made.resync(0, market(MINUTES).views)
    made.process(b"".join(market(MINUTES).records[:WARM]))
    return made


def ours(traders: int, columns: int, count: int) -> Nanoseconds:
    """Return how long our engine took for each record."""
    return timed(begun(traders, columns).process, market(MINUTES).records[WARM : WARM + count])


def ours_in_burst(traders: int, columns: int, count: int) -> float:
    """Return the records a second of an engine that is given thousands at once."""
    made = begun(traders, columns)
    rest = b"".join(market(MINUTES).records[WARM : WARM + count])
    batches = [rest[at : at + AT_ONCE * RECORD_BYTES] for at in range(0, len(rest), AT_ONCE * RECORD_BYTES)]
    began = time.perf_counter()
    for batch in batches:
        made.process(batch)
    return len(rest) / RECORD_BYTES / (time.perf_counter() - began)


# --- the others


def installed(name: str) -> bool:
    """Return whether a library is there; say so if not."""
    if importlib.util.find_spec(name) is None:
        print(f"engine: {name} is not installed and left out", file=sys.stderr)
        return False
    return True


@cache
def peers() -> dict[str, Start]:
    """Return how each peer is started that is installed."""
    found: dict[str, Start] = {"TA-Lib + NumPy": talib_peer}
    if installed("pandas"):
        found["pandas"] = pandas_peer
    if installed("polars"):
        found["polars"] = polars_peer
    if installed("nautilus_trader"):
        from benchmarks.engine_nautilus import NautilusPeer

        found["nautilus_trader"] = NautilusPeer
    return found


@cache
def limit() -> Start | None:
    """Return how the compiled loop is started, or None without its compiler."""
    if not installed("numba"):
        return None
    from benchmarks.engine_jit import JitPeer

    return JitPeer


def theirs(start: Start, traders: int, columns: int, count: int, *, warm: int) -> Nanoseconds:
    """Return how long a peer took for each record."""
    check(start, traders, columns, min(count, CHECKED))
    peer, tape = start(market(MINUTES), rules(traders, columns)), ticks(market(MINUTES))
    timed(peer.take, tape[:warm])
    return timed(peer.take, tape[warm : warm + count])


def theirs_in_burst(start: Start, traders: int, columns: int, count: int) -> float:
    """Return the records a second of a peer that is given one after the other."""
    peer, tape = start(market(MINUTES), rules(traders, columns)), ticks(market(MINUTES))
    timed(peer.take, tape[:WARM])
    began = time.perf_counter()
    for tick in tape[WARM : WARM + count]:
        peer.take(tick)
    return count / (time.perf_counter() - began)


@cache
def check(start: Start, traders: int, columns: int, count: int) -> None:
    """Compare a peer's new matches with our signals, once.

    Raises:
        RuntimeError: they are not the same.
    """
    traded = market(MINUTES)
    peer = start(traded, rules(traders, columns))
    has_traded: set[int] = set()
    for signals, tick in zip(_signals(traders, columns)[:count], ticks(traded), strict=False):
        matches = sorted(peer.take(tick))
        if tick.row in has_traded and signals != matches:
            raise RuntimeError(f"{tick}: ours gives signals of {signals}, the peer finds {matches}")
        if tick.kind == Kind.TRADE:
            has_traded.add(tick.row)


@cache
def _signals(traders: int, columns: int) -> list[list[int]]:
    """Return the rules that our engine gives signals of, for each of the records that are compared."""
    made = _kept(traders, columns)
    made.resync(0, market(MINUTES).views)
    return [
        sorted(int(each.trader[1:]) for each in made.process(record)) for record in market(MINUTES).records[:CHECKED]
    ]


class Quantiles:
    """Runs of one competitor, each of which several cases take their quantile from."""

    def __init__(self, run: Callable[[], Nanoseconds]) -> None:
        self._run = run
        self._runs: list[Nanoseconds] = []

    def us(self, quantile: float) -> Measure:
        """Return a measure of a quantile, microseconds: the first time of the first run, and so on."""
        taken = 0

        def measure() -> float:
            nonlocal taken
            taken += 1
            while len(self._runs) < taken:
                self._runs.append(self._run())
            return float(np.quantile(self._runs[taken - 1], quantile)) / 1_000

        return measure
