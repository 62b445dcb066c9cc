"""Correlation of two columns. Formula: TA-Lib CORREL (Pearson's coefficient)."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, NAN, Parameter, State, Values
from tickfloor.indicators.recent_columns import RecentColumns
from tickfloor.indicators.sliding import PRODUCT_LIMIT, TWO_BARS_OR_MORE, known_factors, over_windows


class Correlation:
    """Pearson's coefficient of the last ``period`` pairs, -1 to 1, known from the bar with index ``period - 1``.

    It is 0 if one of the two stood still, as in TA-Lib. Values from 1e150 on are unknown.

    Summed are distances to the oldest pair of the window, so nothing is lost where values are large and move little.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN, COLUMN)
    parameters: ClassVar[tuple[Parameter, ...]] = (TWO_BARS_OR_MORE,)
    __slots__ = ("_oldest", "_pairs", "_period", "_sums")

    def __init__(self, period: int) -> None:
        self._period = period
        self._pairs = RecentColumns(2, period)
        self._oldest = (NAN, NAN)
        self._sums = [NAN] * 5

    def _sum_closed(self) -> None:
        carried = self._period - 1
        ones, others = (column.values for column in self._pairs.columns)
        if len(ones) < carried:
            self._oldest, self._sums = (NAN, NAN), [NAN] * 5
            return
        self._oldest = ones[-carried], others[-carried]
        one, other = np.array(ones[-carried:]) - self._oldest[0], np.array(others[-carried:]) - self._oldest[1]
        terms = np.array((one, other, one * one, other * other, one * other))
        self._sums = np.add.accumulate(terms, axis=1)[:, -1].tolist()

    def value_now(self, one: float, other: float) -> float:  # hot path
        """Return the coefficient of this and the ``period - 1`` pairs before it."""
        if not (-PRODUCT_LIMIT < one < PRODUCT_LIMIT and -PRODUCT_LIMIT < other < PRODUCT_LIMIT):
            return NAN
        first, second = self._oldest
        one -= first
        other -= second
        ones, others, squares, other_squares, products = self._sums
        ones += one
        others += other
        period = self._period
        shared = (products + one * other) - ones * others / period
        spread = (squares + one * one) - ones * ones / period
        other_spread = (other_squares + other * other) - others * others / period
        if shared != shared:
            return NAN
        if spread <= 0.0 or other_spread <= 0.0:
            return 0.0
        return max(-1.0, min(1.0, shared / (math.sqrt(spread) * math.sqrt(other_spread))))

    def close(self, one: float, other: float) -> float:
        """Commit a closed bar's pair."""
        result = self.value_now(one, other)
        is_known = -PRODUCT_LIMIT < one < PRODUCT_LIMIT and -PRODUCT_LIMIT < other < PRODUCT_LIMIT
        self._pairs.push(*((one, other) if is_known else (NAN, NAN)))
        self._sum_closed()
        return result

    def _over_block(self, ones: Values, others: Values) -> Values:
        windows = len(ones) - self._period + 1
        sums = np.zeros((5, windows))
        for index in range(self._period):
            one = ones[index : index + windows] - ones[:windows]
            other = others[index : index + windows] - others[:windows]
            for total, term in zip(sums, (one, other, one * one, other * other, one * other), strict=True):
                total += term
        one, other, square, other_square, product = sums
        shared = product - one * other / self._period
        spread = square - one * one / self._period
        other_spread = other_square - other * other / self._period
        stood_still = (spread <= 0.0) | (other_spread <= 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.clip(shared / (np.sqrt(spread) * np.sqrt(other_spread)), -1.0, 1.0)
        return np.where(np.isnan(shared), NAN, np.where(stood_still, 0.0, ratio))

    def over(self, ones: Values, others: Values) -> Values:
        """Return the coefficient of every window of a history."""
        return over_windows(self._period, self._over_block, known_factors(ones), known_factors(others))

    def sensitivity(self) -> float:
        """Return infinity: where both hardly moved, the smallest move can turn the coefficient around."""
        return math.inf

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._pairs.rewind(bars)
        self._sum_closed()

    def state(self) -> State:
        """Return the kept pairs."""
        return self._pairs.state()

    def restore(self, state: State) -> None:
        """Become the coefficient that gave this state."""
        self._pairs.restore(state)
        self._sum_closed()
