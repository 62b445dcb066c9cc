"""Whether a worker answers, and gets on with its work: told from pings and pongs alone."""

from dataclasses import dataclass

from tickfloor.contracts.latency import LatencyHistogram
from tickfloor.contracts.states import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseStatistics:
    """What was asked and answered.

    Attributes:
        unasked: pongs that no ping was waiting for.
        last_pong: monotonic seconds; None before the first.
        done: what the worker had done by then; waiting: what it still had to do.
        allowances: looks that came so late that the worker was given time anew.
        round_trip_p50_us: ping to pong, microseconds; None before the first.
        round_trip_p99_us: the same, of the slowest in a hundred.
    """

    pings: int
    pongs: int
    unasked: int
    last_pong: float | None
    done: int
    waiting: int
    allowances: int
    round_trip_p50_us: float | None
    round_trip_p99_us: float | None


class PulseWatch:
    """One incarnation's pulse, from when it is ready. All times are seconds of one monotonic clock.

    One ping is under way at a time, so a worker that is stopped does not wake up to a queue of them. The owner looks
    (:meth:`health`) every ``look_seconds`` or more often. A look that is late by more than a ping interval says that
    the supervisor itself stood still, and what a worker did not answer meanwhile is not held against it.

    Attributes:
        round_trips: ping to pong.
    """

    def __init__(
        self, now: float, *, ping_seconds: float = 5.0, stale_seconds: float = 10.0, look_seconds: float = 1.0
    ) -> None:
        self._ping_seconds = ping_seconds
        self._stale_seconds = stale_seconds
        self._longest_pause = look_seconds + ping_seconds
        self._looked = now
        self._last_ping: float | None = None
        self._unanswered = False
        self._silent_from = now
        self._last_pong: float | None = None
        self._progressed = now
        self._well_since: float | None = None
        self._done = 0
        self._waiting = 0
        self._pings = 0
        self._pongs = 0
        self._unasked = 0
        self._allowances = 0
        self.round_trips = LatencyHistogram()

    def ping_due(self, now: float) -> bool:
        """Say whether to ask now: an interval after the last ping, if that was answered."""
        return not self._unanswered and (self._last_ping is None or now - self._last_ping >= self._ping_seconds)

    def pinged(self, now: float) -> None:
        """Note that a ping was sent; one that is sent again is still the same ping."""
        if self._unanswered:
            return
        self._pings += 1
        self._last_ping = self._silent_from = now
        self._unanswered = True

    def pong(self, now: float, done: int, waiting: int) -> None:
        """Take an answer: pieces of work that the worker has done so far, and that wait for it."""
        if self._unanswered and self._last_ping is not None:
            self._unanswered = False
            self.round_trips.add(int((now - self._last_ping) * 1e9))
        else:
            self._unasked += 1
        if done != self._done or waiting == 0 or self._last_pong is None:
            self._progressed = now
        self._pongs += 1
        self._last_pong, self._done, self._waiting = now, done, waiting
        if self._well_since is None and self._state(now) is Health.HEALTHY:
            self._well_since = now

    def health(self, now: float) -> Health:
        """Look at the worker."""
        if now - self._looked > self._longest_pause:
            self._allowances += 1
            self._silent_from = self._progressed = now
        self._looked = now
        state = self._state(now)
        if state is not Health.HEALTHY:
            self._well_since = None
        return state

    def complaint(self, now: float) -> str:
        """Return, for a person, what is wrong with a worker that is not healthy."""
        silent, idle = self._silent(now), self._idle()
        if silent >= idle:
            return f"it has not answered for {silent:.1f} s"
        return f"it answers, but has done nothing for {idle:.1f} s, and {self._waiting} pieces of work wait"

    def well_seconds(self, now: float) -> float:
        """Return how long it has answered and progressed without a break, as far as looks have shown."""
        return 0.0 if self._well_since is None else now - self._well_since

    def statistics(self) -> PulseStatistics:
        """Return what was asked and answered so far."""
        return PulseStatistics(
            pings=self._pings,
            pongs=self._pongs,
            unasked=self._unasked,
            last_pong=self._last_pong,
            done=self._done,
            waiting=self._waiting,
            allowances=self._allowances,
            round_trip_p50_us=self.round_trips.quantile_us(0.5),
            round_trip_p99_us=self.round_trips.quantile_us(0.99),
        )

    def _silent(self, now: float) -> float:
        return now - self._silent_from if self._unanswered else 0.0

    def _idle(self) -> float:
        """Return how long nothing was done, up to the last pong: nobody knows what happened since."""
        return 0.0 if self._last_pong is None else max(0.0, self._last_pong - self._progressed)

    def _state(self, now: float) -> Health:
        silent = self._silent(now)
        if silent > self._stale_seconds or self._idle() > self._stale_seconds:
            return Health.STUCK
        return Health.SUSPECT if silent > self._stale_seconds / 2 else Health.HEALTHY
