"""The signals that a strategy raises at one record."""

from typing import Any

from tickfloor.contracts.signals import Signal, signal_id
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.said import checked_instrument, checked_values

MAX_SIGNALS = 100
"""Most signals of one strategy at one record."""


class RaisedSignals:
    """Takes signals while its strategy is being given something.

    Signals of one record are numbered through, however many calls are made for it.

    Args:
        spec: the strategy's.
        source, tape: see :class:`~tickfloor.contracts.signals.Signal`.

    Attributes:
        sequence: of the record that the strategy is being given; -1 for none.
    """

    def __init__(self, spec: TraderSpec, source: str, tape: str) -> None:
        self.sequence = -1
        self._spec = spec
        self._source = source
        self._tape = tape
        self._ts_event = 0
        self._numbered = -1
        self._number = 0
        self._raised: list[Signal] = []

    def open(self, sequence: int, ts_event: int) -> None:  # hot path
        """Take signals from now on, for this record."""
        if sequence != self._numbered:
            self._numbered = sequence
            self._number = 0
        self.sequence, self._ts_event = sequence, ts_event

    def close(self, into: list[Signal]) -> int:  # hot path
        """Take no more; add those that were raised, and return how many."""
        self.sequence = -1
        raised = self._raised
        if raised:
            into.extend(raised)
            self._raised = []
        return len(raised)

    def add(self, instrument: str, values: dict[str, Any]) -> None:
        """Take a signal from the strategy, in its own call: what is wrong with it is raised there.

        Raises:
            StrategyError: it is not being given anything, there are too many, or it cannot be stored as it is.
        """
        if self.sequence < 0:
            raise StrategyError("a signal belongs to a tick or bar; raise it in on_tick, on_bar or on_signal")
        if self._number >= MAX_SIGNALS:
            raise StrategyError(f"more than {MAX_SIGNALS} signals at one record; raise fewer")
        spec = self._spec
        instrument = checked_instrument(spec, instrument)
        identity = (self._source, spec.name, spec.revision, instrument, self._tape, self.sequence)
        signal = Signal(
            id=signal_id(*identity, n=self._number),
            source=self._source,
            trader=spec.name,
            revision=spec.revision,
            instrument=instrument,
            tape=self._tape,
            tape_sequence=self.sequence,
            ts_event=self._ts_event,
            values=checked_values(values),
        )
        self._raised.append(signal)
        self._number += 1
