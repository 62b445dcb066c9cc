"""What is done to a floor on a simulated exchange: every hostility of the exchange, and what happens at home."""

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

KILL_FEED, KILL_TRADER, RECONNECT = "kill_feed", "kill_trader", "reconnect"
AT_HOME: Final = (KILL_FEED, KILL_TRADER, RECONNECT)


class Trouble(msgspec.Struct, frozen=True):
    """One thing that is done.

    Attributes:
        name: of a hostility, or one of ``AT_HOME``.
        parameters: of the hostility.
        wait: seconds of market between this trouble and the next.
    """

    name: str
    parameters: dict[str, Any]
    wait: float

    @property
    def lasts(self) -> float:
        """Seconds until it is over by itself."""
        found = self.parameters
        return float(found.get("seconds", 0.0)) + float(found.get("delay", found.get("after", 0.0)))

    def marked(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Return the symbols that have certainly lost something by it."""
        if self.name in ("drop", "cut", "half_open", KILL_FEED):
            return symbols
        loses = self.name in ("gap", "silent_channel") or (self.name == "malformed" and self.parameters["instead"])
        symbol, _, kind = str(self.parameters.get("stream", "")).partition("@")
        # Of best prices the newest is enough: nothing is lost with an older one.
        if not loses or kind == "bookTicker":
            return ()
        return symbols if symbol == "*" else (symbol.upper(),)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.name}({given})"


class Troubles:
    """Draws troubles for one venue; what is drawn depends on the source of randomness alone."""

    def __init__(self, rng: random.Random, venue: str, symbols: tuple[str, ...]) -> None:
        self._rng = rng
        self._trades = "trade" if venue == "binance" else "aggTrade"
        self._symbols = symbols
        self._parameters: Mapping[str, Callable[[], dict[str, Any]]] = {
            "refuse": lambda: {"seconds": self._between(0.3, 3.0)},
            "silent_ack": lambda: {"requests": rng.randrange(1, 3)},
            "oversized": lambda: {"size": rng.choice((1 << 20, 7 << 20, 12 << 20))},
            "shutdown": lambda: {"after": self._between(0.0, 1.5)},
            "silent_channel": lambda: self._stream() | {"seconds": self._between(0.5, 4.0)},
            "gap": lambda: self._stream() | {"frames": rng.randrange(1, 60)},
            "duplicate": lambda: self._stream() | {"frames": rng.randrange(1, 60)},
            "reorder": lambda: self._stream() | {"frames": rng.randrange(2, 20)},
            "malformed": lambda: self._stream() | {"frames": rng.randrange(1, 5), "instead": rng.random() < 0.5},
            "slow_snapshot": lambda: {"delay": self._between(0.2, 2.0), "seconds": self._between(1.0, 4.0)},
            "too_many": lambda: {"seconds": self._between(0.5, 2.0), "retry_after": rng.randrange(1, 3)},
            "banned": lambda: {"seconds": self._between(0.5, 2.0), "retry_after": rng.randrange(1, 3)},
            "clock_skew": lambda: {"ahead": self._between(-20.0, 20.0)},
            "burst": lambda: {"events": rng.randrange(500, 8000)},
            "sequence_reset": lambda: {"symbol": rng.choice(symbols), "drop": rng.random() < 0.7},
        }

    def draw(self, name: str) -> Trouble:
        """Return a trouble of a name with random parameters."""
        parameters = self._parameters.get(name, dict)()
        return Trouble(name, parameters, self._between(0.0, 1.0))

    def _stream(self) -> dict[str, Any]:
        symbol = self._rng.choice((*(each.lower() for each in self._symbols), "*"))
        return {"stream": f"{symbol}@{self._rng.choice((self._trades, self._trades, 'depth*', 'bookTicker'))}"}

    def _between(self, least: float, most: float) -> float:
        return round(self._rng.uniform(least, most), 2)
