"""Bar intervals. Every longer one is a whole number of the shorter ones before it."""

from enum import IntEnum


class Interval(IntEnum):
    """A bar interval; the value is its index in the board's bar area and the record's code byte."""

    M1 = 0
    M5 = 1
    M15 = 2
    H1 = 3
    H4 = 4
    D1 = 5

    @property
    def label(self) -> str:
        """The name used in rules and reports, for example ``15m``."""
        return LABELS[self]

    @property
    def ms(self) -> int:
        """Length in milliseconds."""
        return MILLISECONDS[self]

    @property
    def ns(self) -> int:
        """Length in nanoseconds."""
        return MILLISECONDS[self] * 1_000_000


LABELS = ("1m", "5m", "15m", "1h", "4h", "1d")
MILLISECONDS = (60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000)
BY_LABEL = {label: Interval(index) for index, label in enumerate(LABELS)}
