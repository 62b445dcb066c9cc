"""One run of a floor, measured from outside and from within."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tickfloor.config import Config
from tickfloor.contracts.commands import GetStatus, WorkerReport
from tickfloor.floor import Floor, FloorPlan
from tickfloor.supervisor.health.memory import private_memory
from tickfloor.supervisor.process import WorkerProcess

_TICKS = os.sysconf("SC_CLK_TCK")


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run took.

    Attributes:
        seconds: from the first frame to the last stored signal.
        latency_p50_us, latency_p99_us: from a record's publication to its signal; None without signals.
        feed_cpu_seconds, trader_cpu_seconds: of all trader workers together.
        context_switches: of the feed and the traders, asked for or not.
        messages, message_mib: with records, each counted for every reader.
        messages_left_out: that found a full socket.
        records_from_tape: read there by workers that take messages, because none had come.
        serialising_ms: making messages of records and records of messages.
        packing_ms: giving records that came in messages the form that the rules' engine reads.
        memory_mib: own memory of the feed and the traders at the end.
    """

    seconds: float
    records_per_second: float
    latency_p50_us: float | None
    latency_p99_us: float | None
    feed_cpu_seconds: float
    trader_cpu_seconds: float
    context_switches: float
    messages: float
    message_mib: float
    messages_left_out: float
    records_from_tape: float
    serialising_ms: float
    packing_ms: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run's figures, and what it found.

    Attributes:
        records: on the tape; signals: the ids of all.
        lost: records that a trader missed, and signals that are not stored.
    """

    figures: Figures
    records: int
    signals: tuple[str, ...]
    lost: int


async def run(config: Config, plan: FloorPlan) -> Run:
    """Play a plan to its end.

    Raises:
        WorkerError: the floor could not go on.
    """
    floor = Floor(config, plan)
    try:
        await floor.start()
        began = time.monotonic()
        traders = floor.supervisor.processes("trader")
        (feed,) = floor.supervisor.processes("feed")
        everybody = [feed, *traders]
        cpu = {process.pid: _cpu_seconds(process.pid) for process in everybody}
        switches = sum(_switches(process.pid) for process in everybody)
        await floor.unless_failed(asyncio.ensure_future(asyncio.shield(floor.finished)))
        said = await floor.stop_feed()
        await floor.drain(said.head)
        took = time.monotonic() - began
        cpu = {process.pid: _cpu_seconds(process.pid) - cpu[process.pid] for process in everybody}
        switches = sum(_switches(process.pid) for process in everybody) - switches
        memory = sum(private_memory(process.pid) for process in everybody)
        details = [await _details(process) for process in everybody]
        signals = await floor.stored_signals()
        status = floor.status()
        figures = Figures(
            seconds=took,
            records_per_second=said.head / took,
            latency_p50_us=status.latency_p50_us,
            latency_p99_us=status.latency_p99_us,
            feed_cpu_seconds=cpu[feed.pid],
            trader_cpu_seconds=sum(cpu[process.pid] for process in traders),
            context_switches=switches,
            messages=_sum(details, "messages"),
            message_mib=_sum(details, "message_bytes") / (1 << 20),
            messages_left_out=_sum(details, "messages_left_out"),
            records_from_tape=_sum(details, "records_from_tape"),
            serialising_ms=1000 * _sum(details, "serialising_seconds", "decoding_seconds"),
            packing_ms=1000 * _sum(details, "packing_seconds"),
            memory_mib=memory / (1 << 20),
        )
        return Run(figures, said.head, tuple(sorted(signal.id for signal in signals)), floor.lost())
    finally:
        await floor.stop(config.shutdown_seconds)


async def _details(process: WorkerProcess) -> dict[str, float]:
    report = await process.command(GetStatus())
    assert isinstance(report, WorkerReport)
    return report.details


def _sum(details: list[dict[str, float]], *names: str) -> float:
    return sum(each.get(name, 0.0) for each in details for name in names)


def _cpu_seconds(pid: int) -> float:
    # After the name, which may hold anything and ends at the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches:" in line)
