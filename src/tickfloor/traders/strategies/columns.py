"""What strategies need of whoever computes the columns of rules."""

from collections.abc import Mapping
from typing import Protocol

from tickfloor.contracts.traders import TraderSpec


class WatchedColumns(Protocol):
    """Computes columns for those who only look at them."""

    def watch(self, spec: TraderSpec, columns: Mapping[str, str]) -> None:
        """Compute columns for a trader, instead of those that it watched before.

        Columns that somebody uses already keep what they know, also those that the trader itself watched before.

        Args:
            spec: who watches, on which instruments, and the default interval of the texts.
            columns: their texts, as in a rule, by the names that they shall have.

        Raises:
            RuleError: one of them is not valid.
        """

    def unwatch(self, name: str) -> None:
        """Compute for a trader no more; one that watches nothing is no error."""

    def watched(self, name: str, row: int) -> Mapping[str, float]:
        """Return the columns of an instrument as a per-tick rule would see them now, by name; NaN where unknown."""
