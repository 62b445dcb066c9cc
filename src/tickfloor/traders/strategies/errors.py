"""What is wrong with a strategy."""

from tickfloor.contracts.errors import TickfloorError


class StrategyError(TickfloorError):
    """A strategy cannot be loaded, or does what it may not; the message says which file, which line and why."""
