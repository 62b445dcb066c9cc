"""A circuit breaker: what keeps failing is not called for a while, and then tried once."""

import math
import time
from collections.abc import Callable

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.ports import Arguments, Returned
from tickfloor.contracts.telemetry import BreakerReport, BreakerState

_LONGEST_ERROR = 500


class BreakerOpenError(TickfloorError):
    """A call was not made because those before it failed; ``retry_seconds`` says when one may be."""

    def __init__(self, name: str, failures: int, error: str, retry_seconds: float) -> None:
        super().__init__(
            f"{name} is not called: it failed {failures} times in a row, last with {error}; "
            f"try again in {retry_seconds:.1f} s"
        )
        self.name = name
        self.failures = failures
        self.error = error
        self.retry_seconds = retry_seconds


class Breaker:
    """One protected thing. Closed, it lets all calls through; open, none; half-open, one at a time.

    Enough failures in a row open it; one in half-open opens it again for twice as long; a success in half-open
    closes it. The end of a call that began before it opened is counted and changes nothing while it is open; in
    half-open it cannot be told from the probe's and is taken for it. A probe that never says how it went is given up
    after as long as the breaker was open.

    Attributes:
        name: what it protects.
        state: as of the last question or answer.
        failures: in a row.
        total_successes, total_failures: ever.
        refused: calls that were not made.
        openings: times that it opened.
    """

    def __init__(
        self,
        name: str,
        report: Callable[[BreakerReport], object],
        *,
        most_failures: int = 5,
        open_seconds: float = 60.0,
        longest_open_seconds: float = 600.0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Make one that is closed.

        Args:
            name: what it protects.
            report: hears of every failure and every change of state.
            most_failures: in a row; this one opens it.
            open_seconds: first time; doubled whenever the probe fails, up to ``longest_open_seconds``.
            longest_open_seconds: the longest time without a probe.
            clock: monotonic ns.

        Raises:
            ValueError: a limit makes no sense.
        """
        if most_failures < 1:
            raise ValueError(f"breaker {name!r}: most_failures is {most_failures}, it must be at least 1")
        if not 0 < open_seconds <= longest_open_seconds < math.inf:
            raise ValueError(
                f"breaker {name!r}: open_seconds is {open_seconds} and longest_open_seconds {longest_open_seconds}; "
                "both must be positive, and the second not less than the first"
            )
        self.name = name
        self.state = BreakerState.CLOSED
        self.failures = 0
        self.total_successes = 0
        self.total_failures = 0
        self.refused = 0
        self.openings = 0
        self._report = report
        self._most_failures = most_failures
        self._first_open_ns = round(open_seconds * 1e9)
        self._longest_open_ns = round(longest_open_seconds * 1e9)
        self._open_ns = self._first_open_ns
        self._clock = clock
        self._until_ns = 0
        self._last_error = ""

    def allows(self) -> bool:  # hot path
        """Say whether to call now; after True, :meth:`success`, :meth:`failure` or :meth:`abandon` is due."""
        if self.state is BreakerState.CLOSED:
            return True
        now = self._clock()
        if now < self._until_ns:
            self.refused += 1
            return False
        # In half-open this is how long the probe has to say how it went.
        self._until_ns = now + self._open_ns
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN
            self._say("")
        return True

    def success(self) -> None:  # hot path
        """Say that the call worked."""
        self.total_successes += 1
        if self.state is BreakerState.CLOSED:
            self.failures = 0
        elif self.state is BreakerState.HALF_OPEN:
            self.failures = 0
            self.state = BreakerState.CLOSED
            self._open_ns = self._first_open_ns
            self._say("")

    def failure(self, error: Exception) -> None:
        """Say that the call failed."""
        self.total_failures += 1
        self.failures += 1
        self._last_error = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        if self.state is BreakerState.HALF_OPEN:
            self._open_ns = min(2 * self._open_ns, self._longest_open_ns)
            self._open()
        elif self.state is BreakerState.CLOSED and self.failures >= self._most_failures:
            self._open()
        self._say(self._last_error)

    def abandon(self) -> None:
        """Say that the call was given up, which shows neither: in half-open, another may be made at once."""
        if self.state is BreakerState.HALF_OPEN:
            self._until_ns = self._clock()

    def call(
        self, function: Callable[Arguments, Returned], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Returned:
        """Call a function that returns when it is done (not a coroutine function), and count how it went.

        Raises:
            BreakerOpenError: it was not called.
        """
        if not self.allows():
            raise BreakerOpenError(self.name, self.failures, self._last_error, self.retry_seconds())
        try:
            returned = function(*args, **kwargs)
        except Exception as error:
            self.failure(error)
            raise
        except BaseException:
            self.abandon()
            raise
        self.success()
        return returned

    def retry_seconds(self) -> float:
        """Return the seconds until a call may be let through; 0 for now."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        return max(0, self._until_ns - self._clock()) / 1e9

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self.openings += 1
        self._until_ns = self._clock() + self._open_ns

    def _say(self, error: str) -> None:
        self._report(
            BreakerReport(
                name=self.name,
                state=self.state,
                failures=self.failures,
                total_failures=self.total_failures,
                openings=self.openings,
                error=error,
                retry_seconds=self.retry_seconds() if self.state is BreakerState.OPEN else 0.0,
            )
        )
