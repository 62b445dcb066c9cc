"""What a user asks a trader to do."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from tickfloor.contracts.instruments import Instrument


class TraderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One trader: a rule, where it applies and when it is decided.

    Attributes:
        name: unique within a floor.
        rule: rule text, see ``docs/rules.md``.
        symbols: globs over native symbols or ``venue:symbol`` keys; case-insensitive.
        when: ``tick`` sees the forming bar at every record, ``close`` only closed bars, at each bar's close.
        interval: default interval of the rule's columns, and the bar that ``close`` waits for.
        cooldown_ns: least venue time between two signals of one instrument; 0 for none.
        revision: grows with every change of the rule; part of a signal's identity.
    """

    name: str
    rule: str
    symbols: tuple[str, ...] = ("*",)
    when: Literal["tick", "close"] = "tick"
    interval: str = "1m"
    cooldown_ns: int = 0
    revision: int = 1

    def applies_to(self, instrument: Instrument) -> bool:
        """Return whether one of the globs fits the instrument's symbol or key."""
        if "*" in self.symbols:
            return True
        names = (instrument.symbol.upper(), instrument.key.upper())
        return any(fnmatchcase(name, glob.upper()) for glob in self.symbols for name in names)
