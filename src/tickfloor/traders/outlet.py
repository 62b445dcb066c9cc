"""Signals on their way out of a trader worker: said, and held until they are stored."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from tickfloor.contracts.events import SignalsRaised
from tickfloor.contracts.latency import LatencyHistogram
from tickfloor.contracts.signals import Signal

MAX_UNSTORED = 10_000
"""Signals raised and not stored at which the tape is no longer read: the database's pace is then ours."""

_SAY_AT_ONCE = 500


class SignalOutlet:
    """Says signals, or keeps them to itself while a predecessor still says the same.

    Args:
        say: puts a message on its way to the supervisor.
        published_at: gives the moment at which a record of the tape was published, monotonic ns.

    Attributes:
        muted: nothing is said.
        raised: signals so far; latency: publication to signal.
    """

    def __init__(self, say: Callable[[SignalsRaised], object], published_at: Callable[[int], int]) -> None:
        self._say = say
        self._published_at = published_at
        self._unstored: OrderedDict[str, Signal] = OrderedDict()
        self._kept: list[Signal] = []
        self.muted = False
        self.raised = 0
        self.latency = LatencyHistogram()

    @property
    def full(self) -> bool:
        """Whether so much is not stored yet that nothing more should be raised."""
        return len(self._unstored) + len(self._kept) >= MAX_UNSTORED

    @property
    def unstored(self) -> tuple[Signal, ...]:
        """What was said and is not stored yet."""
        return tuple(self._unstored.values())

    def put(self, signals: list[Signal]) -> None:
        """Raise new signals."""
        if self.muted:
            self._kept += signals
            return
        now = time.monotonic_ns()
        for signal in signals:
            self.latency.add(now - self._published_at(signal.tape_sequence))
        self.raised += len(signals)
        self.say_again(signals)

    def say_again(self, signals: Iterable[Signal]) -> None:
        """Say signals that are not stored, as far as anybody knows."""
        signals = list(signals)
        self._unstored.update((signal.id, signal) for signal in signals)
        for start in range(0, len(signals), _SAY_AT_ONCE):
            self._say(SignalsRaised(signals=tuple(signals[start : start + _SAY_AT_ONCE])))

    def unmute(self, start: int) -> None:
        """Raise what was kept from this record of the tape on, and everything that comes."""
        kept, self._kept = self._kept, []
        self.muted = False
        self.put([signal for signal in kept if signal.tape_sequence >= start])

    def stored(self, ids: Iterable[str]) -> None:
        """Let go of signals that are stored."""
        for identity in ids:
            self._unstored.pop(identity, None)
