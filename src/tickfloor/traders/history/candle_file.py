"""Files of candles: one row a bar."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.indicators.protocol import NAN, Values
from tickfloor.traders.history.bars import FIELDS, BarHistory, Times
from tickfloor.traders.history.data_file import DataFile, Progress, header_of, unheard
from tickfloor.traders.history.errors import DataFileError

_NAMES = {
    "time": ("start", "time", "timestamp", "ts", "date", "open_time", "start_time", "unix"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "base_volume"),
    "quote_volume": ("quote_volume", "quote_asset_volume", "turnover", "amount"),
    "buy_volume": ("buy_volume", "taker_buy_volume", "taker_buy_base_volume", "taker_buy_base_asset_volume"),
    "trades": ("trades", "count", "number_of_trades", "trade_count"),
}
NEEDED = ("time", "open", "high", "low", "close")
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Candles:
    """What files of candles hold.

    Attributes:
        missing: fields that the files do not have; they are unknown.
        without_trades: candles that were left out because nothing was traded in them: there, the floor has no bar.
    """

    bars: BarHistory
    missing: tuple[str, ...]
    without_trades: int


def are_candles(path: Path) -> bool:
    """Return whether a file says that it holds candles and no trades.

    Raises:
        DataFileError: it cannot be read.
    """
    return bool(set(_NAMES["open"]).intersection(header_of(path)))


def read_candles(paths: Sequence[Path], progress: Progress = unheard) -> Candles:
    """Return the candles of one instrument, from files that follow each other in time.

    Raises:
        DataFileError: a file cannot be read, a row is not a candle, or not later than the one before it.
    """
    starts = array("q")
    columns = {name: array("d") for name in FIELDS}
    found: set[str] = set()
    for path in paths:
        found |= _read(DataFile(path, _NAMES, NEEDED, progress), starts, columns)
    start_ms = np.array(starts, dtype=np.int64)
    fields: dict[str, Values] = {name: np.array(column, dtype=np.float64) for name, column in columns.items()}
    interval = _interval_of(start_ms, paths)
    traded = fields["volume"] != 0.0
    if not traded.any():  # the files do not record it
        traded[:] = True
        fields["volume"][:] = NAN
        found.discard("volume")
    return Candles(
        BarHistory(interval, start_ms[traded], {name: values[traded] for name, values in fields.items()}),
        tuple(name for name in FIELDS if name not in found),
        int(np.count_nonzero(~traded)),
    )


def _read(file: DataFile, starts: "array[int]", columns: "dict[str, array[float]]") -> set[str]:
    """Add a file's candles and return the fields that it has."""
    for row in file.rows():
        time_ns = file.time_ns(row)
        start_ms = time_ns // _MS
        if time_ns % (60_000 * _MS):
            raise file.error("the candle does not start at a whole minute")
        if starts and start_ms <= starts[-1]:
            raise file.error("the candle does not start after the one before it; candles are in the order of time")
        prices = [file.number(row, name) for name in NEEDED[1:]]
        first, high, low, last = prices
        if not low <= first <= high or not low <= last <= high:
            raise file.error(f"the prices cannot be: open {first:g}, high {high:g}, low {low:g}, close {last:g}")
        starts.append(start_ms)
        for name, column in columns.items():
            column.append(_number(file, row, name))
    return columns.keys() & file.places.keys()


def _number(file: DataFile, row: Sequence[str], name: str) -> float:
    if name not in file.places or (name not in NEEDED and not row[file.places[name]]):
        return NAN
    value = file.number(row, name)
    if value < 0.0 and name not in NEEDED:
        raise file.error(f"{name} is {value:g}; it cannot be below 0")
    return value


def _interval_of(start_ms: Times, paths: Sequence[Path]) -> Interval:
    """Return the longest interval that all candles could be of.

    Raises:
        DataFileError: there are too few candles to say, or they are of no interval that the floor has.
    """
    if len(start_ms) < 2:
        raise DataFileError(paths[0], 0, "holds fewer than two candles, too few to say how long each is")
    shortest = int(np.diff(start_ms).min())
    fitting = [each for each in Interval if each.ms == shortest and not np.any(start_ms % each.ms)]
    if not fitting:
        there_are = ", ".join(BY_LABEL)
        reason = f"holds candles of {shortest / 60_000:g} minutes; they are of {there_are}, counted from midnight UTC"
        raise DataFileError(paths[0], 0, reason)
    return fitting[0]
