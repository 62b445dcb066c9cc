"""A signal: a rule that became true for an instrument, or what a strategy says of one."""

import hashlib

import msgspec


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One new match.

    Attributes:
        id: digest of everything that makes it unique, so that the same event is stored once however often it is sent.
        source: run id live; in a replay a digest of captures and rules.
        trader, revision: which rule or strategy.
        instrument: ``venue:symbol``.
        tape, tape_sequence: the record that made the rule true, or that the strategy was given.
        ts_event: venue time of that record, ns UTC.
        values: the rule's columns at that moment, by their text, or what the strategy says; None where unknown.
    """

    id: str
    source: str
    trader: str
    revision: int
    instrument: str
    tape: str
    tape_sequence: int
    ts_event: int
    values: dict[str, float | None]

    @property
    def correlation_id(self) -> str:
        """Names the tick that caused the signal: ``tape:sequence``."""
        return f"{self.tape}:{self.tape_sequence}"


def signal_id(
    source: str, trader: str, revision: int, instrument: str, tape: str, tape_sequence: int, n: int = 0
) -> str:
    """Return the 32-digit identity of a signal; ``n`` counts the signals that a strategy gives at one record."""
    parts = [source, trader, str(revision), instrument, tape, str(tape_sequence)]
    if n:
        parts.append(str(n))
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
