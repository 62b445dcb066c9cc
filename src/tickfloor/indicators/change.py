"""Change over n bars. Formula: TA-Lib MOM."""

from tickfloor.indicators.compared import ComparedWithEarlier
from tickfloor.indicators.protocol import LIMIT, NAN, Values
from tickfloor.indicators.unknown import before, known_values


class Change(ComparedWithEarlier):
    """The value minus the value ``period`` bars before."""

    __slots__ = ()

    def value_now(self, value: float) -> float:  # hot path
        """Return this value minus the one ``period`` bars before."""
        return value - self._earlier if -LIMIT < value < LIMIT else NAN

    def over(self, values: Values) -> Values:
        """Return the change at each bar."""
        values = known_values(values)
        return values - before(values, self._period)

    def sensitivity(self) -> float:
        """Return 1: the value before is fixed."""
        return 1.0
