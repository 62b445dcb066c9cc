"""A whole floor on a simulated exchange that does everything to it; at rest the floor says what the ledger says.

The first rounds are of one trouble each, every hostility of the exchange and the death of every kind of worker once;
the others of some of them at random moments. After them the market goes on until everything is live again, and rests.
Then trades, sums, bars and books of board and tape are those of the ledger, nothing came twice, and whatever had
lost something was marked in the meantime.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from stress.exchange_floor import ExchangeFloor, audit_differences, floor_on, nothing_left
from stress.exchange_troubles import AT_HOME, KILL_FEED, KILL_TRADER, RECONNECT, Trouble, Troubles
from stress.outcomes import Outcome, Tally, Verdict
from tickfloor.contracts.errors import TickfloorError
from tickfloor.kinds import FEED
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator
from tickfloor.supervisor.zygote_client import ZygoteError

OUTCOMES = (
    Outcome("equal to the ledger", Verdict.ACCEPTABLE, "trades, sums, bars, books and best prices of a round"),
    Outcome("lost and marked", Verdict.ACCEPTABLE, "an instrument was not live while it lacked something"),
    Outcome("troubles", Verdict.INTERESTING, "that were done"),
    Outcome("feed killed", Verdict.INTERESTING, "SIGKILL"),
    Outcome("trader killed", Verdict.INTERESTING, "SIGKILL"),
    Outcome("given up", Verdict.INTERESTING, "the machine was too busy to start a floor"),
    Outcome("trades", Verdict.INTERESTING, "on the tapes"),
    Outcome("recovered p50 ms", Verdict.INTERESTING, "from the end of the last trouble until all were live again"),
    Outcome("recovered p99 ms", Verdict.INTERESTING, ""),
    Outcome("recovered max ms", Verdict.INTERESTING, ""),
    Outcome("not equal", Verdict.FORBIDDEN, "something was lost, doubled or changed"),
    Outcome("not marked", Verdict.FORBIDDEN, "an instrument that had lost something was live all the time"),
    Outcome("not live again", Verdict.FORBIDDEN, "long after the last trouble"),
    Outcome("records missed", Verdict.FORBIDDEN, "by a trader, or signals not stored"),
    Outcome("failed", Verdict.FORBIDDEN, "the floor could not go on"),
)

SINGLY = (*sorted(HOSTILITIES.keys() - {"wrong_checksum"}), *AT_HOME)
TO_THOSE_WHO_COME = ("banned", "refuse", "silent_ack", "slow_snapshot", "too_many")
VENUES = ("binance", "binance-usdm")
RECOVERY_SECONDS = 60.0
"""Within which all is live again, whatever was done."""
_CALM_SECONDS = 0.5
_REST_SECONDS = 5.0
_MINUTE_NS = 60_000_000_000
_EARLY_NS = 50_000_000
"""The feed's clock and ours are that near."""


class HostileExchange:
    """Rounds, each with a floor of its own; a round's number and the seed decide what happens in it."""

    def __init__(self, folder: Path, seed: int, *, troubles: int = 0) -> None:
        """Prepare.

        Args:
            troubles: in each round, at random, instead of one in each of the first rounds and two to seven later.
        """
        self.tally = Tally("hostile_exchange", OUTCOMES)
        self._folder = folder
        self._seed = seed
        self._troubles = troubles
        self._recoveries: dict[str, list[float]] = defaultdict(list)

    async def round(self, number: int) -> None:
        """Play one round."""
        rng = random.Random(f"{self._seed}:{number}")
        venue = rng.choice(VENUES)
        settings = SimulatorSettings(
            venues=(venue,), instruments=4, rate=400.0, paused=True, seed=rng.randrange(1 << 30), ping_seconds=1.0,
            # A minute ends while it happens.
            start_ns=time.time_ns() // _MINUTE_NS * _MINUTE_NS - int(rng.uniform(0.5, 5.0) * 1e9),
        )  # fmt: skip
        folder = self._folder / str(number)
        folder.mkdir()
        async with Simulator(settings) as simulator:
            troubles = self._draw(rng, number, venue, tuple(simulator.ledger(venue)[venue]))
            try:
                async with floor_on(simulator, folder, venue) as exchange:
                    await _Round(exchange, rng, troubles, self).play()
            except ZygoteError:
                self.tally.add(0, "given up")
            except (TickfloorError, TimeoutError) as error:
                self.forbidden("failed", number, troubles, [repr(error), _newest_log(folder)])

    def _draw(self, rng: random.Random, number: int, venue: str, symbols: tuple[str, ...]) -> list[Trouble]:
        draw = Troubles(rng, venue, symbols).draw
        if not self._troubles and number < len(SINGLY):
            name = SINGLY[number]
            # What meets only those who come anew, or ask, needs a reason for that.
            return [draw(name), *([draw("drop")] if name in TO_THOSE_WHO_COME else [])]
        count = self._troubles or rng.randrange(2, 8)
        return [draw(rng.choice(SINGLY)) for _ in range(count)]

    def recovered(self, troubles: list[Trouble], seconds: float) -> None:
        """Note how long a recovery took."""
        single = len({each.name for each in troubles} - {"drop"}) <= 1
        self._recoveries[troubles[0].name if single else "several"].append(seconds)

    def forbidden(self, outcome: str, number: int, troubles: list[Trouble], found: list[str]) -> None:
        """Count what must not be, and say how to see it again."""
        self.tally.add(0, outcome)
        again = f"python -m stress.hostile_exchange --seed {self._seed} --first {number} --rounds 1"
        if self._troubles:
            again += f" --troubles {self._troubles}"
        said = "\n".join(f"  {each}" for each in found[:12])
        print(f"FORBIDDEN {outcome}: {'; '.join(map(str, troubles))}\n{said}\n  {again}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Put the recovery times into the table, and print them by trouble."""
        times = sorted(each for some in self._recoveries.values() for each in some)
        if times:
            self.tally.add(0, "recovered p50 ms", round(1000 * statistics.median(times)))
            self.tally.add(0, "recovered p99 ms", round(1000 * times[int(0.99 * (len(times) - 1))]))
            self.tally.add(0, "recovered max ms", round(1000 * times[-1]))
        for name, some in sorted(self._recoveries.items()):
            listed = f"median {statistics.median(some):.2f} s, longest {max(some):.2f} s of {len(some)}"
            print(f"recovered from {name}: {listed}", file=sys.stderr)


class _Round:
    """One floor, its troubles and what it is to be like afterwards."""

    def __init__(
        self, exchange: ExchangeFloor, rng: random.Random, troubles: list[Trouble], test: HostileExchange
    ) -> None:
        self._exchange = exchange
        self._rng = rng
        self._troubles = troubles
        self._test = test
        self._number = int(Path(exchange.floor._config.database).parent.name)
        self._done: list[tuple[int, Trouble]] = []
        self._symbols = tuple(exchange.simulator.ledger(exchange.venue)[exchange.venue])

    async def play(self) -> None:
        """Do it."""
        exchange, tally = self._exchange, self._test.tally
        exchange.simulator.resume()
        await asyncio.sleep(_CALM_SECONDS)
        for trouble in self._troubles:
            self._done.append((time.time_ns(), trouble))
            await self._do(trouble)
            await asyncio.sleep(trouble.wait)
        declared_ns = max(at + int(each.lasts * 1e9) for at, each in self._done)
        await asyncio.sleep(max(0.0, (declared_ns - time.time_ns()) / 1e9))
        await nothing_left(exchange.disturbed, RECOVERY_SECONDS)
        over_ns = time.time_ns() if exchange.was_disturbed else declared_ns
        await asyncio.sleep(_CALM_SECONDS)
        await self._noticed()
        if found := await exchange.settled(RECOVERY_SECONDS):
            self._forbid("not live again", [found])
        # A last stretch of market, in which whatever is wrong yet would show.
        await asyncio.sleep(_CALM_SECONDS)
        if found := await exchange.settled(RECOVERY_SECONDS):
            self._forbid("not live again", [found])
        exchange.simulator.pause()
        by_order = not any(each.name == "clock_skew" for each in self._troubles)
        differences = await exchange.equal(_REST_SECONDS, by_order=by_order)
        self._check_recovery(over_ns)
        figures = await exchange.finish()
        if not any(each.name == KILL_FEED for each in self._troubles):
            differences += audit_differences(figures, exchange)
        if differences:
            self._forbid("not equal", differences)
        else:
            tally.add(0, "equal to the ledger")
        if exchange.floor.lost():
            self._forbid("records missed", [f"{exchange.floor.lost()} records or signals"])
        tally.add(0, "trades", sum(each.trades for each in exchange.witness.seen.values()))

    async def _do(self, trouble: Trouble) -> None:
        exchange, tally = self._exchange, self._test.tally
        tally.add(0, "troubles")
        if trouble.name == KILL_FEED:
            tally.add(0, "feed killed")
            exchange.kill(FEED)
        elif trouble.name == KILL_TRADER:
            for slot in exchange.workers("trader")[:1]:
                tally.add(0, "trader killed")
                exchange.kill(slot)
        elif trouble.name == RECONNECT:
            await exchange.reconnect()
        else:
            exchange.simulator.do(trouble.name, **trouble.parameters)

    async def _noticed(self) -> None:
        """Return when every loss has been marked: a connection that has fallen silent is not missed at once."""
        unmarked = await nothing_left(self._unmarked, RECOVERY_SECONDS)
        marked = len([symbol for _, trouble in self._done for symbol in trouble.marked(self._symbols)])
        self._test.tally.add(0, "lost and marked", marked - len(unmarked))
        if unmarked:
            self._forbid("not marked", unmarked)

    async def _unmarked(self) -> list[str]:
        found = []
        for at, trouble in self._done:
            for symbol in trouble.marked(self._symbols):
                witnessed = self._exchange.witnessed(symbol)
                if not witnessed.doubted(at - _EARLY_NS):
                    marks = [(round((when - at) / 1e9, 3), quality.name) for when, quality in witnessed.marks]
                    found.append(f"{symbol} after {trouble}: {marks}")
        return found

    def _check_recovery(self, over_ns: int) -> None:
        again = max(self._exchange.witnessed(symbol).live_again_ns() for symbol in self._symbols)
        if again >= self._done[0][0]:
            self._test.recovered(self._troubles, max(0.0, (again - over_ns) / 1e9))

    def _forbid(self, outcome: str, found: list[str]) -> None:
        self._test.forbidden(outcome, self._number, self._troubles, found)


def _newest_log(folder: Path) -> str:
    path = folder / "floor.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-20:]) if path.exists() else ""


def main() -> None:
    """Run from the command line; exit with 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first round (default %(default)s)")
    parser.add_argument("--troubles", type=int, default=0, help="in each round, instead of one first and some later")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of what happens")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="tickfloor-hostile-") as folder:
        test = HostileExchange(Path(folder), arguments.seed, troubles=arguments.troubles)
        for number in range(arguments.first, arguments.first + arguments.rounds):
            asyncio.run(test.round(number))
        test.finish()
    print(test.tally.as_json() if arguments.json else test.tally.as_table())
    sys.exit(0 if test.tally.passed else 1)


if __name__ == "__main__":
    main()
