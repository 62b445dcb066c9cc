"""What is sent at intervals: book diffs, partial books, bars, 24 h statistics."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tickfloor.simulator.binance.intervals import MINUTE_MS
from tickfloor.simulator.binance.wording import Wording
from tickfloor.simulator.instrument import SimulatedInstrument
from tickfloor.simulator.stream import Stream
from tickfloor.simulator.tally import Minute


class Outlet(Protocol):
    """Something sent at intervals over one stream."""

    stream: Stream

    def begin(self) -> None:
        """Begin with what follows: the first subscriber has come."""

    def send(self, time_ms: int) -> None:
        """Send what there is to say, if anything."""


class DiffOutlet:
    """A book's changes; every change is in exactly one frame."""

    def __init__(self, stream: Stream, each: SimulatedInstrument, wording: Wording) -> None:
        self.stream = stream
        self.each = each
        self._wording = wording
        self.position = 0
        self._last_id = 0

    def begin(self) -> None:
        """Begin after the newest change."""
        self.position = self.each.book.position()
        self._last_id = self.each.book.update_id

    def send(self, time_ms: int) -> None:
        """Send the changes since the last time."""
        changes = self.each.book.since(self.position)
        if not changes:
            return
        prices = {price for _, touched in changes for price in touched}
        first_id, last_id = changes[0][0], changes[-1][0]
        payload = self._wording.diff(time_ms, first_id, last_id, self._last_id, prices)
        self.position = self.each.book.position()
        self._last_id = last_id
        self.stream.publish(payload)


class PartialOutlet:
    """The best levels of a book, when they have changed."""

    def __init__(self, stream: Stream, each: SimulatedInstrument, wording: Wording, depth: int) -> None:
        self.stream = stream
        self._each = each
        self._wording = wording
        self._depth = depth
        self._last_id = -1

    def begin(self) -> None:
        """Send the book at the next interval in any case."""
        self._last_id = -1

    def send(self, time_ms: int) -> None:
        """Send the best levels."""
        if self._each.book.update_id != self._last_id:
            self._last_id = self._each.book.update_id
            self.stream.publish(self._wording.partial(time_ms, self._depth))


class KlineOutlet:
    """An instrument's bar: while it forms, when it has changed; once more when it has closed."""

    def __init__(
        self, stream: Stream, each: SimulatedInstrument, wording: Wording, interval: str, length_ms: int
    ) -> None:
        self.stream = stream
        self._each = each
        self._wording = wording
        self._interval = interval
        self._length_ms = length_ms
        self._start_ms = -1
        self._trades = -1

    def begin(self) -> None:
        """Begin with the bar that forms."""
        self._start_ms = self._trades = -1

    def send(self, time_ms: int) -> None:
        """Send the bar that has closed, and the one that forms."""
        length_ms = self._length_ms
        start_ms = time_ms - time_ms % length_ms
        if 0 <= self._start_ms < start_ms:
            for closed_ms in range(self._start_ms, start_ms, length_ms):
                self._publish(time_ms, self._bar(closed_ms), closed=True)
            self._trades = -1
        self._start_ms = start_ms
        bar = self._bar(start_ms)
        if bar.trades != self._trades:
            self._trades = bar.trades
            self._publish(time_ms, bar, closed=False)

    def _publish(self, time_ms: int, bar: Minute, *, closed: bool) -> None:
        self.stream.publish(self._wording.kline(time_ms, self._interval, self._length_ms, bar, closed=closed))

    def _bar(self, start_ms: int) -> Minute:
        return bar_of(self._each, start_ms, self._length_ms)


class EventOutlet:
    """One event made anew every time: an instrument's statistics, or an array of everybody's."""

    def __init__(self, stream: Stream, say: Callable[[int], bytes]) -> None:
        self.stream = stream
        self._say = say

    def begin(self) -> None:
        """Do nothing: it does not depend on what was sent before."""

    def send(self, time_ms: int) -> None:
        """Send the event."""
        self.stream.publish(self._say(time_ms))


def bar_of(each: SimulatedInstrument, start_ms: int, length_ms: int) -> Minute:
    """Return an interval's bar; without a trade it stands at the price before."""
    bar = each.tally.bar(start_ms, length_ms)
    if bar is not None:
        return bar
    before = _price_before(each, start_ms)
    return Minute(start_ms, before, before, before, before, first_id=-1)


def _price_before(each: SimulatedInstrument, start_ms: int) -> int:
    tally = each.tally
    for at in range(start_ms - MINUTE_MS, start_ms - 1440 * MINUTE_MS, -MINUTE_MS):
        minute = tally.minutes.get(at)
        if minute is not None:
            return minute.close
        if not tally.minutes or at < min(tally.minutes):
            break
    return each.day.open_ticks


def array(says: Sequence[Callable[[int], bytes]]) -> Callable[[int], bytes]:
    """Return what says several events at once."""

    def say(time_ms: int) -> bytes:
        return b"[" + b",".join([each(time_ms) for each in says]) + b"]"

    return say
