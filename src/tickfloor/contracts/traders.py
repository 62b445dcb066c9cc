"""What a user asks a trader to do."""

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.quote_assets import is_quoted_in


class TraderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One trader: a rule or a strategy, where it applies and when it is decided.

    A strategy is a user's own Python code. It comes from a local file that a rules file names, and from nowhere else:
    whatever takes traders over a socket or a network refuses a spec that has one.

    Attributes:
        name: unique within a floor.
        rule: rule text, see ``docs/rules.md``; empty for a strategy.
        strategy: absolute path of a Python file and a class in it, ``/home/me/my.py:Momentum``, see
            ``docs/strategies.md``; empty for a rule.
        strategy_digest: :func:`code_digest` of that file as it was when the rules file was read. A file that has
            changed since is not run. Empty: whatever the file holds is run.
        symbols: globs over native symbols or ``venue:symbol`` keys; case-insensitive.
        exclude: globs of the same kind; what fits one of them is left out.
        quote: quote asset of the instruments, for example ``USDT``; empty for any.
        when: ``tick`` sees the forming bar at every record, ``close`` only closed bars, at each bar's close.
        interval: default interval of the rule's columns, and the bar that ``close`` waits for; of a strategy, the
            bars that it is given.
        requires_live: a rule that says nothing about quality matches only while the data is live.
        cooldown_ns: least venue time between two signals of one instrument; 0 for none.
        revision: grows with every change of the rule; part of a signal's identity.
    """

    name: str
    rule: str = ""
    strategy: str = ""
    strategy_digest: str = ""
    symbols: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    quote: str = ""
    when: Literal["tick", "close"] = "tick"
    interval: str = "1m"
    requires_live: bool = True
    cooldown_ns: int = 0
    revision: int = 1

    def applies_to(self, instrument: Instrument) -> bool:
        """Return whether the instrument is among those that the globs and the quote asset choose."""
        return (
            _fits(instrument, self.symbols)
            and not _fits(instrument, self.exclude)
            and (not self.quote or is_quoted_in(instrument.symbol, self.quote))
        )


def _fits(instrument: Instrument, globs: tuple[str, ...]) -> bool:
    if "*" in globs:
        return True
    names = (instrument.symbol.upper(), instrument.key.upper())
    return any(fnmatchcase(name, glob.upper()) for glob in globs for name in names)


class TradersHeld(msgspec.Struct, frozen=True):
    """A set of traders in brief: two sets with the same digest are the same.

    Attributes:
        revision: grows with every change that was asked for.
    """

    revision: int
    digest: int
    count: int


class TraderSet:
    """Traders by name, with a revision and a digest that costs nothing to keep.

    Both sides of a channel hold one: what shall run, and what runs.
    """

    def __init__(self, specs: Iterable[TraderSpec] = (), revision: int = 0) -> None:
        self._specs: dict[str, TraderSpec] = {}
        self._digest = 0
        self.revision = revision
        for spec in specs:
            self.put(spec)

    def __contains__(self, name: str) -> bool:
        return name in self._specs

    def __len__(self) -> int:
        return len(self._specs)

    def get(self, name: str) -> TraderSpec | None:
        """Return a trader, or None."""
        return self._specs.get(name)

    def specs(self) -> tuple[TraderSpec, ...]:
        """Return all traders, in the order in which they came."""
        return tuple(self._specs.values())

    def put(self, spec: TraderSpec) -> None:
        """Hold a trader, instead of one of the same name."""
        self.drop(spec.name)
        self._specs[spec.name] = spec
        self._digest ^= _digest_of(spec)

    def drop(self, name: str) -> None:
        """Hold a trader no more, if it was held."""
        spec = self._specs.pop(name, None)
        if spec is not None:
            self._digest ^= _digest_of(spec)

    def held(self) -> TradersHeld:
        """Return the set in brief."""
        return TradersHeld(self.revision, self._digest, len(self._specs))


def _digest_of(spec: TraderSpec) -> int:
    return int.from_bytes(hashlib.blake2b(msgspec.msgpack.encode(spec), digest_size=7).digest(), "little")


def trader_number(name: str) -> int:
    """Return a number for shared memory, where there is no room for names; never 0."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") | 1


def code_digest(source: bytes) -> str:
    """Return a digest of a strategy's file: the same code gives the same signals."""
    return hashlib.blake2b(source, digest_size=16).hexdigest()
