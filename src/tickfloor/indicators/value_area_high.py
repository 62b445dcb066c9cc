"""Upper end of the value area."""

from tickfloor.indicators.profile_price import ProfilePrice
from tickfloor.indicators.value_area import value_area
from tickfloor.indicators.volume_profile import Level


class ValueAreaHigh(ProfilePrice):
    """Upper edge of the value area, the prices around the point of control with 70 % of the volume."""

    __slots__ = ()

    def _edge(self, levels: list[Level], total: int) -> float:
        _, edge = value_area(levels, total)
        return edge
