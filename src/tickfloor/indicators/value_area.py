"""Value area: the prices around the point of control that hold 70 % of the volume."""

from tickfloor.indicators.volume_profile import Level

SHARE = (7, 10)
"""As a fraction of whole numbers: volume is counted exactly."""


def busiest(levels: list[Level]) -> int:
    """Return the index of the level with the most volume per bin, the lowest of several."""
    volumes = [volume for _, _, volume in levels]
    return volumes.index(max(volumes))


def value_area(levels: list[Level], total: int) -> tuple[int, int]:
    """Return the first bin of the value area and the bin after its last one.

    It starts as the busiest level, and takes the busier of the bins just above and just below, the upper if they are
    equal, until it holds 70 % of the volume.
    """
    start = busiest(levels)
    bottom, top, volume = levels[start]
    wanted, of = total * SHARE[0], SHARE[1]
    held = (top - bottom) * volume
    below, above = start - 1, start + 1
    while held * of < wanted:
        lower = levels[below][2] if below >= 0 else -1
        upper = levels[above][2] if above < len(levels) else -1
        is_up = upper >= lower
        first, end, volume = levels[above if is_up else below]
        bins = end - first
        if volume:
            bins = min(bins, -((held * of - wanted) // (volume * of)))
        if is_up:
            top += bins
            above += 1
        else:
            bottom -= bins
            below -= 1
        held += bins * volume
    return bottom, top
