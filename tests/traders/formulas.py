"""Every indicator from the whole list of its inputs, by its textbook formula."""

import math
from itertools import pairwise

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
    level = sum(values[:n]) / n
    for value in values[n:]:
        level = (value - level) * (2.0 / (n + 1)) + level
    return level


def wilder(values, n):
    values = known_tail(values)
    if len(values) < n:
        return NAN
    level = sum(values[:n]) / n
    for value in values[n:]:
        level = (level * (n - 1) + value) / n
    return level


def rsi(values, n):
    values = known_tail(values)
    changes = [after - before for before, after in pairwise(values)]
    gain = wilder([max(change, 0.0) for change in changes], n)
    loss = wilder([max(-change, 0.0) for change in changes], n)
    return NAN if math.isnan(gain) else 100.0 * (gain / (gain + loss)) if gain + loss else 0.0


def extreme(pick):
    def of(values, n):
        window = values[-n:]
        return pick(window) if len(window) == n and not any(map(math.isnan, window)) else NAN

    return of


def change(values, n):
    return values[-1] - values[-1 - n] if len(values) > n else NAN


FUNCTIONS = {
    "sma": sma, "ema": ema, "rsi": rsi, "atr": wilder, "highest": extreme(max), "lowest": extreme(min),
    "change": change,
}  # fmt: skip
