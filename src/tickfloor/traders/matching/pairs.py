"""Comparisons of two columns, looked at all at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.traders.columns.frames import Frames
from tickfloor.traders.columns.reach import HUGE, ROUNDING
from tickfloor.traders.matching.comparisons import Comparing

_OPERATORS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}

Floats = NDArray[np.float64]


class Looked(NamedTuple):
    """What there is to see of each, aligned with the places.

    Attributes:
        is_set: whether its bit is set.
        room: how far it is from changing that; zero where unknown.
        with_price, with_volume: how far it moves with them.
    """

    is_set: NDArray[np.bool_]
    room: Floats
    with_price: Floats
    with_volume: Floats


class Pairs:
    """Comparisons of a column with another one times a factor.

    Attributes:
        places: of each.
        planes, bits: of each the plane and the bit.
    """

    __slots__ = ("_factors", "_left", "_right", "_runs", "_set_if", "_sizes", "_width", "bits", "places", "planes")

    def __init__(self, places: Sequence[int], comparing: Sequence[Comparing]) -> None:
        order = sorted(range(len(places)), key=lambda number: _operator(comparing[number]))
        ordered = [comparing[number] for number in order]
        pairs = [each.pair for each in ordered if each.pair is not None]
        self.places = np.array([places[number] for number in order])
        self.planes = np.array([each.plane for each in ordered])
        self.bits = np.array([each.bit for each in ordered])
        self._width = int(self.bits.max()) + 1
        self._left = np.array([pair.left for pair in pairs])
        self._right = np.array([pair.right for pair in pairs])
        self._factors = np.array([pair.factor for pair in pairs])
        self._sizes = np.abs(self._factors)
        self._set_if = np.array([each.set_if for each in ordered])
        self._runs: list[tuple[str, int, int]] = []
        """operator, and from where to where it is"""
        for number, pair in enumerate(pairs):
            if self._runs and self._runs[-1][0] == pair.operator:
                self._runs[-1] = (pair.operator, self._runs[-1][1], number + 1)
            else:
                self._runs.append((pair.operator, number, number + 1))

    def mask(self, among: NDArray[np.bool_]) -> int:
        """Return the bits of some of them, as one number."""
        digits = np.zeros(self._width, dtype=bool)
        digits[self.bits[among]] = True
        return int.from_bytes(np.packbits(digits, bitorder="little").tobytes(), "little")

    def look(self, frames: Frames) -> Looked:
        """Look at the columns, which must be up to date and have their reach known."""
        now, with_price, with_volume = (np.array(each) for each in (frames.now, frames.with_price, frames.with_volume))
        left = now[self._left]
        with np.errstate(over="ignore", invalid="ignore"):
            right = now[self._right] * self._factors
            # As the rule language multiplies: what is too large is unknown.
            right[~(np.abs(right) < LIMIT)] = NAN
            holds = np.empty(len(left), dtype=bool)
            for operator, start, end in self._runs:
                _OPERATORS[operator](left[start:end], right[start:end], out=holds[start:end])
            size = np.abs(left) + np.abs(right)
            room = np.where(size < HUGE, np.abs(left - right) - ROUNDING * size, 0.0)
        return Looked(
            holds == self._set_if,
            room,
            with_price[self._left] + _scaled(with_price[self._right], self._sizes),
            with_volume[self._left] + _scaled(with_volume[self._right], self._sizes),
        )


def _operator(comparing: Comparing) -> str:
    return "" if comparing.pair is None else comparing.pair.operator


def _scaled(reach: Floats, size: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        scaled = reach * size
    return np.where((reach == np.inf) | (reach == 0.0), reach, scaled)
