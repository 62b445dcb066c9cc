"""Columns with a name of their own that are calculated from others: bands, channels, scores, order flow.

Everything recursive in them is an indicator that rules share, so a formula costs a few operations.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.protocol import LONGEST_PERIOD, PERIOD, Parameter
from tickfloor.traders.language.nodes import Arithmetic, BarValue, IndicatorValue, Number, NumberNode

Build = Callable[["On"], NumberNode]


@dataclass(frozen=True, slots=True)
class On:
    """What a formula is made for: its column, its parameters and its interval."""

    source: NumberNode
    parameters: tuple[float, ...]
    interval: Interval

    @property
    def n(self) -> float:
        """Return the period, which comes first."""
        return self.parameters[0]

    @property
    def k(self) -> Number:
        """Return the multiplier, which comes second."""
        return Number(float(self.parameters[1]))

    def field(self, name: str) -> BarValue:
        """Return a field of the bar."""
        return BarValue(name, 0, self.interval)

    def over(self, function: str, *sources: NumberNode) -> IndicatorValue:
        """Return an indicator of the formula's period, over its column unless others are given."""
        return IndicatorValue(function, sources or (self.source,), (self.n,), self.interval)

    def average_range(self) -> IndicatorValue:
        """Return the average true range of the formula's period."""
        return self.over("atr", self.field("high"), self.field("low"), self.field("close"))


@dataclass(frozen=True, slots=True)
class NamedFormula:
    """What a formula takes, and how it is made; without a column of its own it is given none."""

    columns: int
    parameters: tuple[Parameter, ...]
    build: Build


def _add(left: NumberNode, right: NumberNode) -> Arithmetic:
    return Arithmetic("+", left, right)


def _less(left: NumberNode, right: NumberNode) -> Arithmetic:
    return Arithmetic("-", left, right)


def _times(left: NumberNode, right: NumberNode) -> Arithmetic:
    return Arithmetic("*", left, right)


def _per(left: NumberNode, right: NumberNode) -> Arithmetic:
    return Arithmetic("/", left, right)


def _bands_upper(on: On) -> NumberNode:
    return _add(on.over("sma"), _times(on.k, on.over("stdev")))


def _bands_lower(on: On) -> NumberNode:
    return _less(on.over("sma"), _times(on.k, on.over("stdev")))


def _bands_width(on: On) -> NumberNode:
    return _per(_less(_bands_upper(on), _bands_lower(on)), on.over("sma"))


def _bands_percent(on: On) -> NumberNode:
    return _per(_less(on.source, _bands_lower(on)), _less(_bands_upper(on), _bands_lower(on)))


def _zscore(on: On) -> NumberNode:
    return _per(_less(on.source, on.over("sma")), on.over("stdev"))


def _channel_middle(on: On) -> NumberNode:
    return on.over("ema", on.field("close"))


def _channel_upper(on: On) -> NumberNode:
    return _add(_channel_middle(on), _times(on.k, on.average_range()))


def _channel_lower(on: On) -> NumberNode:
    return _less(_channel_middle(on), _times(on.k, on.average_range()))


def _reach_upper(on: On) -> NumberNode:
    return on.over("highest", on.field("high"))


def _reach_lower(on: On) -> NumberNode:
    return on.over("lowest", on.field("low"))


def _reach_middle(on: On) -> NumberNode:
    return _per(_add(_reach_upper(on), _reach_lower(on)), Number(2.0))


def _imbalance(on: On) -> NumberNode:
    return _per(on.field("delta"), on.field("volume"))


def _trades_per_second(on: On) -> NumberNode:
    return _per(on.field("trades"), Number(on.interval.ms / 1000.0))


_TWENTY = Parameter("period", 1, LONGEST_PERIOD, 20)
_TWICE = Parameter("multiplier", 0.01, 100, 2.0, whole=False)
_BANDS = (_TWENTY, _TWICE)

FORMULAS = {
    "bbands_upper": NamedFormula(1, _BANDS, _bands_upper),
    "bbands_middle": NamedFormula(1, _BANDS, lambda on: on.over("sma")),
    "bbands_lower": NamedFormula(1, _BANDS, _bands_lower),
    "bbands_width": NamedFormula(1, _BANDS, _bands_width),
    "bbands_percent": NamedFormula(1, _BANDS, _bands_percent),
    "zscore": NamedFormula(1, (PERIOD,), _zscore),
    "keltner_upper": NamedFormula(0, _BANDS, _channel_upper),
    "keltner_middle": NamedFormula(0, _BANDS, _channel_middle),
    "keltner_lower": NamedFormula(0, _BANDS, _channel_lower),
    "donchian_upper": NamedFormula(0, (PERIOD,), _reach_upper),
    "donchian_middle": NamedFormula(0, (PERIOD,), _reach_middle),
    "donchian_lower": NamedFormula(0, (PERIOD,), _reach_lower),
    "imbalance": NamedFormula(0, (), _imbalance),
    "trades_per_second": NamedFormula(0, (), _trades_per_second),
}
