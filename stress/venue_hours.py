"""Hours of a venue, faster than they pass, with something going wrong all the time: no drift and no leak.

Market time runs many times faster than ours. Every few seconds something is done to the floor. At
checkpoints the market rests, and then the floor says what the ledger says: every trade, sum, bar and book since the
beginning. What the feed worker holds is looked at there, too: objects, heap and descriptors in use. After the first
quarter, which is for warming up, none of them may rise. Memory as the kernel sees it is printed only:
``exchange_memory`` says why it has steps and no verdict. The feed worker is not killed here: a new one would begin with
an empty memory (``hostile_exchange`` kills it).
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from stress.exchange_floor import ExchangeFloor, audit_differences, floor_on, nothing_left
from stress.exchange_memory import BLOCKS, ENTRY, HEAP, Held, growth
from stress.exchange_troubles import KILL_TRADER, RECONNECT, Trouble, Troubles
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.kinds import FEED
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator
from tickfloor.supervisor.health.memory import private_memory

OUTCOMES = (
    Outcome("equal to the ledger", Verdict.ACCEPTABLE, "at a checkpoint: everything since the beginning"),
    Outcome("market minutes", Verdict.INTERESTING, "that passed"),
    Outcome("trades", Verdict.INTERESTING, ""),
    Outcome("troubles", Verdict.INTERESTING, "that were done"),
    Outcome("feed's own memory KB", Verdict.INTERESTING, "at the end, as the kernel sees it"),
    Outcome("blocks kept", Verdict.INTERESTING, "of objects' memory, by a line through all looks after the warm-up"),
    Outcome("heap kept KB", Verdict.INTERESTING, "the same of the C library's memory"),
    Outcome("not equal", Verdict.FORBIDDEN, "something was lost, doubled or changed"),
    Outcome("not live again", Verdict.FORBIDDEN, "long after the last trouble"),
    Outcome("records missed", Verdict.FORBIDDEN, "by a trader, or signals not stored"),
    Outcome("objects leak", Verdict.FORBIDDEN, "blocks kept, beyond noise"),
    Outcome("heap leaks", Verdict.FORBIDDEN, "heap kept, beyond noise"),
    Outcome("more descriptors", Verdict.FORBIDDEN, "in the second half, beyond noise"),
    Outcome("feed made anew", Verdict.FORBIDDEN, "it died, and nobody had killed it"),
)

HOUR_NS = 3_600_000_000_000
MOST_BEHIND_HOURS = 23.0
"""A feed refuses what is a day old."""
RECOVERY_SECONDS = 60.0
BLOCKS_A_BAR = 14
"""What a minute leaves in the audit that this floor keeps: a list, its items, eleven numbers and a key."""
MOST_BLOCKS = 2000
"""That may be kept: what is under way at a checkpoint, and what caches take in, is some hundreds. In ten hours hundreds
of connections end, which have more than twenty blocks each, and of a million trades one in five hundred is too much."""
MOST_HEAP_BYTES = 2 << 20
"""That may be kept: buffers in use at a checkpoint are some hundred KB, and a connection's are 16 KB at least. The
audit's tables grow by 20 KB an hour."""
WARM_UP = 0.25
"""Of the looks: caches fill, and everything has gone wrong at least once."""
NOISE_DESCRIPTORS = 3
"""A request may be under way, or an idle connection of one be kept."""
_REST_SECONDS = 10.0
_CHECKPOINTS = 12
_CALM_SECONDS = 1.0
_TROUBLES = (*sorted(set(HOSTILITIES) - {"clock_skew", "wrong_checksum"}), KILL_TRADER, RECONNECT)
"""Clocks are accelerated here; to set them as well would say nothing more."""


class Look(NamedTuple):
    """What the feed worker holds, and how much memory the kernel has given it."""

    pid: int
    held: Held
    descriptors: int
    memory: int


class VenueHours:
    """One floor, and a market that is in a hurry."""

    def __init__(self, folder: Path, rng: random.Random, venue: str) -> None:
        self.tally = Tally("venue_hours", OUTCOMES)
        self._folder = folder
        self._rng = rng
        self._venue = venue
        self._looks: list[Look] = []
        self._begin_ns = 0

    async def run(self, hours: float, speed: float, rate: float) -> None:
        """Let so many hours pass."""
        settings = SimulatorSettings(
            venues=(self._venue,), instruments=4, rate=rate, speed=speed, paused=True,
            seed=self._rng.randrange(1 << 30),
            # The market goes on while the floor recovers, and no venue is long ahead of the watch.
            start_ns=time.time_ns() - int(min(MOST_BEHIND_HOURS, 2.0 * hours) * HOUR_NS),
        )  # fmt: skip
        async with (
            Simulator(settings) as simulator,
            floor_on(simulator, self._folder, self._venue, tape_records=1 << 20, feed=ENTRY) as exchange,
        ):
            self._begin_ns = simulator.state()["market_ns"]
            draw = Troubles(self._rng, self._venue, tuple(simulator.ledger(self._venue)[self._venue])).draw
            for number in range(1, _CHECKPOINTS + 1):
                until_ns = simulator.state()["market_ns"] + int(hours * HOUR_NS / _CHECKPOINTS)
                simulator.resume()
                while simulator.state()["market_ns"] < until_ns:
                    trouble = draw(self._rng.choice(_TROUBLES))
                    await self._do(exchange, trouble)
                    await asyncio.sleep(trouble.wait + trouble.lasts / 2)
                await self._check(exchange, last=number == _CHECKPOINTS)
                print(_line(self._looks[-1]), file=sys.stderr, flush=True)
            self.tally.add(0, "market minutes", round(self._looks[-1].held.hours * 60))
            self.tally.add(0, "trades", sum(each.trades for each in exchange.witness.seen.values()))
        self._compare()

    async def _do(self, exchange: ExchangeFloor, trouble: Trouble) -> None:
        self.tally.add(0, "troubles")
        if trouble.name == KILL_TRADER:
            for slot in exchange.workers("trader")[:1]:
                exchange.kill(slot)
        elif trouble.name == RECONNECT:
            await exchange.reconnect()
        else:
            exchange.simulator.do(trouble.name, **trouble.parameters)

    async def _check(self, exchange: ExchangeFloor, *, last: bool) -> None:
        await nothing_left(exchange.disturbed, RECOVERY_SECONDS)
        await asyncio.sleep(_CALM_SECONDS)
        if found := await exchange.settled(RECOVERY_SECONDS):
            self._forbid("not live again", [found])
        await asyncio.sleep(_CALM_SECONDS)
        exchange.simulator.pause()
        differences = await exchange.equal(_REST_SECONDS, by_order=True)
        await _fresh_connections(exchange)
        self._looks.append(await self._look(exchange))
        if last:
            differences += audit_differences(await exchange.finish(), exchange)
            if exchange.floor.lost():
                self._forbid("records missed", [f"{exchange.floor.lost()} records or signals"])
        if differences:
            self._forbid("not equal", differences)
        else:
            self.tally.add(0, "equal to the ledger")

    async def _look(self, exchange: ExchangeFloor) -> Look:
        process = exchange.floor.supervisor.slot(FEED).process
        assert process is not None
        status = await exchange.feed_status()
        hours = (exchange.simulator.state()["market_ns"] - self._begin_ns) / HOUR_NS
        ledger = exchange.simulator.ledger(self._venue)[self._venue]
        audited = BLOCKS_A_BAR * sum(len(entry["bars_1m"]) for entry in ledger.values())
        held = Held(hours, status.details[BLOCKS] - audited, status.details[HEAP])
        return Look(process.pid, held, status.descriptors, private_memory(process.pid))

    def _compare(self) -> None:
        looks = self._looks
        warm = [each.held for each in looks[round(WARM_UP * len(looks)) :]]
        blocks = growth([(each.hours, each.blocks) for each in warm])
        heap = growth([(each.hours, each.heap) for each in warm])
        self.tally.add(0, "feed's own memory KB", looks[-1].memory >> 10)
        self.tally.add(0, "blocks kept", max(0, round(blocks)))
        self.tally.add(0, "heap kept KB", max(0, round(heap)) >> 10)
        if blocks > MOST_BLOCKS:
            self._forbid("objects leak", [f"{each.hours:.2f} h: {each.blocks:,.0f} blocks" for each in warm])
        if heap > MOST_HEAP_BYTES:
            self._forbid("heap leaks", [f"{each.hours:.2f} h: {each.heap:,.0f} bytes" for each in warm])
        half = len(looks) // 2
        if looks[-1].descriptors > max(each.descriptors for each in looks[:half]) + NOISE_DESCRIPTORS:
            self._forbid("more descriptors", [str([each.descriptors for each in looks])])
        if len({each.pid for each in looks}) > 1:
            self._forbid("feed made anew", [str([each.pid for each in looks])])

    def _forbid(self, outcome: str, found: list[str]) -> None:
        self.tally.add(0, outcome)
        said = "\n".join(f"  {each[:500]}" for each in found[:12])
        print(f"FORBIDDEN {outcome}:\n{said}", file=sys.stderr, flush=True)


async def _fresh_connections(exchange: ExchangeFloor) -> None:
    """Replace all connections while the market rests: what they read has widened their buffers by megabytes."""
    since = time.monotonic()
    await exchange.reconnect()

    async def older() -> list[str]:
        seconds = time.monotonic() - since
        return [each.name for each in (await exchange.report()).connections if each.age is None or each.age > seconds]

    await nothing_left(older, RECOVERY_SECONDS)
    # Both run together for a moment.
    await asyncio.sleep(_CALM_SECONDS)


def _line(look: Look) -> str:
    held = look.held
    return (
        f"{held.hours:.2f} h: {held.blocks:,.0f} blocks, heap {held.heap / 1e6:.2f} MB, "
        f"{look.descriptors} descriptors, own memory {look.memory / 1e6:.1f} MB, feed {look.pid}"
    )


def main() -> None:
    """Run from the command line; exit with 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0, help="of market time (default %(default)s)")
    parser.add_argument("--speed", type=float, default=60.0, help="times real time (default %(default)s)")
    parser.add_argument("--rate", type=float, default=20.0, help="orders and quotes a market second (%(default)s)")
    parser.add_argument("--venue", choices=("binance", "binance-usdm"), default="binance")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of what happens")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="tickfloor-hours-") as folder:
        test = VenueHours(Path(folder), random.Random(arguments.seed), arguments.venue)
        asyncio.run(test.run(arguments.hours, arguments.speed, arguments.rate))
    print(test.tally.as_json() if arguments.json else test.tally.as_table())
    sys.exit(0 if test.tally.passed else 1)


if __name__ == "__main__":
    main()
