"""Point of control: the price at which most was traded."""

from tickfloor.indicators.profile_price import ProfilePrice
from tickfloor.indicators.value_area import busiest
from tickfloor.indicators.volume_profile import Level


class Poc(ProfilePrice):
    """Middle of the bins with the most volume; the lowest such place if there are several."""

    __slots__ = ()

    def _edge(self, levels: list[Level], total: int) -> float:  # noqa: ARG002
        first, end, _ = levels[busiest(levels)]
        return (first + end) / 2
