"""The fields of the forming bars that columns show, kept up to date trade by trade."""

from collections.abc import Iterable

from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.market.bars import BUY_VOLUME, CLOSE, HIGH, LOW, VOLUME
from tickfloor.traders.columns.evaluate import Frame
from tickfloor.traders.language.vocabulary import DELTA


def bar_value(bar: Bar, field: int) -> float:
    """Return a field of a bar, or one derived from its fields."""
    if field < BAR_WORDS:
        return bar[field]
    sold = bar[VOLUME] - bar[BUY_VOLUME]
    return bar[BUY_VOLUME] - sold if field == DELTA else sold


class FormingFields:
    """Slots of the forming bars of all intervals, each with the closed minutes of its bar.

    The same floats as ``market.bars.fold`` gives, without the fields that nobody reads.
    """

    __slots__ = ("_closes", "_extremes", "_sums")

    def __init__(self, fields: Iterable[tuple[int, int, Bar | None]]) -> None:
        self._closes: list[int] = []
        self._extremes: list[tuple[int, int, Bar | None]] = []
        self._sums: list[tuple[int, int, Bar | None]] = []
        for slot, field, part in fields:
            if field == CLOSE:
                self._closes.append(slot)
            elif field in (HIGH, LOW):
                self._extremes.append((slot, field, part))
            elif field >= VOLUME:
                self._sums.append((slot, field, part))

    def show_price(self, now: Frame, minute: Bar) -> None:  # hot path
        """Show what moves with the price."""
        price = minute[CLOSE]
        for slot in self._closes:
            now[slot] = price
        for slot, field, part in self._extremes:
            value = minute[field]
            if part is not None:
                base = part[field]
                value = (value if value > base else base) if field == HIGH else (value if value < base else base)
            now[slot] = value

    def show_sums(self, now: Frame, minute: Bar) -> None:  # hot path
        """Show what every trade adds to."""
        for slot, field, part in self._sums:
            if part is None:
                now[slot] = minute[field] if field < BAR_WORDS else bar_value(minute, field)
            elif field < BAR_WORDS:
                now[slot] = part[field] + minute[field]
            else:
                bought = part[BUY_VOLUME] + minute[BUY_VOLUME]
                sold = part[VOLUME] + minute[VOLUME] - bought
                now[slot] = bought - sold if field == DELTA else sold
