"""A thousand traders on a hundred instruments: from one tape record in hand to the signals that it gives.

The rules are those of ``engine_rules``, the market that of ``engine_market``: recorded trades, with the bar closes
where they fall. A record is timed by itself, whatever it is; every instrument has traded before and every column is
known. The peers make the same columns, decide the same rules and give the same matches, which is checked in the same
run before anything is timed. They are spared taking records apart and making signals. The limit is a loop that is
compiled for these rules alone.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks.engine_changes import Full, add_ms, kilobytes_per_trader, next_records_ms
from benchmarks.engine_history import RULES, ours_per_second, talib_per_second
from benchmarks.engine_market import DATA, available
from benchmarks.engine_peers import talib_peer
from benchmarks.engine_runs import (
    WARM,
    Nanoseconds,
    Quantiles,
    Start,
    limit,
    new_engine,
    ours,
    ours_in_burst,
    peers,
    theirs,
    theirs_in_burst,
    timed,
)
from benchmarks.engine_talib import ticks
from benchmarks.engine_worst import worst_market, worst_rules
from benchmarks.harness import Case, Measure, main

TRADERS: Final = 1_000
MANY_TRADERS: Final = 10_000
SLOW: Final = ("pandas", "polars", "nautilus_trader")
SLOW_TIMED: Final = 60
SLOW_COLUMNS: Final = 6_000
"""The slow peers are timed with at most so many records, and fewer where there are many columns."""

NAUTILUS_COLUMNS: Final = 60
"""The only case with nautilus_trader: it takes seconds to start a thousand strategies."""

FULL_COLUMNS: Final = 20
"""Of the cases that decide everything at once with the columns ready."""

WORST_WARM: Final = 20


def one_tick(traders: int, columns: int, count: int, targets: tuple[float | None, float | None]) -> list[Case]:
    """Return the cases of one record's p50 and p99."""
    runs = {"ours": Quantiles(partial(ours, traders, columns, count))}
    for name, start in peers().items():
        slow = name in SLOW
        if (slow and traders > TRADERS) or (name == "nautilus_trader" and columns != NAUTILUS_COLUMNS):
            continue
        timed_records = min(count, SLOW_TIMED, SLOW_COLUMNS // columns) if slow else count
        warm = 0 if slow else WARM
        runs[name] = Quantiles(partial(theirs, start, traders, columns, timed_records, warm=warm))
    compiled = limit()
    if compiled is not None:
        runs["limit"] = Quantiles(partial(theirs, compiled, traders, columns, count, warm=WARM))
    return [
        Case(
            f"{traders:,} traders, {columns} columns, one tick p{quantile * 100:.0f} us", "us",
            runs["ours"].us(quantile),
            {name: run.us(quantile) for name, run in runs.items() if name not in ("ours", "limit")},
            limit=runs["limit"].us(quantile) if "limit" in runs else None,
            better="lower", target=target,
        )
        for quantile, target in zip((0.5, 0.99), targets, strict=True)
    ]  # fmt: skip


def in_burst(columns: int, count: int) -> Case:
    """Return the case of a worker that is behind."""
    compiled = limit()
    return Case(
        "burst ticks/s", "ticks/s", partial(ours_in_burst, TRADERS, columns, count),
        {"TA-Lib + NumPy": partial(theirs_in_burst, talib_peer, TRADERS, columns, count)},
        limit=partial(theirs_in_burst, compiled, TRADERS, columns, count) if compiled else None,
        target=100_000,
    )  # fmt: skip


def full(copies: int, target: float) -> Case:
    """Return the case of deciding everything at once."""
    run = Full(TRADERS, FULL_COLUMNS, copies)
    return Case(
        f"full 1,000 x {100 * copies:,} ms", "ms", run.ours_ms, {"NumPy": run.numpy_ms},
        limit=run.jit_ms if limit() else None, better="lower", target=target,
    )  # fmt: skip


def worst(name: str, count: int, *, signals: bool) -> Case:
    """Return a case in which every threshold is crossed at every tick."""
    traded = worst_market(WORST_WARM + count)
    wanted = worst_rules(traded, TRADERS, signals=signals)

    def engine() -> float:
        made = new_engine(traded, wanted)
        made.process(b"".join(traded.records[:WORST_WARM]))
        return _middle_us(lambda: timed(made.process, traded.records[WORST_WARM:]))

    def peer(start: Start) -> Measure:
        def measure() -> float:
            made, tape = start(traded, wanted), ticks(traded)
            timed(made.take, tape[:WORST_WARM])
            return _middle_us(lambda: timed(made.take, tape[WORST_WARM:]))

        return measure

    compiled = limit()
    return Case(
        f"worst case, {name}, one tick p50 us", "us", engine, {"TA-Lib + NumPy": peer(talib_peer)},
        limit=peer(compiled) if compiled else None, better="lower",
    )  # fmt: skip


def _middle_us(run: Callable[[], Nanoseconds]) -> float:
    return Quantiles(run).us(0.5)()


def cases(quick: bool) -> list[Case]:
    """Return the cases, shorter ones if asked to be quick."""
    if not available():
        sys.exit(f"engine: the recorded trades are not at {DATA}; set TICKFLOOR_DATA")
    count = 300 if quick else 6_000
    copies = 2 if quick else 10
    many = 2_000 if quick else MANY_TRADERS
    history = 4 if quick else RULES
    return [
        *one_tick(TRADERS, 20, count, (10, 40)),
        *one_tick(TRADERS, 60, count, (25, 100)),
        in_burst(60, count),
        full(1, 0.5),
        full(copies, 5),
        *one_tick(TRADERS, 300, count, (100, 400)),
        *one_tick(many, 60, count, (None, None)),
        Case("add one to 10,000 ms", "ms", partial(add_ms, many, 60), better="lower", target=5),
        Case("next records of 100 after that ms", "ms", partial(next_records_ms, many, 60), better="lower"),
        Case("KB per trader", "KB", partial(kilobytes_per_trader, TRADERS, many, 60), better="lower", target=10),
        Case(
            "history bar evaluations/s", "bars/s", partial(ours_per_second, history),
            {"TA-Lib + NumPy": partial(talib_per_second, history)}, target=10_000_000,
        ),
        worst("500 signals", 20 if quick else 200, signals=True),
        worst("no signals", 20 if quick else 200, signals=False),
    ]  # fmt: skip


if __name__ == "__main__":
    main("engine", __doc__, cases)
