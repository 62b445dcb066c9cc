"""Deciding everything at once, putting one trader to ten thousand, and what a trader takes of memory."""

import ctypes
import gc
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_market import Market, market
from benchmarks.engine_peers import NumpyRules
from benchmarks.engine_rules import MINUTES, rules
from benchmarks.engine_runs import WARM, begun, new_engine
from benchmarks.engine_talib import Handles
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import RECORD, Kind
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.state.resync import InstrumentView

Columns = NDArray[np.float64]


# --- everything at once


@cache
def many(copies: int) -> Market:
    """Return the market so many times over, each instrument with its records until its first trade."""
    once = market(MINUTES)
    size = len(once.instruments)
    firsts: list[bytes] = []
    has_traded: set[int] = set()
    for record in once.records:
        row, kind = RECORD.unpack(record)[3:5]
        if row not in has_traded:
            firsts.append(record)
            if kind == Kind.TRADE:
                has_traded.add(row)
    instruments: list[Instrument] = []
    views: dict[int, InstrumentView] = {}
    records: list[bytes] = []
    for copy in range(copies):
        for each in once.instruments:
            row = copy * size + each.id
            instruments.append(Instrument(row, each.venue, f"{each.symbol}{copy}"))
            views[row] = once.views[each.id]
        for record in firsts:
            _, ts_event, ts_init, row, *rest = RECORD.unpack(record)
            records.append(RECORD.pack(len(records), ts_event, ts_init, copy * size + row, *rest))
    return replace(once, instruments=instruments, views=views, records=records)


class Full:
    """Every rule on every instrument, the columns being known."""

    def __init__(self, traders: int, columns: int, copies: int) -> None:
        self._traders, self._columns, self._copies = traders, columns, copies
        self._engine: Engine | None = None
        self._values: Columns | None = None

    def ours_ms(self) -> float:
        """Return our engine's milliseconds."""
        if self._engine is None:
            traded = many(self._copies)
            self._engine = new_engine(traded, rules(self._traders, self._columns))
            self._engine.process(b"".join(traded.records))
        return _ms(self._engine.run)

    def numpy_ms(self) -> float:
        """Return the milliseconds of one NumPy expression over a matrix."""
        wanted = NumpyRules(rules(self._traders, self._columns))
        values = self._known()
        return _ms(lambda: wanted(values.T))

    def jit_ms(self) -> float:
        """Return the milliseconds of the compiled loop."""
        from benchmarks.engine_jit import JitRules

        wanted, values = JitRules(rules(self._traders, self._columns)), self._known()
        matched = np.zeros((len(values), self._traders), np.bool_)
        wanted.match_all(values[:1], matched)
        return _ms(lambda: wanted.match_all(values, matched))

    def _known(self) -> Columns:
        """Return the columns, a row for each instrument."""
        if self._values is None:
            traded, wanted = many(self._copies), rules(self._traders, self._columns)
            handles = {row: Handles(view, wanted.columns) for row, view in traded.views.items()}
            for record in traded.records:
                _, ts_event, _, row, kind, _, _, price, qty, _, _ = RECORD.unpack(record)
                if kind == Kind.TRADE:
                    handles[row].bars.trade(ts_event // 1_000_000, price, qty, bought=False)
            self._values = np.array([each.values() for each in handles.values()])
        return self._values


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


# --- one more


def add_ms(traders: int, columns: int) -> float:
    """Return the milliseconds that it takes to add a trader to so many, a hundred instruments being open."""
    made, one = begun(traders, columns), _one_more(traders, columns)
    took = _ms(lambda: made.add(one))
    made.remove(one.name)
    return took


def next_records_ms(traders: int, columns: int) -> float:
    """Return how many milliseconds longer the next trade of every instrument takes in all, after one was added."""
    made, one = begun(traders, columns), _one_more(traders, columns)
    without = _ms(lambda: _process(made, _next_trades(made.position)))
    made.add(one)
    after = _ms(lambda: _process(made, _next_trades(made.position)))
    made.remove(one.name)
    return after - without


def _one_more(traders: int, columns: int) -> TraderSpec:
    """Return a trader over the same columns with thresholds of its own."""
    return rules(traders + 1, columns).specs()[-1]


def _process(made: Engine, records: Sequence[bytes]) -> None:
    for record in records:
        made.process(record)


@cache
def _next_trades(position: int) -> tuple[bytes, ...]:
    """Return a trade of each instrument as the next records from a position on."""
    last = {}
    for _, ts_event, ts_init, row, kind, *rest in map(RECORD.unpack, market(MINUTES).records[:WARM]):
        if kind == Kind.TRADE:
            last[row] = (ts_event, ts_init, row, kind, *rest)
    return tuple(RECORD.pack(position + number, *fields) for number, fields in enumerate(last.values()))


# --- memory


@cache
def kilobytes_per_trader(few: int, traders: int, columns: int) -> float:
    """Return what each trader beyond a few takes of memory, in a process that is forked for it.

    The traders are those of a worker: decoded from bytes, with a hundred instruments open. Measured once: it does not
    vary from round to round.
    """
    before, after = (_in_a_fork(partial(_held, count, columns)) for count in (few, traders))
    return (after - before) / (traders - few)


def _held(traders: int, columns: int) -> float:
    """Return the kilobytes that an engine adds to this process."""
    packed = msgspec.msgpack.encode(rules(traders, columns).specs())
    traded = market(MINUTES)
    gc.collect()
    before = _proportional_kb()
    made = Engine(source="benchmark", tape="benchmark", describe=traded.describe)
    made.sync(msgspec.msgpack.decode(packed, type=list[TraderSpec]))
    made.resync(0, traded.views)
    made.process(b"".join(traded.records[:WARM]))
    return _proportional_kb() - before


def _proportional_kb() -> float:
    """Return the process's share of memory, without what was freed."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    found = re.search(r"^Pss:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def _in_a_fork(work: Callable[[], float]) -> float:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    said = os.read(reading, 64)
    os.close(reading)
    return float(said)
