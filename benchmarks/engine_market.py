"""A market of a hundred instruments: recorded trades, the bars that closed before them, and the bar closes among them.

Each instrument is a stretch of its own of a recorded file, at the file's own time of day, so minutes and hours end at
another moment for each. The feed's own publisher turns the trades into tape records and closes the bars. Before the
stretch it has closed bars of every interval: recorded minutes, folded by the market's own code.

Prices are scaled to begin at 100 and quantities to a thousand a minute, so that one threshold means the same for all.
"""

import csv
import gzip
import os
import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Side
from tickfloor.feeds.publishing.publisher import MINUTE_NS, MarketPublisher
from tickfloor.market.bars import CLOSE, VOLUME, FormingBars
from tickfloor.traders.state.resync import InstrumentView

DATA: Final = Path(os.environ.get("TICKFLOOR_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Beside the repository, as the tests have it."""

STRETCHES: Final = {
    "lean_spy_ticks_20131007": 4,
    "lean_spy_ticks_20131008": 4,
    "lean_bac_ticks_20131009": 6,
    "gemini_ethusd_20210701": 48,
    "binance_usdm_btcusdt_tardis_20200222": 28,
    "binance_spot_xrpeth_agg_20191011": 10,
}
"""Files of trades, and how many instruments each gives; 100 in all."""

MINUTES_FILE: Final = "btcperp_1m_202201"
RUN_ID: Final = 1
INTERVALS: Final = (Interval.M1, Interval.M5, Interval.M15, Interval.H1)
"""The four that the rules use."""

CLOSED_BARS: Final = 64
"""Of each interval, before the first trade."""

HISTORY_MINUTES: Final = CLOSED_BARS * 60
CHARTED: Final = 5
"""Of so many instruments one has a chart."""

LEAST_TRADES: Final = 8
"""Of a stretch; one with fewer is drawn again."""

_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "": Side.UNKNOWN}


Bars = Mapping[Interval, Sequence[Bar]]
"""Closed bars of each interval, oldest first."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One recorded trade; the time in ns UTC."""

    ts_ns: int
    price: float
    qty: float
    side: Side


@dataclass(frozen=True)
class Market:
    """What an engine is given.

    Attributes:
        instruments: by their row.
        views: each as the board would show it before its first trade.
        records: one tape record each, in the order of the tape.
        charts: of some instruments all closed bars there are, longer than the board keeps.
    """

    instruments: Sequence[Instrument]
    views: Mapping[int, InstrumentView]
    records: Sequence[bytes]
    charts: Sequence[Bars]

    def describe(self, row: int) -> Instrument:
        """Return the instrument of a row."""
        return self.instruments[row]


class ListTape:
    """A tape as a feed writes it, kept as a list of records."""

    def __init__(self) -> None:
        self.sequence = 0
        self.records: list[bytes] = []

    def append(
        self,
        ts_event: int,
        ts_init: int,
        instrument: int,
        kind: int,
        code: int,
        flags: int,
        a: float,
        b: float,
        c: float,
        d: float,
        /,
    ) -> None:
        """Keep a record."""
        self.records.append(RECORD.pack(self.sequence, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d))
        self.sequence += 1

    def publish(self) -> None:
        """Do nothing: it is a list already."""


@cache
def recorded_trades(name: str) -> tuple[list[int], list[str]]:
    """Return the times of a file's trades, microseconds UTC and ascending, and its lines; they are parsed as needed."""
    with gzip.open(DATA / "trades" / f"{name}.csv.gz", "rt") as file:
        next(file)
        lines = sorted(file, key=_time_us)
    return [_time_us(line) for line in lines], lines


def _time_us(line: str) -> int:
    return int(line[:16])


def _trade(line: str) -> Trade:
    ts_us, price, qty, side, _ = line.split(",")
    return Trade(int(ts_us) * 1_000, float(price), float(qty), _SIDES[side])


@cache
def recorded_minutes() -> list[tuple[float, ...]]:
    """Return recorded minutes: open, high, low, close, volume."""
    with gzip.open(DATA / "candles" / f"{MINUTES_FILE}.csv.gz", "rt") as file:
        rows = csv.reader(file)
        next(rows)
        return [tuple(map(float, row[1:6])) for row in rows]


def available() -> bool:
    """Return whether the recorded files are at hand."""
    return all((DATA / "trades" / f"{name}.csv.gz").exists() for name in STRETCHES)


@cache
def market(minutes: float, seed: int = 4) -> Market:
    """Return a hundred instruments trading for so many minutes, after their closed bars."""
    rng = random.Random(seed)
    tape = ListTape()
    board_fd = create_board("engine", BoardLayout(sum(STRETCHES.values()), CLOSED_BARS), RUN_ID)
    board = BoardWriter(board_fd, run_id=RUN_ID, incarnation=1)
    instruments: list[Instrument] = []
    views: dict[int, InstrumentView] = {}
    charts: list[Bars] = []
    merged: list[tuple[int, int, int, Trade]] = []
    publishers: list[MarketPublisher] = []

    def assign(venue: str, symbol: str) -> Instrument:
        del venue
        return next(each for each in instruments if each.symbol == symbol)

    for name, count in STRETCHES.items():
        for _ in range(count):
            row = len(instruments)
            stretch = _scaled(_stretch(name, int(minutes * MINUTE_NS) // 1_000, rng))
            instruments.append(Instrument(row, "recorded", f"COIN{row:02}USD"))
            publishers.append(MarketPublisher(tape, board, assign, "recorded"))
            views[row], bars = _before(row, stretch[0])
            if row % CHARTED == 0:
                charts.append(bars)
            began = stretch[0].ts_ns
            merged += ((trade.ts_ns - began, row, number, trade) for number, trade in enumerate(stretch))
    for _, row, number, trade in sorted(merged, key=lambda each: each[:3]):
        publishers[row].open(instruments[row].symbol).trade(
            trade.ts_ns, trade.ts_ns, trade.price, trade.qty, trade.side, number + 1, 1
        )
    board.close()
    os.close(board_fd)
    return Market(instruments, views, tape.records, charts)


def _stretch(name: str, length_us: int, rng: random.Random) -> list[Trade]:
    """Return the trades of a stretch that begins at any time of the file with the same chance."""
    times, lines = recorded_trades(name)
    while True:
        begin = bisect_left(times, rng.randrange(times[0], times[-1] - length_us))
        end = bisect_left(times, times[begin] + length_us)
        stretch = [trade for trade in map(_trade, lines[begin:end]) if trade.qty > 0]
        if len(stretch) >= LEAST_TRADES:
            return stretch


def _scaled(trades: Sequence[Trade]) -> list[Trade]:
    price = 100.0 / trades[0].price
    minutes = len({trade.ts_ns // MINUTE_NS for trade in trades})
    qty = 1000.0 * minutes / sum(trade.qty for trade in trades)
    return [Trade(trade.ts_ns, trade.price * price, trade.qty * qty, trade.side) for trade in trades]


def _history(row: int, first: Trade) -> Iterator[Bar]:
    """Return the minutes before a trade's, the last one closing at its price."""
    source = recorded_minutes()
    begin = row * (len(source) - HISTORY_MINUTES) // 100
    rows = source[begin : begin + HISTORY_MINUTES]
    price = first.price / rows[-1][3]
    qty = 1000.0 * len(rows) / sum(each[4] for each in rows)
    end_ms = first.ts_ns // MINUTE_NS * 60_000
    for number, (opened, high, low, close, volume) in enumerate(rows):
        start_ms = float(end_ms - (len(rows) - number) * 60_000)
        traded = volume * qty
        yield [
            start_ms, opened * price, high * price, low * price, close * price, traded, traded * close * price,
            traded / 2, 10.0, start_ms, start_ms + 59_999,
        ]  # fmt: skip


def _before(row: int, first: Trade) -> tuple[InstrumentView, Bars]:
    """Return how the board shows an instrument before its first trade, and all bars that have closed."""
    forming = FormingBars()
    bars: dict[Interval, list[Bar]] = {interval: [] for interval in INTERVALS}
    for minute in _history(row, first):
        forming.minute = minute
        end_ms = int(minute[0]) + Interval.M1.ms
        for interval in Interval:
            if end_ms % interval.ms == 0:
                closed = forming.close(interval)
                if interval in bars:
                    bars[interval].append(closed)
    last = bars[Interval.M1][-1]
    parts = {interval: part for interval in Interval if (part := forming.closed_part[interval]) is not None}
    view = InstrumentView(
        sequence=-1,
        last=last[CLOSE],
        last_qty=last[VOLUME],
        last_ts_event=int(last[0]) * 1_000_000,
        bars={interval: closed[-CLOSED_BARS:] for interval, closed in bars.items()},
        trimmed=INTERVALS,
        minute=None,
        closed_parts=parts,
    )
    return view, bars
