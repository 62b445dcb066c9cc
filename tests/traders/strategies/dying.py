"""A process whose strategy ends it: ``python -m tests.traders.strategies.dying CLASS VITALS``."""

import os
import signal
import sys

from tests.traders.strategies.hosting import Lines, Switch, pace
from tests.traders.streams import describe
from tests.traders.tapes import Tape
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.strategies.host import StrategyHost
from tickfloor.traders.strategies.strategy import Strategy
from tickfloor.worker.vitals import Vitals


class Exits(Strategy):
    def on_tick(self, tick):
        os._exit(0)


class Aborts(Strategy):
    def on_bar(self, bar):
        os.kill(os.getpid(), signal.SIGKILL)


class Innocent(Strategy):
    pass


if __name__ == "__main__":
    name, vitals = sys.argv[1], Vitals(int(sys.argv[2]))
    tape = Tape()
    tape.trade(0, 1.0)
    tape.close(60, "1m")
    host = StrategyHost(
        source="run", tape="binance", describe=describe, vitals=vitals, effects=Switch(), log=Lines(), limiter=pace
    )
    for each in ("Innocent", name):
        host.add(TraderSpec(name=each, strategy=f"{__file__}:{each}"))
    host.process(tape.bytes())
    sys.exit("nothing has ended this process")
