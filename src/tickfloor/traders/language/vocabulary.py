"""The names a rule may use: market columns, bar fields, functions, qualities. And how much of them."""

from enum import IntEnum, IntFlag

from tickfloor.contracts.bars import BarField
from tickfloor.contracts.records import Quality
from tickfloor.indicators.catalogue import INDICATORS


class Input(IntFlag):
    """The kinds of record that change a column; a per-tick rule is decided on those of its own columns."""

    TRADE = 1
    QUOTE = 2
    PRICES_24H = 4
    VOLUMES_24H = 8
    QUALITY = 16


class MarketColumn(IntEnum):
    """Index of a market column among an instrument's market values."""

    LAST = 0
    LAST_QTY = 1
    CUMULATIVE_DELTA = 2
    BID = 3
    BID_SIZE = 4
    ASK = 5
    ASK_SIZE = 6
    MID = 7
    SPREAD = 8
    OPEN_24H = 9
    HIGH_24H = 10
    LOW_24H = 11
    CHANGE_24H = 12
    VOLUME_24H = 13
    QUOTE_VOLUME_24H = 14
    TRADES_24H = 15
    QUALITY = 16
    VOLUME_RANK = 17
    """place among the venue's instruments by quote volume, taken when the instrument's own volumes change"""

    @property
    def changed_by(self) -> Input:
        """The kind of record that changes it."""
        return _CHANGED_BY[self]


_CHANGED_BY = (
    *(Input.TRADE,) * 3, *(Input.QUOTE,) * 6, *(Input.PRICES_24H,) * 4, *(Input.VOLUMES_24H,) * 3, Input.QUALITY,
    Input.VOLUMES_24H,
)  # fmt: skip

MARKET_COLUMNS = {column.name.lower(): column for column in MarketColumn}

SELL_VOLUME = len(BarField)
"""Derived bar field: volume less buy volume."""
DELTA = SELL_VOLUME + 1
"""Derived bar field: buy volume less sell volume."""

BAR_FIELDS = {
    "open": int(BarField.OPEN),
    "high": int(BarField.HIGH),
    "low": int(BarField.LOW),
    "close": int(BarField.CLOSE),
    "volume": int(BarField.VOLUME),
    "quote_volume": int(BarField.QUOTE_VOLUME),
    "buy_volume": int(BarField.BUY_VOLUME),
    "sell_volume": SELL_VOLUME,
    "delta": DELTA,
    "trades": int(BarField.TRADES),
    "start": int(BarField.START_MS),
}
"""All that a column can hold of a bar."""

INPUT_ONLY = frozenset(("start",))
"""Bar fields that only indicators are fed with."""

NAMED_FIELDS = tuple(name for name in BAR_FIELDS if name not in INPUT_ONLY)

WRITTEN = {"rises": "bars_rising", "falls": "bars_falling", "count": "count_of", "since": "bars_since"}
"""How rules write the indicators that they do not call by their own name."""

OF_CONDITIONS = {"count_of": "count", "bars_since": "since"}
"""Functions of a condition, and the indicator behind each."""
RUNS = {"rising": "rises", "falling": "falls"}
"""Conditions on how many bars in a row did something, and the indicator that counts them."""

INDICATOR_NAMES = {WRITTEN.get(name, name): name for name in INDICATORS if name not in OF_CONDITIONS.values()}
"""The indicators over columns, by the name that rules use."""

CLOCKS = ("hour", "minute", "weekday", "minute_of_day")
CROSSES = ("crosses_above", "crosses_below")
JOINS = ("any_of", "all_of")
CONDITIONS = (*CROSSES, *JOINS, *RUNS, "between", "session")
"""Functions that are conditions."""
CALCULATIONS = ("abs", "min", "max")

QUALITIES = {quality.name.lower(): quality for quality in Quality if quality is not Quality.UNKNOWN}

MOST_CHARACTERS = 2_000
MOST_NODES = 500
MOST_DEPTH = 50
DEEPEST_HISTORY = 500
MOST_BARS = 20_000
"""Bars that all periods and histories of a rule may reach back together: what an instrument costs it, as 8 bytes a
bar in every checkpoint."""
MOST_COST = 1_000
"""What all columns of a rule may cost together, see ``language/cost.py``."""
