"""What poc, value_area_high and value_area_low share: a price that is read from a market profile."""

from typing import ClassVar

from tickfloor.indicators.closed_profile import ClosedProfile
from tickfloor.indicators.protocol import NAN
from tickfloor.indicators.volume_profile import Level, price_of


class ProfilePrice(ClosedProfile):
    """A price of the :class:`ClosedProfile`; the forming bar does not move it."""

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "volume")
    __slots__ = ("_price",)

    def _edge(self, levels: list[Level], total: int) -> float:
        """Return where the price is, in bins."""
        raise NotImplementedError

    def _read(self, levels: list[Level], total: int) -> None:
        self._price = price_of(self._edge(levels, total)) if levels else NAN

    def value_now(self, high: float, low: float, volume: float, *rest: float) -> float:  # noqa: ARG002  hot path
        """Return the price that the closed bars give."""
        return self._price

    def sensitivity(self) -> float:
        """Return 0: the profile is of closed bars only."""
        return 0.0
