"""What is wrong with a strategy."""

from tickfloor.contracts.errors import RuleError, TickfloorError


class StrategyError(TickfloorError):
    """A strategy cannot be loaded, or does what it may not; the message says which file, which line and why."""


class DeclarationError(RuleError, StrategyError):
    """A column or a rule that a strategy's class declares is not valid; ``text`` is what the class says."""

    def __init__(self, class_name: str, which: str, error: RuleError) -> None:
        super().__init__(
            f"{class_name}.{which}, column {error.column}: {error.message}",
            text=error.text,
            column=error.column,
            hint=error.hint,
        )
