"""What workers report about themselves: batched, bounded, and never in the way of what must not be lost."""

from enum import StrEnum

from tickfloor.contracts.message import Message


class BreakerState(StrEnum):
    """Whether a circuit breaker lets calls through: all, none, or one to see whether it works again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class MetricsDelta(Message, frozen=True, kw_only=True):
    """What a worker's metrics have changed by since its last report.

    Attributes:
        counts: added to each counter.
        gauges: newest values.
        updates: calls that this report stands for; without batching each would be a message.
    """

    counts: dict[str, float]
    gauges: dict[str, float]
    updates: int


class BreakerReport(Message, frozen=True, kw_only=True):
    """A circuit breaker has counted a failure or changed its state.

    Attributes:
        name: what it protects.
        failures: in a row; total_failures: ever.
        openings: times that it opened, ever.
        error: the failure's own words; empty when a success or the clock changed the state.
        retry_seconds: until the next attempt is let through, while it is open.
    """

    name: str
    state: BreakerState
    failures: int
    total_failures: int
    openings: int
    error: str
    retry_seconds: float


class LimiterReport(Message, frozen=True, kw_only=True):
    """What a rate limiter has let through and refused since its last report; there is one only if it refused.

    Attributes:
        name: what it limits.
        allowed: cost that was let through; refused: cost that was not.
    """

    name: str
    allowed: int
    refused: int
