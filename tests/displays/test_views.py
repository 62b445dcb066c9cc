import io

import pytest
from rich.console import Console

from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.row import ROW_WORDS, Field
from tickfloor.board.segment import read_only
from tickfloor.contracts.events import FeedStatus, FloorStatus, WorkerStatus
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import Quality, Side
from tickfloor.contracts.signals import Signal
from tickfloor.displays.floor_view import FloorView
from tickfloor.displays.plain_lines import PlainLines
from tickfloor.displays.replay_view import ReplayView

NAN = float("nan")


def signal(number: int, **values) -> Signal:
    return Signal(
        id=str(number),
        source="s",
        trader=f"trader {number}",
        revision=1,
        instrument="binance:BTCUSDT",
        tape="demo",
        tape_sequence=number,
        ts_event=1_700_000_000_000_000_000,
        values=values or {"last": 1.5, "rsi(14)": None},
    )


def status(**given) -> FloorStatus:
    worker = WorkerStatus(slot="feed-1", kind="feed", pid=42, incarnation=3, state="ready", memory=10 << 20, restarts=2)
    base = {
        "uptime": 12.0,
        "workers": (worker,),
        "feed": FeedStatus(frames=1_200, records=2_400, malformed=0, progress=0.25, instruments=2),
        "signals": 1,
        "stored": 1,
        "recent": (signal(1),),
        "latency_p50_us": 150.4,
        "latency_p99_us": 25_000.0,
        "lost": 0,
    }
    return FloorStatus(**base | given)


EARLY = {"feed": None, "workers": (), "signals": 0, "stored": 0, "recent": ()}
UNKNOWN = {"latency_p50_us": None, "latency_p99_us": None}


@pytest.fixture
def board():
    fd = create_board("board", BoardLayout(8, 4), 1)
    writer = BoardWriter(fd, run_id=1, incarnation=1)

    def row(number, symbol, last, trades, quality=Quality.LIVE, **fields):
        writer.add_instrument(Instrument(number, "binance", symbol))
        values = [0, 0, 0, *[NAN] * (ROW_WORDS - 3)]
        values[Field.LAST], values[Field.TRADES], values[Field.QUALITY] = last, trades, quality
        values[Field.LAST_SIDE], values[Field.PRICE_DECIMALS] = Side.BUY, 2
        for name, value in fields.items():
            values[Field[name.upper()]] = value
        writer.write_row(number, values)

    row(0, "DOGEUSDT", 0.1, 5, Quality.GAP)
    row(1, "BTCUSDT", 61_234.5, 900, change_24h=-1.25, bid=61_234.4, ask=61_234.6)
    writer.add_instrument(Instrument(2, "binance", "NEWUSDT"))
    reader = BoardReader(read_only(fd), run_id=1)
    yield reader
    reader.close()
    writer.close()


def drawn(view, *statuses, width=140, height=40):
    console = Console(record=True, width=width, height=height, file=io.StringIO())
    for each in statuses:
        console.print(view.render(each))
    return console.export_text()


# Floor


def test_the_floor_shows_instruments_workers_signals_and_latency(board):
    text = drawn(FloorView(board), status())
    for expected in (
        "2,400 records",
        "1 signals (1 stored)",
        "p50 150 µs p99 25 ms",
        "lost 0",
        "61,234.50",
        "-1.25%",
        "61,234.40",
        "live",
        "gap",
        "feed-1",
        "10.0 MiB in all",
        "trader 1",
        "last 1.5  rsi(14) –",
        "22:13:20",
        "Ctrl-C ends it",
    ):
        assert expected in text


def test_the_busiest_instrument_comes_first_and_one_without_data_not_at_all(board):
    text = drawn(FloorView(board), status())
    assert text.index("BTCUSDT") < text.index("DOGEUSDT")
    assert "NEWUSDT" not in text


def test_the_rate_is_of_the_last_second(board):
    first = status(uptime=1.0, feed=FeedStatus(frames=0, records=1_000, malformed=0, progress=0, instruments=1))
    later = status(uptime=3.0, feed=FeedStatus(frames=0, records=6_000, malformed=0, progress=0, instruments=1))
    assert "2,500 ticks/s" in drawn(FloorView(board), first, later)


def test_a_floor_that_has_only_begun_can_be_drawn(board):
    assert "0 records" in drawn(FloorView(board), status(uptime=0.001, **EARLY, **UNKNOWN))


@pytest.mark.parametrize("size", [(20, 10), (80, 24), (300, 90)])
def test_it_fits_any_terminal(board, size):
    width, height = size
    lines = drawn(
        FloorView(board), status(recent=tuple(map(signal, range(50)))), width=width, height=height
    ).splitlines()
    assert all(len(line) <= width for line in lines)


def test_a_signal_s_text_is_not_taken_for_markup(board):
    text = drawn(FloorView(board), status(recent=(signal(1, **{"close[1]": 2.0, "[red]x[/red]": 1.0}),)))
    assert "close[1] 2" in text
    assert "[red]x[/red] 1" in text


# Replay


def test_a_replay_shows_how_far_it_is():
    text = drawn(ReplayView(), status(signals=1_234))
    assert "25%" in text
    assert "1,200 frames (100/s)" in text
    assert "1,234 signals" in text
    assert "lost 0" in text


def test_a_replay_that_has_only_begun_can_be_drawn():
    assert "0 frames" in drawn(ReplayView(), status(uptime=0.001, **EARLY, **UNKNOWN))


# Plain lines


def lines(view, *statuses):
    stream = io.StringIO()
    shown = PlainLines(stream, view)
    for each in statuses:
        shown.show(each)
    return stream.getvalue().splitlines()


def test_plain_lines_say_how_the_floor_is_once_a_second():
    found = lines("floor", *(status(uptime=1.0 + number / 10, recent=()) for number in range(25)))
    assert len(found) == 3
    assert found[0] == (
        "    1.0 s  instruments 2  records 2,400 (2,400/s)  signals 1  latency p50 150 µs p99 25,000 µs  "
        "workers 1/1  memory 10 MiB  lost 0"
    )


def test_plain_lines_say_each_signal_once():
    recent = tuple(map(signal, range(1, 4)))
    found = lines(
        "floor",
        status(signals=2, recent=recent[:2]),
        status(signals=2, recent=recent[:2]),
        status(signals=3, recent=recent),
    )
    said = [line for line in found if line.startswith("signal ")]
    assert [line.split("  ")[0] for line in said] == ["signal trader 1", "signal trader 2", "signal trader 3"]
    assert said[0] == "signal trader 1  binance:BTCUSDT  last=1.5 rsi(14)=unknown  [demo:1]"


def test_more_signals_than_are_kept_are_not_made_up():
    found = lines("floor", status(signals=5_000, recent=tuple(map(signal, range(50)))))
    assert sum(line.startswith("signal ") for line in found) == 50


def test_a_replay_s_lines_say_how_far_it_is_and_no_signals():
    found = lines("replay", status(signals=7), status(uptime=14.0, **EARLY))
    assert found == ["replay  25%  frames 1,200  signals 7  lost 0", "replay   0%  frames 0  signals 0  lost 0"]
