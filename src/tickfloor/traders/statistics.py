"""What an engine has done: counters while it works, and the frozen picture that others see."""

import msgspec


class Counters(msgspec.Struct):
    """Counts of one engine; they go into its checkpoint."""

    records: int = 0
    evaluations: int = 0
    matches: int = 0
    signals: int = 0
    cooled_down: int = 0
    revisions: int = 0
    revisions_beyond_history: int = 0
    bars_missed: int = 0
    malformed: int = 0
    resyncs: int = 0

    def add(self, other: "Counters") -> None:
        """Add another engine's counts."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class EngineStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """An engine at one moment.

    Attributes:
        traders: traders held.
        columns: distinct bar and indicator columns of all of them.
        instruments: instruments of the tape that at least one trader applies to.
        position: next expected sequence.
        records: records read, whether or not a trader applies to their instrument.
        looks: thresholds of a column, and comparisons of two, looked at by the instruments that are open.
        evaluations: rules decided: each at every record of one of its inputs and at every close of its bars.
        matches: rules that became true, aloud.
        signals: signals given.
        cooled_down: matches without a signal because of a cooldown.
        revisions: closed bars that late trades have revised.
        revisions_beyond_history: of those, the ones too far back for the columns to follow.
        bars_missed: closes of bars whose trades came before the engine began.
        malformed: trades left out because price or quantity is no usable number.
        resyncs: holes in the tape that were bridged from the board.
    """

    traders: int
    columns: int
    instruments: int
    position: int
    looks: int
    records: int
    evaluations: int
    matches: int
    signals: int
    cooled_down: int
    revisions: int
    revisions_beyond_history: int
    bars_missed: int
    malformed: int
    resyncs: int
