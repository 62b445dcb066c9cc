"""What domain code asks of the runtime it lives in, without knowing how it is done."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

FieldValue = str | int | float | bool | None
"""What a field of a log line can be."""


class MetricsPort(Protocol):
    """Counts and measures under names."""

    def increment(self, name: str, by: float = 1) -> None:
        """Add to a counter; ``by`` is finite and not negative."""

    def gauge(self, name: str, value: float) -> None:
        """Set what changes both ways to its newest, finite value."""


class BreakerPort(Protocol):
    """Stops calling what keeps failing."""

    def allows(self) -> bool:
        """Say whether to call now; after True, :meth:`success`, :meth:`failure` or :meth:`abandon` is due."""

    def success(self) -> None:
        """Say that the call worked."""

    def failure(self, error: Exception) -> None:
        """Say that the call failed."""

    def abandon(self) -> None:
        """Say that the call was given up, which shows neither."""

    def retry_seconds(self) -> float:
        """Return the seconds until a call may be let through; 0 for now."""

    def call(
        self, function: Callable[Arguments, Returned], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Returned:
        """Call a function that returns when it is done, and say how it went.

        Raises:
            TickfloorError: it is not called now; the message says when to try again.
        """


class LimiterPort(Protocol):
    """Keeps a rate."""

    def allows(self, cost: int = 1) -> bool:
        """Take so much of the allowance and say so, or take nothing."""

    def wait_seconds(self, cost: int = 1) -> float:
        """Return the seconds until so much will be allowed; 0 for now."""


class LogPort(Protocol):
    """Says what happened."""

    def debug(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what only a developer wants to know."""

    def info(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what happened as it should."""

    def warning(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what somebody should look at."""

    def error(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what failed."""
