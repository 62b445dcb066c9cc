"""``tickfloor bench``: both data paths on the same work, side by side."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec
import typer

from tickfloor.cli.bench_run import Figures, Run, run
from tickfloor.cli.bench_workload import Workload, recorded, simulated
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.settings import read_config
from tickfloor.cli.table import UNKNOWN, Column, show_table
from tickfloor.config import Config
from tickfloor.contracts.errors import TickfloorError

_PATHS = {"shared-memory": 0, "message-passing": 100}
"""Each path and the percentage of trader workers that take messages on it."""
_PACES = ("flat out", "paced")


@dataclass(slots=True)
class _Runs:
    """All runs so far, by pace and path."""

    by_case: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    def add(self, pace: str, path: str, done: Run) -> None:
        self.by_case.setdefault((pace, path), []).append(done)

    def typical(self, pace: str, path: str) -> Figures:
        """Return the median of each figure."""
        figures = [done.figures for done in self.by_case[pace, path]]
        medians = {name: _median([getattr(each, name) for each in figures]) for name in Figures.__struct_fields__}
        return msgspec.convert(medians, Figures)

    def differ(self) -> bool:
        """Say whether two runs have found different signals."""
        return len({done.signals for runs in self.by_case.values() for done in runs}) > 1

    def lost(self) -> int:
        """Return what was lost in all runs."""
        return sum(done.lost for runs in self.by_case.values() for done in runs)

    def one(self) -> Run:
        """Return any run, for what is the same in all."""
        return next(iter(self.by_case.values()))[0]


def compare(
    captures: list[Path],
    seconds: float,
    rate: int,
    instruments: int,
    seed: int,
    traders: int,
    workers: int,
    rounds: int,
    as_json: bool,
) -> None:
    """Play the same work on both data paths in turn, and show what each takes."""
    with tempfile.TemporaryDirectory(prefix="tickfloor-bench-") as temporary:
        folder = Path(temporary)
        workload = (
            recorded(captures, traders)
            if captures
            else simulated(folder, instruments=instruments, rate=rate, seconds=seconds, seed=seed, traders=traders)
        )
        say(
            f"{counted(workload.frames, 'frame')}, {counted(traders, 'trader')} in {counted(workers, 'worker')}, "
            f"{counted(rounds, 'round')} of each path, flat out and within {seconds:g} s"
        )
        # Their number stays, and nobody speaks to them from outside.
        config = read_config(None, control_socket="none", trader_workers=workers, trader_workers_max=0)
        try:
            runs = _play(config, folder, workload, seconds, rounds)
        except TickfloorError as error:
            fail(str(error))
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    if runs.differ():
        fail("two runs did not find the same signals: do not use message passing, and report it")
    if runs.lost():
        fail(f"{runs.lost():,} records or signals were lost: the figures say nothing")
    (_show_json if as_json else _show)(runs, workload, rounds)


def _play(config: Config, folder: Path, workload: Workload, seconds: float, rounds: int) -> _Runs:
    runs = _Runs()
    # Never slower than it was recorded.
    speeds = dict(zip(_PACES, (0.0, max(1.0, workload.seconds / seconds)), strict=True))
    total, number = rounds * len(_PACES) * len(_PATHS), 0
    for turn in range(rounds):
        # Whoever is first finds colder caches; they take turns.
        paths = list(_PATHS) if turn % 2 == 0 else list(reversed(_PATHS))
        for pace, speed in speeds.items():
            for path in paths:
                number += 1
                database = folder / f"{number}.db"
                chosen = msgspec.structs.replace(config, database=str(database), message_passing_share=_PATHS[path])
                done = asyncio.run(run(chosen, workload.plan(speed)))
                database.unlink()
                runs.add(pace, path, done)
                figures = done.figures
                say(
                    f"{number}/{total}  {pace}, {path}: {figures.records_per_second:,.0f} records/s, "
                    f"p50 {_micros(figures.latency_p50_us)} µs"
                )
    return runs


def _show(runs: _Runs, workload: Workload, rounds: int) -> None:
    del workload, rounds
    rows: list[list[str]] = []
    for pace in _PACES:
        shared, messages = (runs.typical(pace, path) for path in _PATHS)
        for name, figure, digits in _LINES[pace]:
            values = (figure(shared), figure(messages))
            rows.append([pace, name, *(_number(value, digits) for value in values), _ratio(*values)])
    columns = [Column("pace"), Column("figure"), *(Column(path, right=True) for path in _PATHS)]
    show_table([*columns, Column("ratio", right=True)], rows)
    data("")
    data(_sentence(runs))


def _show_json(runs: _Runs, workload: Workload, rounds: int) -> None:
    found = {
        "workload": {
            "frames": workload.frames,
            "seconds": workload.seconds,
            "traders": len(workload.traders),
            "records": runs.one().records,
            "signals": len(runs.one().signals),
            "rounds": rounds,
        },
        "paths": {path: {pace: runs.typical(pace, path) for pace in _PACES} for path in _PATHS},
        "runs": [
            {"pace": pace, "path": path, "figures": done.figures}
            for (pace, path), all_of_it in runs.by_case.items()
            for done in all_of_it
        ],
        "conclusion": _sentence(runs),
    }
    data(msgspec.json.encode(found).decode())


def _sentence(runs: _Runs) -> str:
    """Return what the comparison comes to."""
    flat, flat_messages = (runs.typical("flat out", path) for path in _PATHS)
    paced, paced_messages = (runs.typical("paced", path) for path in _PATHS)
    times = flat.records_per_second / flat_messages.records_per_second
    latency = (
        ""
        if paced.latency_p50_us is None
        else f" and half of the signals are there after {_micros(paced.latency_p50_us)} µs instead of "
        f"{_micros(paced_messages.latency_p50_us)}"
    )
    return (
        f"With the same {len(runs.one().signals):,} signals, shared memory moves {times:.2f} times as many records a "
        f"second as messages do{latency}; {flat_messages.serialising_ms:,.0f} ms of serialising become "
        f"{flat.serialising_ms:,.0f}."
    )


_Line = tuple[str, Callable[[Figures], float | None], int]
_COSTS: Sequence[_Line] = (
    ("feed CPU s", lambda each: each.feed_cpu_seconds, 2),
    ("trader CPU s", lambda each: each.trader_cpu_seconds, 2),
    ("context switches", lambda each: each.context_switches, 0),
    ("messages", lambda each: each.messages, 0),
    ("messages MiB", lambda each: each.message_mib, 1),
    ("serialising ms", lambda each: each.serialising_ms, 1),
    ("packing ms", lambda each: each.packing_ms, 1),
    ("own memory MiB", lambda each: each.memory_mib, 1),
)
_LINES: dict[str, Sequence[_Line]] = {
    "flat out": (("records/s", lambda each: each.records_per_second, 0), *_COSTS),
    "paced": (
        ("tick to signal p50 µs", lambda each: each.latency_p50_us, 0),
        ("tick to signal p99 µs", lambda each: each.latency_p99_us, 0),
        *_COSTS,
    ),
}
"""What is shown of each pace: flat out, latency is the length of a queue."""


def _median(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return median(present) if present else None


def _micros(value: float | None) -> str:
    return _number(value, 0)


def _number(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def _ratio(shared: float | None, messages: float | None) -> str:
    """Return how many times the first figure the second is."""
    return f"{messages / shared:.2f}" if shared and messages is not None else UNKNOWN
