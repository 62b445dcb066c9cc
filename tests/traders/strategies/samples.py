"""Strategies for the tests; hosts load this file as modules of their own, so tests reach them by their witness."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tests.traders.strategies import witness
from tickfloor.traders.strategies.strategy import Strategy
from tickfloor.traders.strategies.ticks import Quote, Trade


class Witness(Strategy):
    """Notes every call and does what the test wants."""

    def __init__(self) -> None:
        self.call("init", None)

    def call(self, method: str, argument: object) -> object:
        witness.seen.append((method, argument))
        return witness.do.get(method, lambda _: None)(argument)

    def on_start(self, context):
        witness.seen.append(("strategy", self))
        self.call("start", context)

    def on_tick(self, tick):
        self.call("tick", tick)

    def on_bar(self, bar):
        self.call("bar", bar)

    def on_signal(self, signal):
        self.call("signal", signal)

    def on_stop(self):
        self.call("stop", None)

    def save(self):
        return self.call("save", None) or {"calls": len(witness.seen)}

    def restore(self, state):
        self.call("restore", state)


@dataclass
class Kept:
    ticks: int = 0
    above: int = 0
    highest: float = 0.0


class Counting(Strategy):
    """Depends on everything that it was ever given, and signals often, several times at a record."""

    def on_start(self, context):
        self.kept: dict[str, Kept] = {}

    def on_tick(self, tick):
        kept = self.kept.setdefault(tick.instrument, Kept())
        kept.ticks += 1
        match tick:
            case Trade(price=price):
                kept.above += price > kept.highest
                kept.highest = max(kept.highest * 0.999, price)
            case Quote(bid_size=size):
                kept.above += size == 1.0
        for n in range(kept.ticks % 4):
            self.signal(tick.instrument, n=n, **asdict(kept))

    def on_bar(self, bar):
        kept = self.kept.setdefault(bar.instrument, Kept())
        if bar.close > bar.open:
            self.signal(bar.instrument, volume=bar.volume, trades=bar.trades, delta=2 * bar.buy_volume - bar.volume)
        kept.highest = bar.high
        if kept.ticks % 7 == 3:
            raise RuntimeError("sometimes")

    def save(self) -> dict[str, Any]:
        return {key: asdict(kept) for key, kept in self.kept.items()}

    def restore(self, state):
        self.kept = {key: Kept(**kept) for key, kept in state.items()}


class Bars(Strategy):
    """Hears bars only."""

    def on_bar(self, bar):
        witness.seen.append(bar)


class Listening(Strategy):
    """Says again what its rules have said, with how much it had been given before."""

    rules = {"dear": "last > 100", "rising": "close > sma(3)"}  # noqa: RUF012 - as users write it

    def on_start(self, context):
        self.given = 0

    def on_tick(self, tick):
        self.given += 1
        witness.seen.append(("tick", tick))

    def on_bar(self, bar):
        self.given += 1

    def on_signal(self, signal):
        witness.seen.append(("signal", signal))
        self.signal(signal.instrument, dear=signal.rule == "dear", given=self.given)

    def save(self):
        return {"given": self.given}

    def restore(self, state):
        self.given = state["given"]


class Looking(Strategy):
    """Says at every tick and bar what its columns are."""

    columns = {"fast": "ema(12)", "slow": 'ema(26, "1h")'}  # noqa: RUF012 - as users write it

    def on_start(self, context):
        self.context = context

    def on_tick(self, tick):
        self.signal(tick.instrument, fast=self.context.value("fast"), slow=self.context.value("slow"))

    def on_bar(self, bar):
        self.on_tick(bar)


class TooEarly(Strategy):
    columns = {"fast": "ema(12)"}  # noqa: RUF012 - as users write it

    def on_start(self, context):
        context.value("fast")


class Failing(Strategy):
    def on_tick(self, tick):
        self.signal(tick.instrument, price=tick.price)
        if tick.price > 100:
            raise ValueError(f"too dear: {tick.price}")


class Silent(Strategy):
    pass


NotAClass = Silent()


class Stranger:
    pass


class Asynchronous(Strategy):
    async def on_tick(self, tick):
        pass


class Greedy(Strategy):
    def on_tick(self, tick):
        while True:
            self.signal(tick.instrument)


class Leaving(Strategy):
    def on_tick(self, tick):
        raise SystemExit(3)


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError


class Odd(Strategy):
    """Fails in ways that are hard to speak of."""

    def on_tick(self, tick):
        if tick.price == 1:
            raise UnspeakableError
        raise ValueError("\udcff" + "x" * 5000)
