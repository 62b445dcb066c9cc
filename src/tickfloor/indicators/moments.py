"""Mean and squared deviations of the last n - 1 values, kept without ever subtracting from a sum.

The values are cut where blocks of ``n - 1`` meet: they are the rest of one block and the beginning of the next. The
moments of both are grown value by value (B. P. Welford, 1962) and joined (T. F. Chan, G. H. Golub and R. J. LeVeque,
1979), so they are good however small the deviations are against the values.
"""

import struct
from array import array
from typing import TypeVar

import numpy as np

from tickfloor.indicators.protocol import NAN, State, Values
from tickfloor.indicators.window import RecentValues

_SEEN = struct.Struct("q")

Number = TypeVar("Number", float, Values)
Moments = tuple[Number, Number]
"""Mean, and sum of squared deviations from it."""

_UNKNOWN: Moments[float] = (NAN, NAN)


def _grown(moments: Moments[Number], count: int, value: Number) -> Moments[Number]:
    """Return the moments with one more value, the ``count``-th."""
    mean, squares = moments
    distance = value - mean
    return mean + distance / count, squares + distance * distance * ((count - 1) / count)


def _joined(left: Moments[Number], right: Moments[Number], share: Number, both: Number) -> Moments[Number]:
    """Return the moments of two parts: the right one's share of the count, and both counts' product over the sum."""
    distance = right[0] - left[0]
    return left[0] + distance * share, left[1] + right[1] + distance * distance * both


class RecentMoments:
    """The moments of the last ``block`` closed values.

    ``_rest_means[i]`` and ``_rest_squares[i]`` are the moments of the last whole block from its index i on, and
    ``_begun`` those of the block of the last value up to it.

    Attributes:
        moments: of the last ``block`` values; NaN while there are fewer or one of them is unknown.
    """

    __slots__ = ("_begun", "_block", "_rest_means", "_rest_squares", "_seen", "_window", "moments")
    _begun: Moments[float]

    def __init__(self, block: int) -> None:
        self._block = block
        self._window = RecentValues(block)
        self._seen = 0
        self._look_back()

    def push(self, value: float) -> None:
        """Add a closed value."""
        self._window.push(value)
        index = self._seen % self._block
        self._seen += 1
        self._begun = _grown(self._begun, index + 1, value) if index else (value, 0.0)
        self._join(index + 1)

    def _join(self, begun: int) -> None:
        """Set the moments, ``begun`` values after the last whole block began."""
        block = self._block
        if begun == block:
            self.moments = self._begun
            self._set_rests(self._window.values[-block:])
        else:
            rest = self._rest_means[begun], self._rest_squares[begun]
            self.moments = _joined(rest, self._begun, begun / block, begun * (block - begun) / block)

    def _set_rests(self, values: "array[float]") -> None:
        """Set the rests of the block that these values end."""
        self._rest_means = array("d", [NAN]) * self._block
        self._rest_squares = array("d", [NAN]) * self._block
        rest = _UNKNOWN
        for count, value in enumerate(reversed(values), 1):
            rest = _grown(rest, count, value) if count > 1 else (value, 0.0)
            self._rest_means[-count], self._rest_squares[-count] = rest

    def _look_back(self) -> None:
        """Compute everything from the kept values."""
        self._begun = self.moments = _UNKNOWN
        values = self._window.values
        begun = (self._seen - 1) % self._block + 1 if self._seen else 0
        whole = len(values) - begun
        self._set_rests(values[max(whole - self._block, 0) : whole])
        for count, value in enumerate(values[whole:], 1):
            self._begun = _grown(self._begun, count, value) if count > 1 else (value, 0.0)
        if begun:
            self._join(begun)

    def rewind(self, bars: int) -> None:
        """Take back the last values."""
        if bars:
            self._window.rewind(bars)
            self._seen = max(self._seen - bars, 0)
            self._look_back()

    def state(self) -> State:
        """Return how many values have been seen, and the kept ones, oldest first."""
        return _SEEN.pack(self._seen) + self._window.state()

    def restore(self, state: State) -> None:
        """Become the moments that gave this state."""
        (self._seen,) = _SEEN.unpack_from(state)
        self._window.restore(state[_SEEN.size :])
        self._look_back()


def moments_over(values: Values, block: int) -> Moments[Values]:
    """Return the moments that :class:`RecentMoments` has after each value."""
    blocks = -(-len(values) // block)
    padded = np.full(blocks * block, NAN)
    padded[: len(values)] = values
    grid = np.ascontiguousarray(padded.reshape(blocks, block).T)  # a row for each index in a block
    begun = _grown_rows(grid)
    rests = _grown_rows(grid[::-1])
    means, squares = begun
    counts = np.arange(1.0, block)[:, np.newaxis]
    left = rests[0][-2::-1, :-1], rests[1][-2::-1, :-1]
    right = means[:-1, 1:], squares[:-1, 1:]
    joined = _joined(left, right, counts / block, counts * (block - counts) / block)
    for both, ours in zip((means, squares), joined, strict=True):
        both[:-1, 1:] = ours
        both[:-1, :1] = NAN
    return means.T.reshape(-1)[: len(values)], squares.T.reshape(-1)[: len(values)]


def _grown_rows(grid: Values) -> Moments[Values]:
    """Return for each row the moments of the rows up to it, column by column."""
    means, squares = np.empty_like(grid), np.empty_like(grid)
    moments = (grid[0], np.zeros(grid.shape[1]))
    for row, values in enumerate(grid):
        if row:
            moments = _grown(moments, row + 1, values)
        means[row], squares[row] = moments
    return means, squares
