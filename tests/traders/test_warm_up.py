"""Columns that begin while the floor runs know what closed before, if somebody keeps it."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traders.streams import describe
from tests.traders.tapes import Tape, brief, trader
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Flag, Kind, Side
from tickfloor.market.bars import START_MS, FormingBars
from tickfloor.traders.engine.engine import Engine

RULES = {
    "oversold": "rsi(3) < 45",
    "cross": "crosses_above(ema(2), ema(5))",
    "hour": 'close > sma(3, "5m")',
    "chain": "sma(rsi(2), 3) > 50 and atr(4) > 0",
    "history": "close[7] < close",
    "counted": "count_of(close > open, 4) >= 2",
}
prices = st.lists(st.integers(80, 120), min_size=25, max_size=60)


class KeptBars:
    """What a board would keep: the closed bars of one instrument."""

    def __init__(self) -> None:
        self.forming = FormingBars()
        self.bars = {interval: [] for interval in Interval}

    def record(self, record: bytes) -> None:
        _, ts_event, _, _, kind, code, _, price, qty, _, _ = RECORD.unpack(record)
        if kind == Kind.TRADE:
            self.forming.add_trade(ts_event // 1_000_000, price, qty, code == Side.BUY)
        elif kind == Kind.BAR_CLOSE:
            self.bars[Interval(code)].append(self.forming.close(Interval(code)))

    def history(self, row: int, interval: Interval):
        return [list(bar) for bar in self.bars[interval]]


def minutes(found: list[int]) -> list[bytes]:
    tape = Tape()
    tape.minutes(found)
    return tape.records


def decides_closes(record: bytes) -> bool:
    unpacked = RECORD.unpack(record)
    return unpacked[4] == Kind.BAR_CLOSE and not unpacked[6] & Flag.MORE


def signals_from(made: Engine, records: list[bytes], kept: KeptBars | None = None):
    given = []
    for record in records:
        if kept is not None:
            kept.record(record)
        given += made.process(record)
    return given


@settings(max_examples=25, deadline=None, database=None)
@given(prices, st.integers(8, 24), st.sampled_from(sorted(RULES)), st.sampled_from(["tick", "close"]))
def test_a_trader_that_comes_later_sees_what_one_that_was_there_sees(found, after, name, when):
    records = minutes(found)
    cut = next(at for at, record in enumerate(records) if RECORD.unpack(record)[4] == Kind.TRADE and at >= 2 * after)
    kept = KeptBars()
    made = Engine(source="run", tape="binance", describe=describe, history=kept.history)
    made.add(trader("last > 0", name="first"))  # its bars are the same, but it reads none of these columns
    signals_from(made, records[:cut], kept)
    late = trader(RULES[name], when=when)
    made.add(late)
    whole = Engine(source="run", tape="binance", describe=describe)
    whole.add(late)
    whole.process(b"".join(records[:cut]))
    # What is true already is news to the one that came, and to the other not.
    ends = (at for at in range(cut, len(records)) if decides_closes(records[at]))
    skipped = next(ends, len(records) - 1)
    signals_from(made, records[cut : skipped + 1], kept)
    signals_from(whole, records[cut : skipped + 1])
    matching = {engine: frozenset(engine.run(["t"]).matches) for engine in (made, whole)}
    assert matching[made] == matching[whole]
    rest = records[skipped + 1 :]
    of_late = [signal for signal in signals_from(made, rest, kept) if signal.trader == "t"]
    assert brief(of_late) == brief(signals_from(whole, rest))


def test_an_instrument_that_is_first_seen_knows_the_bars_that_closed_before():
    kept = KeptBars()
    records = minutes(list(range(100, 130)))
    for record in records[:-1]:
        kept.record(record)
    made = Engine(source="run", tape="binance", describe=describe, history=kept.history)
    made.add(trader("rsi(14) > 99 and close[20] < close"))
    first = RECORD.pack(0, *RECORD.unpack(records[-1])[1:])
    [signal] = made.process(first)
    assert signal.values["rsi(14)"] == 100.0
    assert signal.values["close[20]"] == 109.0


def test_bars_that_close_later_than_the_tape_was_read_are_not_taken():
    records = minutes(list(range(100, 130)))
    kept = KeptBars()
    for record in records:
        kept.record(record)  # the board is ahead
    made = Engine(source="run", tape="binance", describe=describe, history=kept.history)
    made.add(trader("close[1] > 0"))
    signals = made.process(records[0])
    assert signals == []
    assert not any(math.isnan(bar[START_MS]) for bar in kept.bars[Interval.M1])


def test_columns_that_were_there_are_not_touched():
    records = minutes([100, 101, 99, 102, 98, 103, 97, 104, 96, 105, 95, 106])
    kept = KeptBars()
    for price, record in zip(range(50, 80), minutes(list(range(50, 80))), strict=False):
        kept.record(record)
        assert price
    made = Engine(source="run", tape="binance", describe=describe, history=lambda row, interval: ())
    alone = Engine(source="run", tape="binance", describe=describe)
    for each in (made, alone):
        each.add(trader("ema(3) > 100", name="old"))
    half = len(records) // 2
    assert signals_from(made, records[:half]) == signals_from(alone, records[:half])
    made._around = made._around._replace(history=kept.history)
    made.add(trader("ema(5) > 0", name="new"))
    old = [signal for signal in signals_from(made, records[half:]) if signal.trader == "old"]
    assert old == signals_from(alone, records[half:])
