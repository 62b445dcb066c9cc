"""Seeded rules that are not kind: distinct columns over four intervals, distinct thresholds where the columns lie.

A rule is kept as text for ours and, for the others, in a normal form: it matches if all its clauses hold, and a clause
holds if one of its comparisons does. Of the rules 30 % have an OR, 20 % a NOT, and 25 % compare a column with another
one times a factor of its own. All decide per tick.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_market import INTERVALS, market
from benchmarks.engine_talib import FIELDS, Column, charted
from tickfloor.contracts.traders import TraderSpec

PERIODS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 21, 24, 26, 28, 30, 34, 40, 50)
OVER: Final = {
    "sma": ("close", "high", "low", "volume"),
    "ema": ("close", "high", "low", "volume"),
    "rsi": ("close", "volume"),
    "atr": ("close",),
    "highest": ("high", "close", "volume"),
    "lowest": ("low", "close", "volume"),
    "change": ("close", "volume"),
}
"""Which bar fields an indicator is taken over."""

MINUTES: Final = 2.0
"""Of trading, in the market that the rules are made for."""

MIDDLE: Final = (0.05, 0.95)
"""Thresholds are drawn between these quantiles."""

OR_SHARE: Final = 0.30
NOT_SHARE: Final = 0.20
COLUMN_SHARE: Final = 0.25


class Comparison(NamedTuple):
    """``left < factor * right`` or ``left > factor * right``; without ``right`` the factor is the constant itself.

    Attributes:
        left, right: indices of columns.
        negated: the opposite is meant; every column is known here.
    """

    left: int
    below: bool
    factor: float
    right: int | None = None
    negated: bool = False

    def opposite(self) -> "Comparison":
        """Return what holds when this does not."""
        return self._replace(negated=not self.negated)


Clauses = tuple[tuple[Comparison, ...], ...]


class BenchmarkRule(NamedTuple):
    """One rule: its text, and the same as clauses of comparisons."""

    text: str
    clauses: Clauses


@dataclass(frozen=True)
class Rules:
    """Rules over the same columns."""

    columns: Sequence[Column]
    rules: Sequence[BenchmarkRule]

    def specs(self) -> list[TraderSpec]:
        """Return the rules as traders, in the order of their numbers."""
        return [
            TraderSpec(name=f"t{number:05}", rule=rule.text, requires_live=False)
            for number, rule in enumerate(self.rules)
        ]


@cache
def columns(count: int) -> tuple[Column, ...]:
    """Return so many distinct columns, as many of each interval."""
    rng = random.Random(60)
    of_interval = []
    for interval in INTERVALS:
        others = [Column("", field, 1, interval) for field in FIELDS if field != "close"]
        others += [
            Column(function, field, period, interval)
            for function, over in OVER.items()
            for field, period in product(over, PERIODS)
        ]
        rng.shuffle(others)
        # A rule set without the price itself is rare.
        of_interval.append([Column("", "close", 1, interval), *others[: count // len(INTERVALS) - 1]])
    return tuple(column for together in zip(*of_interval, strict=True) for column in together)


@cache
def column_samples(count: int) -> NDArray[np.float64]:
    """Return the columns over half a day of several instruments, a row for each column."""
    return charted(market(MINUTES), columns(count))


@cache
def rules(count: int, column_count: int) -> Rules:
    """Return so many rules over so many columns, each of which is used."""
    return _Writer(column_count).write(count)


class _Writer:
    """Writes rules over its columns, from one seed."""

    def __init__(self, column_count: int) -> None:
        self._rng = random.Random(1_000 + column_count)
        self._columns = columns(column_count)
        self._samples = column_samples(column_count)
        self._ordered = np.sort(self._samples)
        self._partners = [
            [other for other, each in enumerate(self._columns) if each.unit == column.unit and other != number]
            for number, column in enumerate(self._columns)
        ]
        self._turn: list[int] = []

    def write(self, count: int) -> Rules:
        """Return rules."""
        return Rules(self._columns, tuple(self._rule() for _ in range(count)))

    def _column(self) -> int:
        """Return a column; each has its turn before one comes again."""
        if not self._turn:
            self._turn = self._rng.sample(range(len(self._columns)), len(self._columns))
        return self._turn.pop()

    def _quantile(self, ordered: NDArray[np.float64]) -> float:
        """Return a number between two neighbours of these."""
        place, fraction = divmod(self._rng.uniform(*MIDDLE) * (len(ordered) - 1), 1.0)
        low, high = ordered[int(place)], ordered[int(place) + 1]
        return float(low + (high - low) * fraction)

    def _with_constant(self) -> Comparison:
        left = self._column()
        return Comparison(left, self._rng.random() < 0.5, self._quantile(self._ordered[left]))

    def _with_column(self) -> Comparison:
        left = self._column()
        while not self._partners[left]:
            left = self._column()
        right = self._rng.choice(self._partners[left])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self._samples[left] / self._samples[right]
        return Comparison(left, self._rng.random() < 0.5, self._quantile(np.sort(ratio[np.isfinite(ratio)])), right)

    def _rule(self) -> BenchmarkRule:
        rng = self._rng
        found = [self._with_constant() for _ in range(rng.choice((3, 4)))]
        if rng.random() < COLUMN_SHARE:
            found[0] = self._with_column()
        rng.shuffle(found)
        first, second, *others = found
        has_or, has_not = rng.random() < OR_SHARE, rng.random() < NOT_SHARE
        texts = [text_of(each, self._columns) for each in found]
        rest = [(each,) for each in others]
        rest_text = "".join(f" and {text}" for text in texts[2:])
        if has_or and has_not:  # not (a and b) is an OR as well
            return BenchmarkRule(f"(not {texts[0]} or {texts[1]}){rest_text}", ((first.opposite(), second), *rest))
        if has_or:
            return BenchmarkRule(f"({texts[0]} or {texts[1]}){rest_text}", ((first, second), *rest))
        if has_not and rng.random() < 0.5:
            return BenchmarkRule(
                f"not ({texts[0]} or {texts[1]}){rest_text}", ((first.opposite(),), (second.opposite(),), *rest)
            )
        if has_not:
            return BenchmarkRule(f"not {texts[0]} and {texts[1]}{rest_text}", ((first.opposite(),), (second,), *rest))
        return BenchmarkRule(" and ".join(texts), tuple((each,) for each in found))


def text_of(comparison: Comparison, columns: Sequence[Column]) -> str:
    """Return a comparison as a rule writes it, without its negation."""
    sign = "<" if comparison.below else ">"
    against = repr(comparison.factor)
    if comparison.right is not None:
        against += f" * {columns[comparison.right].text}"
    return f"{columns[comparison.left].text} {sign} {against}"
