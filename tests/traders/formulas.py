"""Indicators from the whole lists of their inputs, by their textbook formulas.

Those whose formula the tests of indicators hold to other sources at length are replayed from their first bar, which
shows whether the engine feeds and rewinds them as it should.
"""

import math
from itertools import pairwise

from tickfloor.indicators.catalogue import INDICATORS

NAN = math.nan


def sma(values, n):
    window = values[-n:]
    return math.fsum(window) / n if len(window) == n and not any(map(math.isnan, window)) else NAN


def known_tail(values):
    """Return the values after the last unknown one."""
    for index in range(len(values) - 1, -1, -1):
        if math.isnan(values[index]):
            return values[index + 1 :]
    return values


def ema(values, n):
    values = known_tail(values)
    if len(values) < n:
        return NAN
    return weighted(values, n, 2.0 / (n + 1))


def weighted(values, n, weight):
    level = sum(values[:n]) / n
    for value in values[n:]:
        level = weight * value + (1.0 - weight) * level
    return level


def wilder(values, n):
    values = known_tail(values)
    if len(values) < n:
        return NAN
    return weighted(values, n, 1.0 / n)


def rsi(values, n):
    values = known_tail(values)
    changes = [after - before for before, after in pairwise(values)]
    gain = wilder([max(change, 0.0) for change in changes], n)
    loss = wilder([max(-change, 0.0) for change in changes], n)
    return NAN if math.isnan(gain) else 100.0 * (gain / (gain + loss)) if gain + loss else 0.0


def true_range(high, low, before):
    return max(high - low, abs(high - before), abs(low - before)) if high == high and before == before else NAN


def atr(highs, lows, closes, n):
    ranges = [true_range(high, low, before) for high, low, before in zip(highs[1:], lows[1:], closes, strict=False)]
    return wilder([NAN, *ranges], n)


def extreme(pick):
    def of(values, n):
        window = values[-n:]
        return pick(window) if len(window) == n and not any(map(math.isnan, window)) else NAN

    return of


def change(values, n):
    return values[-1] - values[-1 - n] if len(values) > n else NAN


def run(sign):
    def of(values):
        moves = [sign * (after - before) for before, after in pairwise(values)]
        if not moves or math.isnan(moves[-1]):
            return NAN
        return float(next((back for back, move in enumerate(reversed(moves)) if not move > 0.0), len(moves)))

    return of


def count(values, n):
    window = values[-n:]
    return float(sum(map(bool, window))) if len(window) == n and not any(map(math.isnan, window)) else NAN


def since(values):
    return next((float(back) for back, value in enumerate(reversed(values)) if value == 1.0), NAN)


def replayed(name):
    def of(*inputs_and_parameters):
        kind = INDICATORS[name]
        split = len(kind.inputs)
        indicator, value = kind(*inputs_and_parameters[split:]), NAN
        for values in zip(*inputs_and_parameters[:split], strict=True):
            value = indicator.close(*values)
        return value

    return of


FUNCTIONS = {
    "sma": sma, "ema": ema, "rsi": rsi, "atr": atr, "highest": extreme(max), "lowest": extreme(min), "change": change,
    "bars_rising": run(1), "bars_falling": run(-1), "count_of": count, "bars_since": since,
}  # fmt: skip
FUNCTIONS |= {
    name: replayed(name) for name in INDICATORS if name not in {*FUNCTIONS, "rises", "falls", "count", "since"}
}

INPUTS = {name: INDICATORS[name].inputs for name in INDICATORS}
INPUTS |= dict.fromkeys(("bars_rising", "bars_falling"), ("",))
"""What each is over: bar fields, or "" for a column that the rule names."""

TEMPLATES = {
    "bbands_upper": "sma({x}, {n}) + {k} * stdev({x}, {n})",
    "bbands_middle": "sma({x}, {n})",
    "bbands_lower": "sma({x}, {n}) - {k} * stdev({x}, {n})",
    "bbands_width":
        "((sma({x}, {n}) + {k} * stdev({x}, {n})) - (sma({x}, {n}) - {k} * stdev({x}, {n}))) / sma({x}, {n})",
    "bbands_percent":
        "({x} - (sma({x}, {n}) - {k} * stdev({x}, {n})))"
        " / ((sma({x}, {n}) + {k} * stdev({x}, {n})) - (sma({x}, {n}) - {k} * stdev({x}, {n})))",
    "zscore": "({x} - sma({x}, {n})) / stdev({x}, {n})",
    "keltner_upper": "ema(close, {n}) + {k} * atr({n})",
    "keltner_middle": "ema(close, {n})",
    "keltner_lower": "ema(close, {n}) - {k} * atr({n})",
    "donchian_upper": "highest(high, {n})",
    "donchian_middle": "(highest(high, {n}) + lowest(low, {n})) / 2",
    "donchian_lower": "lowest(low, {n})",
    "imbalance": "delta / volume",
    "trades_per_second": "trades / {seconds}",
}  # fmt: skip
"""Formulas in the rule language itself, of a column x, a period n and a multiplier k."""
