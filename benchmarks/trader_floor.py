"""A supervisor with real trader workers at a tape that a feed of ours writes: as a floor, without its other workers."""

import asyncio
import ctypes
import os
import random
import select
import signal
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import BoardWriter
from tickfloor.board.tape_layout import HOLD, reader_offset
from tickfloor.board.tape_writer import TapeWriter
from tickfloor.contracts.commands import ReadThrough
from tickfloor.contracts.events import CleanupComplete, LogLine, Ready, SignalsAccepted, SignalsRaised, WorkerFailed
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.messages import FromWorker
from tickfloor.contracts.records import Kind, Side
from tickfloor.contracts.settings import TraderSettings
from tickfloor.contracts.telemetry import BreakerReport
from tickfloor.contracts.traders import TraderSpec
from tickfloor.kinds import TRADER_KIND
from tickfloor.supervisor.floor_memory import FloorMemory
from tickfloor.supervisor.health.blame import BlameLedger
from tickfloor.supervisor.lifecycle import Lifecycle
from tickfloor.supervisor.pool import handover
from tickfloor.supervisor.pool.placement import spread
from tickfloor.supervisor.pool.trader_pool import TraderPool, name_of
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.services.router import Router
from tickfloor.supervisor.supervisor import Supervisor, new_run_id
from tickfloor.worker.log import Log

T = TypeVar("T")

INSTRUMENTS = 100
MINUTES = 120
"""Closed minutes that every instrument has when the measuring begins."""
TICKS_PER_SECOND = 2_000
SEATS = 32
_START_MS = 1_700_000_040_000
_PR_SET_PDEATHSIG = 1
_SLICE_SECONDS = 0.005
_PAUSE_SECONDS = 0.5
_PREPARED_SECONDS = 1.5
"""After this the template of the trader workers has been prepared for the rules, as it is in a floor that runs."""


def traders(count: int) -> tuple[TraderSpec, ...]:
    """Return traders with thresholds of their own over twenty columns that they share."""
    rng = random.Random(1)
    columns = [f"{name}({length})" for name in ("rsi", "ema", "sma", "atr") for length in (5, 9, 14, 20, 50)]
    specs = []
    for number in range(count):
        first, second = rng.sample(columns, 2)
        rule = f"{first} < {rng.uniform(10, 90):.2f} and {second} > {rng.uniform(95, 105):.2f} and close > open"
        specs.append(TraderSpec(name=f"trader {number}", rule=rule))
    return tuple(specs)


class TraderFloor:
    """Trader workers at work; every method waits until what it is named for is done.

    Attributes:
        noticed: when the last death was heard of, perf_counter seconds.
    """

    def __init__(self, count: int, workers: int = 1, ticks_per_second: int = TICKS_PER_SECOND) -> None:
        """Start workers with so many traders, and let them read the history."""
        self._ticks = ticks_per_second
        self._loop = asyncio.new_event_loop()
        self.noticed = 0.0
        self._run_id = new_run_id()
        self.memory = FloorMemory(
            tape="benchmark",
            tape_records=1 << 16,
            board=BoardLayout(INSTRUMENTS, 500),
            seats=SEATS,
            run_id=self._run_id,
        )
        self._feed = _Feed(self.memory, self._run_id, ticks_per_second)
        self.run(self._start(count, workers))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the supervisor's loop."""
        return self._loop.run_until_complete(work)

    def timed(self, work: Coroutine[Any, Any, T]) -> tuple[float, T]:
        """As :meth:`run`, with the milliseconds that it took; the market goes on for a moment before."""
        self.run(asyncio.sleep(_PAUSE_SECONDS))
        began = time.perf_counter()
        result = self.run(work)
        return (time.perf_counter() - began) * 1000, result

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        return os.getpid()

    async def _start(self, count: int, workers: int) -> None:
        lines: list[LogLine] = []
        log = Log("supervisor", lines.append, least="error")
        router = Router(call_later=self._loop.call_later, on_error=_fail)
        router.register(SignalsRaised, _accept)
        for kind in (Ready, CleanupComplete, WorkerFailed, LogLine, BreakerReport):
            router.register(kind, _nothing)
        self.supervisor = Supervisor(
            run_id=self._run_id,
            router=router,
            flow=MessageFlow(),
            lifecycle=Lifecycle(log),
            log=log,
            effects=self.memory.effects,
            restarts=lambda: RestartPolicy(
                intensity=100_000, period=0.001, clock=time.monotonic, jitter=lambda longest: 0.0 * longest
            ),
            recoveries=RecoveryPolicy(clock=time.monotonic, intensity=0),
            on_death=self._on_death,
            well_seconds=_not_known,
        )
        self.pool = TraderPool(
            kind=TRADER_KIND,
            supervisor=self.supervisor,
            memory=self.memory,
            settings=lambda reader: TraderSettings(source="benchmark", tape="benchmark", reader=reader),
            ledger=BlameLedger(),
            unstored=lambda: 0,
            log=log,
        )
        specs = traders(count)
        await self.pool.open(workers)
        await self.pool.check(specs)
        await self.pool.begin(specs)
        history = self._feed.write_history()
        await self._through(history)
        self._feed.start()
        await self._through(history + self._ticks // 10)
        await asyncio.sleep(_PREPARED_SECONDS)

    def _on_death(self, process: WorkerProcess) -> None:
        del process
        self.noticed = time.perf_counter()

    async def _through(self, position: int) -> None:
        await asyncio.gather(*(self.supervisor.ask(name, ReadThrough(through=position)) for name in self.pool.members))

    async def replace(self) -> WorkerProcess:
        """Put a successor in the place of the first worker; return the one that has left."""
        name = name_of(1)
        old = self.supervisor.slot(name).process
        assert old is not None
        await handover.replace(self.pool, name, "benchmark")
        return old

    async def kill(self, *, caught_up: bool) -> float:
        """Kill the first worker; return when that was done, perf_counter seconds, once its successor works.

        It works when it has decided the first records after its predecessor's checkpoint; ``caught_up``: when it has
        read everything that was published before the kill, and a record more.
        """
        name = name_of(1)
        process = self.supervisor.slot(name).process
        assert process is not None
        began = time.perf_counter()
        os.kill(process.pid, signal.SIGKILL)
        head = self.memory.head()
        await process.dead.wait()
        saved = self._saved_position(self.pool.members[name].seat.index)
        await self.supervisor.ask(name, ReadThrough(through=1 + (head if caught_up else saved)))
        return began

    def _saved_position(self, reader: int) -> int:
        return int.from_bytes(os.pread(self.memory.of_feed()["readers"], 8, reader_offset(reader) + HOLD), "little")

    async def scale(self, workers: int) -> None:
        """Spread the traders over so many workers."""
        pool = self.pool
        async with pool.changing:
            present = {name: [spec.name for spec in member.wanted.specs()] for name, member in pool.members.items()}
            names = [name_of(number) for number in range(1, workers + 1)]
            specs = {spec.name: spec for member in pool.members.values() for spec in member.wanted.specs()}
            placed = spread(present, pool.columns, names)
            wanted = {name: [specs[trader] for trader, where in placed.items() if where == name] for name in names}
            await handover.spread(pool, wanted, "benchmark")

    def close(self) -> None:
        """End everything."""
        self.run(self.supervisor.close())
        self._feed.close()
        self.memory.close()
        self._loop.close()


class _Feed:
    """Writes a tape: history at once, then a steady stream from a process of its own."""

    def __init__(self, memory: FloorMemory, run_id: int, ticks_per_second: int) -> None:
        self._ticks = ticks_per_second
        given = memory.of_feed()
        doorbells = {int(name.partition("-")[2]): fd for name, fd in given.items() if name.startswith("doorbell-")}
        self._given = given
        self._doorbells = doorbells
        self._run_id = run_id
        self._pid = 0
        board = BoardWriter(given["board"], run_id=run_id, incarnation=1)
        for number in range(INSTRUMENTS):
            board.add_instrument(Instrument(number, "binance", f"COIN{number}USDT"))
        board.close()

    def _writer(self, incarnation: int) -> TapeWriter:
        return TapeWriter(
            self._given["tape"],
            self._given["readers"],
            run_id=self._run_id,
            incarnation=incarnation,
            doorbells=self._doorbells,
        )

    def write_history(self) -> int:
        """Write minutes of trades and their bars' closes; return the head."""
        writer = self._writer(1)
        rng = random.Random(2)
        prices = [100.0] * INSTRUMENTS
        for minute in range(MINUTES):
            ts_ns = (_START_MS + 60_000 * minute) * 1_000_000
            for row in range(INSTRUMENTS):
                if minute:
                    writer.append(ts_ns, ts_ns, row, Kind.BAR_CLOSE, Interval.M1, 0, 0.0, prices[row], 1.0, 1.0)
                prices[row] *= 1 + rng.gauss(0, 0.002)
                writer.append(ts_ns + 1, ts_ns + 1, row, Kind.TRADE, Side.BUY, 0, prices[row], 1.0, 0.0, 1.0)
        writer.publish()
        head = writer.sequence
        writer.close()
        return head

    def start(self) -> None:
        """Write trades for ever, evenly, from another process."""
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid:
            return
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            self._run()
        os._exit(0)

    def _run(self) -> None:
        writer = self._writer(2)
        # What this process would write again is not made anew: it begins where the history ends.
        writer.sequence = writer.resumed_at
        rng = random.Random(3)
        pause = select.poll()
        ts_ns = (_START_MS + 60_000 * MINUTES - 59_000) * 1_000_000
        began, written = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * self._ticks)
            for _ in range(due - written):
                price = 100 + rng.gauss(0, 0.5)
                row = rng.randrange(INSTRUMENTS)
                writer.append(ts_ns, ts_ns, row, Kind.TRADE, Side.BUY, 0, price, 1.0, 0.0, 1.0)
                ts_ns += 1
            written = due
            writer.publish()
            pause.poll(_SLICE_SECONDS * 1000)

    def close(self) -> None:
        """End the other process."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _accept(process: WorkerProcess, message: FromWorker) -> None:
    assert isinstance(message, SignalsRaised)
    process.send(SignalsAccepted(ids=tuple(each.id for each in message.signals)))


def _not_known(process: WorkerProcess) -> float:
    del process
    return 0.0


def _nothing(process: WorkerProcess, message: FromWorker) -> None:
    del process, message


def _fail(process: WorkerProcess, message: FromWorker, error: Exception) -> None:
    del process, message
    raise error
