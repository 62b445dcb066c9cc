"""Files of candles and trades: what they mean, and what is wrong with them, by file and line."""

import contextlib
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.recorded import data_directory, find_data_directory
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Side
from tickfloor.traders.history.candle_file import are_candles, read_candles
from tickfloor.traders.history.errors import DataFileError
from tickfloor.traders.history.trade_file import read_trades
from tickfloor.traders.history.trade_tape import Trade

HEAD = "start_ms,open,high,low,close,volume\n"
DAY_MS = 1_699_920_000_000


def candle(minute: int, price: float = 10.0, volume: float = 1.0) -> str:
    return f"{DAY_MS + minute * 60_000},{price},{price + 1},{price - 1},{price + 0.5},{volume}\n"


@pytest.fixture
def file(tmp_path):
    def write(text: str | bytes, name: str = "data.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_candles_of_any_length_and_name(file):
    rows = "".join(candle(minute) for minute in (0, 5, 15))
    candles = read_candles([file(HEAD + rows)])
    assert candles.bars.interval is Interval.M5
    assert candles.bars.start_ms.tolist() == [DAY_MS + minute * 60_000 for minute in (0, 5, 15)]
    assert candles.bars.field("close").tolist() == [10.5] * 3
    assert candles.missing == ("quote_volume", "buy_volume", "trades")
    assert np.isnan(candles.bars.field("delta")).all()

    other = "Open_Time,O,H,L,C,Volume,Quote_Volume,Count,Taker_Buy_Volume\n"
    other += "".join(f"{(DAY_MS // 1000 + hour * 3600)},1,3,0.5,2,7,14,3,2\n" for hour in (1, 2))
    packed = read_candles([file(gzip.compress(other.encode()), "other.csv.gz")])
    assert packed.bars.interval is Interval.H1
    assert packed.missing == ()
    assert packed.bars.field("sell_volume").tolist() == [5.0, 5.0]
    assert packed.bars.field("trades").tolist() == [3.0, 3.0]


def test_candles_without_a_trade_are_left_out_because_a_floor_has_no_bar_there(file):
    rows = candle(0) + candle(1, volume=0) + candle(2) + candle(3, volume=0)
    candles = read_candles([file(HEAD + rows)])
    assert (candles.without_trades, len(candles.bars), candles.bars.interval) == (2, 2, Interval.M1)


def test_files_that_do_not_record_volume_keep_all_their_candles(file):
    candles = read_candles([file(HEAD + candle(0, volume=0) + candle(1, volume=0))])
    assert (candles.without_trades, len(candles.bars)) == (0, 2)
    assert "volume" in candles.missing
    assert np.isnan(candles.bars.field("volume")).all()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2023-11-14", "2023-11-15"),
        ("2023-11-14 00:00", "2023-11-15T00:00:00.000Z"),
        ("2023-11-14T01:00:00+01:00", " 2023-11-15 00:00:00"),
    ],
)
def test_times_may_be_dates(file, first, second):
    candles = read_candles([file(f"Date,Open,High,Low,Close\n{first},1,2,0.5,1\n{second},1,2,0.5,1\n")])
    assert candles.bars.start_ms.tolist() == [DAY_MS, DAY_MS + 86_400_000]
    assert candles.bars.interval.label == "1d"


def test_files_follow_each_other(file):
    first = file(HEAD + candle(0) + candle(1), "a.csv")
    second = file(HEAD + candle(2) + candle(3), "b.csv")
    assert len(read_candles([first, second]).bars) == 4
    with pytest.raises(DataFileError, match=r"a\.csv:2: the candle does not start after the one before it"):
        read_candles([second, first])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,1,2,0.5,1,1", "time is 'x'; it must be a number since 1970"),
        ("nan,1,2,0.5,1,1", "time is 'nan'; it must be a number since 1970"),
        ("2024-13-01,1,2,0.5,1,1", "time is '2024-13-01'; it must be a number since 1970"),
        ("1969-12-31,1,2,0.5,1,1", "time is '1969-12-31', which is before 1970"),
        ("0001-01-01T00:00+23:00,1,2,0.5,1,1", "time is '0001-01-01T00:00+23:00', which is before 1970"),
        ("9" * 5_000 + ",1,2,0.5,1,1", "time is '9999"),
        ("-5,1,2,0.5,1,1", "time is '-5', which cannot be"),
        ("99999999999999999999,1,2,0.5,1,1", "time is '99999999999999999999', which cannot be"),
        (f"{DAY_MS + 60_001},1,2,0.5,1,1", "the candle does not start at a whole minute"),
        (f"{DAY_MS},1,2,0.5,1,1", "the candle does not start after the one before it"),
        (f"{DAY_MS + 60_000},1,2,0.5,1", "has 5 cells where the header has 6 or more"),
        (f"{DAY_MS + 60_000},1,2,0.5,,1", "close is '', which is no number"),
        (f"{DAY_MS + 60_000},1,2,nan,1,1", "low is 'nan'; numbers are below 1e+300"),
        (f"{DAY_MS + 60_000},1,2,0.5,1,1e301", "volume is '1e301'; numbers are below 1e+300"),
        (f"{DAY_MS + 60_000},1,2,0.5,1,-1", "volume is -1; it cannot be below 0"),
        (f"{DAY_MS + 60_000},3,2,0.5,1,1", "the prices cannot be: open 3, high 2, low 0.5, close 1"),
    ],
)
def test_a_malformed_candle_is_named_by_file_and_line(file, row, reason):
    path = file(HEAD + candle(0) + row + "\n" + candle(2))
    with pytest.raises(DataFileError) as caught:
        read_candles([path])
    assert caught.value.line == 3
    assert str(caught.value).startswith(f"{path}:3: {reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1: the header '' names no time and no open"),
        ("a,b,c\n1,2,3\n", "1: the header 'a,b,c' names no time and no open"),
        (HEAD, " holds fewer than two candles"),
        (HEAD + candle(0), " holds fewer than two candles"),
        (HEAD + candle(0) + candle(3), " holds candles of 3 minutes; they are of 1m, 5m"),
        (HEAD + candle(2) + candle(7), " holds candles of 5 minutes"),
        (b"\xff\xfe\x00\x01", "data.csv: what follows is no UTF-8 text"),
        (gzip.compress((HEAD + candle(0)).encode(), mtime=0)[:-12], ": the gzip data ends or is damaged"),
        (b"\x1f\x8bnot gzip at all", ": the gzip data ends or is damaged"),
    ],
)
def test_a_file_that_is_none_is_refused(file, text, reason):
    with pytest.raises(DataFileError) as caught:
        read_candles([file(text)])
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(DataFileError, match="cannot be read: No such file"):
        read_candles([tmp_path / "none.csv"])


def test_trades_of_any_unit_and_side(file):
    path = file(
        "ts_us,price,qty,side,id\n1632000000000001,10,2,buy,1\n1632000000000001,11,0,SELL,2\n1632000000000002,9,1,,\n"
    )
    assert list(read_trades([path])) == [
        Trade(1632000000000001000, 10.0, 2.0, Side.BUY),
        Trade(1632000000000001000, 11.0, 0.0, Side.SELL),
        Trade(1632000000000002000, 9.0, 1.0, Side.UNKNOWN),
    ]
    path = file("price,quantity,timestamp,is_buyer_maker\n10,2,1632000000.25,True\n10,2,1632000000.5,false\n")
    assert list(read_trades([path])) == [
        Trade(1632000000250000000, 10.0, 2.0, Side.SELL),
        Trade(1632000000500000000, 10.0, 2.0, Side.BUY),
    ]
    assert not are_candles(path)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1631900000000000,10,1,buy", "the trade is over a day older than one before it"),
        ("1632000000000000,ten,1,buy", "price is 'ten', which is no number"),
        ("1632000000000000,10,-1,buy", "qty is -1 at a price of 10, which cannot be"),
        ("1632000000000000,1e200,1e200,buy", "qty is 1e+200 at a price of 1e+200, which cannot be"),
        ("1632000000000000,10,1,bid", "side is 'bid'; it is buy, b, sell, s, unknown"),
        ("1632000000000000,10", "has 2 cells where the header has 4 or more"),
    ],
)
def test_a_malformed_trade_is_named_by_file_and_line(file, row, reason):
    path = file("ts_us,price,qty,side\n1632000000000000,10,1,buy\n\n" + row + "\n")
    with pytest.raises(DataFileError) as caught:
        list(read_trades([path]))
    assert str(caught.value) == f"{path}:4: {reason}" or str(caught.value).startswith(f"{path}:4: {reason};")


cells = st.one_of(
    st.sampled_from(
        ["", "nan", "sNaN", "-inf", "1e400", "9" * 5_000, "0", "-1", "1632000000", "buy", "10.5", '"', "\x00"]
    ),
    st.text(max_size=5),
    st.floats().map(str),
    st.integers().map(str),
)
HEADERS = [HEAD, "ts_us,price,qty,side\n", "time,price,size,is_buyer_maker\n", "timestamp,o,h,l,c,trades\n"]


@settings(deadline=None, database=None)
@given(st.sampled_from(HEADERS), st.lists(st.lists(cells, min_size=3, max_size=7)), st.binary(max_size=20))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory, header, rows, end):
    path = tmp_path_factory.mktemp("fuzz") / "any.csv"
    path.write_bytes(header.encode() + "".join(",".join(row) + "\n" for row in rows).encode() + end)
    for read in (lambda: read_candles([path]), lambda: list(read_trades([path])), lambda: are_candles(path)):
        with contextlib.suppress(DataFileError):
            read()


def test_progress_adds_up_to_the_file(file):
    path = file(HEAD + "".join(candle(minute) for minute in range(10_000)))
    heard = []
    read_candles([path], heard.append)
    assert sum(heard) == path.stat().st_size
    assert len(heard) > 2


DATA = find_data_directory()
CANDLES = sorted((DATA / "candles").glob("*.csv.gz")) if DATA else []
TRADES = sorted((DATA / "trades").glob("*.csv.gz")) if DATA else []


@pytest.mark.parametrize("path", CANDLES, ids=lambda path: path.name)
def test_every_recorded_candle_file(path):
    assert are_candles(path)
    if "DEFECTIVE" in path.name:
        with pytest.raises(DataFileError, match=":4: the prices cannot be"):
            read_candles([path])
        return
    candles = read_candles([path])
    assert len(candles.bars) + candles.without_trades > 700


@pytest.mark.parametrize("path", [path for path in TRADES if path.stat().st_size < 300_000], ids=lambda path: path.name)
def test_every_recorded_trade_file(path):
    with gzip.open(path) as stream:
        rows = sum(1 for _ in stream) - 1
    assert not are_candles(path)
    assert sum(1 for _ in read_trades([path])) == rows


def test_there_is_recorded_data():
    data_directory()
    assert CANDLES
    assert TRADES
