"""Files of trades: one row a trade, in the order in which they came."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Side
from tickfloor.indicators.protocol import LIMIT
from tickfloor.traders.history.data_file import DataFile, Progress, unheard
from tickfloor.traders.history.trade_tape import Trade

_NAMES = {
    "time": ("ts", "time", "timestamp", "date", "transact_time", "trade_time"),
    "price": ("price", "p"),
    "qty": ("qty", "quantity", "amount", "size", "volume", "q"),
    "side": ("side", "taker_side"),
    "buyer_is_maker": ("is_buyer_maker", "isbuyermaker", "buyer_maker"),
}
NEEDED = ("time", "price", "qty")
_SIDES = {
    "buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL, "": Side.UNKNOWN, "unknown": Side.UNKNOWN,
}  # fmt: skip
_BUYER_IS_MAKER = {"true": Side.SELL, "1": Side.SELL, "false": Side.BUY, "0": Side.BUY}
_MOST_LATE_NS = Interval.D1.ns


def read_trades(paths: Sequence[Path], progress: Progress = unheard) -> Iterator[Trade]:
    """Return the trades of one instrument, from files that follow each other in time.

    Raises:
        DataFileError: a file cannot be read, or a row is not a trade or over a day behind one before it.
    """
    newest_ns = 0
    for path in paths:
        file = DataFile(path, _NAMES, NEEDED, progress)
        for row in file.rows():
            ts_event = file.time_ns(row)
            if ts_event > newest_ns:
                newest_ns = ts_event
            elif ts_event < newest_ns - _MOST_LATE_NS:
                raise file.error("the trade is over a day older than one before it; trades are in the order they came")
            price, qty = file.number(row, "price"), file.number(row, "qty")
            if qty < 0.0 or not -LIMIT < price * qty < LIMIT:
                raise file.error(f"qty is {qty:g} at a price of {price:g}, which cannot be")
            yield Trade(ts_event, price, qty, _side(file, row))


def _side(file: DataFile, row: Sequence[str]) -> int:
    for name, sides in (("side", _SIDES), ("buyer_is_maker", _BUYER_IS_MAKER)):
        if name in file.places:
            cell = row[file.places[name]].strip().lower()
            if cell not in sides:
                raise file.error(f"{name} is {cell[:40]!r}; it is {', '.join(each for each in sides if each)}")
            return sides[cell]
    return Side.UNKNOWN
