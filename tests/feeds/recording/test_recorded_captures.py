"""Every Binance capture against figures that were computed independently, with exact decimals."""

from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from tests.feeds import recorded
from tests.feeds.replaying import Replay
from tickfloor.board.row import Field
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.records import Flag, Kind, Quality, Side
from tickfloor.feeds.publishing.decimals import decimal_of, plain


class Agreement:
    """Compares the book's best prices with the bookTicker of the same update id, whichever comes first."""

    def __init__(self) -> None:
        self.tickers: dict[tuple[str, int], tuple] = {}
        self.books: dict[tuple[str, int], tuple] = {}
        self.ids: dict[str, int] = {}

    def look(self, replay: Replay, payload: bytes) -> None:
        if b"@bookTicker" in payload[:60]:
            data = msgspec.json.decode(payload)["data"]
            best = tuple(float(data[key]) for key in "bBaA")
            self.tickers[data["s"], data["u"]] = best
        elif b"@depth" in payload[:60]:
            symbol = msgspec.json.decode(payload)["data"]["s"]
            [adapter] = replay.adapters.values()
            sync = adapter.book(symbol)
            if sync.trusted and self.ids.get(symbol) != sync.update_id:
                self.ids[symbol] = sync.update_id
                self.books[symbol, sync.update_id] = (*sync.book.bids.best(), *sync.book.asks.best())

    def of(self, symbol: str) -> tuple[int, int]:
        both = [key for key in self.tickers if key[0] == symbol and key in self.books]
        agree = sum(self.tickers[key] == self.books[key] for key in both)
        return agree, len(both) - agree


@pytest.fixture(scope="module", params=recorded.CAPTURES)
def outcome(request):
    agreement = Agreement()
    replay = Replay([recorded.capture_path(request.param)], look=agreement.look)
    return request.param, replay, replay.figures(), agreement


def of_symbols(outcome):
    _, replay, figures, _ = outcome
    [venue] = replay.adapters
    return {key.removeprefix(f"{venue}:"): value for key, value in figures.items()}


def test_every_line_of_the_capture_is_used(outcome):
    name, replay, _, _ = outcome
    truth = recorded.truth(name)
    [capture], [adapter] = replay.captures, replay.adapters.values()
    assert replay.kinds["F"] == truth["frames"]
    assert (capture.problem_count, adapter.statistics().malformed, adapter.statistics().ignored) == (0, 0, {})
    assert capture.bytes_read == capture.bytes_total


def test_exact_trade_figures_equal_the_truth(outcome):
    name, _, _, _ = outcome
    truth = recorded.truth(name)
    trades = truth["trades"] | truth["aggTrades"]
    figures = of_symbols(outcome)
    assert trades.keys() == {symbol for symbol, each in figures.items() if each["trades"]}
    for symbol, expected in trades.items():
        found = figures[symbol]
        assert {key: found[key] for key in ("trades", "qty", "notional", "first", "last", "min", "max", "id_gaps")} == {
            "trades": expected["count"],
            "qty": expected["sum_qty"],
            "notional": expected["sum_price_x_qty"],
            "first": expected["first_price"],
            "last": expected["last_price"],
            "min": expected["min_price"],
            "max": expected["max_price"],
            "id_gaps": expected["id_gap_count"],
        }


def test_taker_sides_ids_and_times_on_the_tape_equal_the_truth(outcome):
    name, replay, _, _ = outcome
    truth = recorded.truth(name)
    ids = {each.symbol: number for number, each in replay.board.instruments.items()}
    for symbol, expected in (truth["trades"] | truth["aggTrades"]).items():
        records = [r for r in replay.tape.records if r.instrument == ids[symbol] and r.kind == Kind.TRADE]
        sides = Counter(record.code for record in records)
        assert (sides[Side.BUY], sides[Side.SELL]) == (expected["taker_buy_count"], expected["taker_sell_count"])
        assert (records[0].c, records[-1].c) == (expected["first_id"], expected["last_id"])
        assert records[0].ts_event == expected["first_ms"] * 1_000_000
        assert records[-1].ts_event == expected["last_ms"] * 1_000_000


def test_minute_bars_equal_the_truth(outcome):
    name, _, _, _ = outcome
    expected: dict[str, list[dict]] = {}
    for row in recorded.truth_rows(name, "bars_1m"):
        expected.setdefault(row["symbol"], []).append(
            {
                "start_ms": int(row["minute_start_ms"]),
                **{key: float(row[key]) for key in ("open", "high", "low", "close", "volume")},
                "trades": int(row["trades"]),
            }
        )
    assert {symbol: each["bars_1m"] for symbol, each in of_symbols(outcome).items() if each["bars_1m"]} == expected


def test_quote_volume_of_the_board_s_bars_equals_the_truth(outcome):
    name, replay, _, _ = outcome
    ids = {each.symbol: number for number, each in replay.board.instruments.items()}
    for row in recorded.truth_rows(name, "bars_1m"):
        number = ids[row["symbol"]]
        bars = [*replay.board.closed[number, 0], replay.board.forming[number, 0]]
        [bar] = [bar for bar in bars if bar and bar[BarField.START_MS] == int(row["minute_start_ms"])]
        assert bar[BarField.QUOTE_VOLUME] == pytest.approx(float(row["quote_volume"]), rel=1e-12)


def test_books_equal_the_truth(outcome):
    name, replay, _, _ = outcome
    [adapter] = replay.adapters.values()
    books = adapter.statistics().books
    depth = recorded.truth(name)["depth"]
    assert depth.keys() == books.keys()
    for symbol, expected in depth.items():
        found, sync = of_symbols(outcome)[symbol]["book"], adapter.book(symbol)
        assert found["bids"] == expected["final_top10_bids"]
        assert found["asks"] == expected["final_top10_asks"]
        assert found["sequence_gaps"] == expected["sequence_gap_count"]
        assert (sync.applied, sync.dropped) == (expected["events_applied"], expected["events_dropped_as_older"])
        assert sync.update_id == expected["final_update_id"]
        assert len(sync.book.bids) == expected["final_bid_levels"]
        assert len(sync.book.asks) == expected["final_ask_levels"]
        assert sync.trusted


def test_the_board_s_book_is_the_top_of_the_adapter_s(outcome):
    _, replay, _, _ = outcome
    [adapter] = replay.adapters.values()
    for number, (update_id, bids, asks) in replay.board.books.items():
        sync = adapter.book(replay.board.instruments[number].symbol)
        assert (update_id, (bids, asks)) == (sync.update_id, sync.book.top(20))


def test_books_agree_with_the_best_prices_of_the_same_update(outcome):
    name, _, _, agreement = outcome
    for symbol, expected in recorded.truth(name)["depth"].items():
        assert agreement.of(symbol) == (
            expected["bookticker_same_update_id_agree"],
            expected["bookticker_same_update_id_disagree"],
        )


def test_the_last_quote_equals_the_truth(outcome):
    name, replay, _, _ = outcome
    ids = {each.symbol: number for number, each in replay.board.instruments.items()}
    for symbol, expected in recorded.truth(name)["bookTicker"].items():
        row = replay.board.rows[ids[symbol]]
        assert row[Field.BID : Field.ASK_SIZE + 1] == [float(text) for text in expected["last_b_B_a_A"]]
        quotes = [r for r in replay.tape.records if r.kind == Kind.QUOTE and r.instrument == ids[symbol]]
        assert len(quotes) >= expected["count"]


def test_the_venue_s_own_bars_are_kept_as_last_seen(outcome):
    name, replay, _, _ = outcome
    [adapter] = replay.adapters.values()
    klines = adapter.statistics().klines
    last = {(row["symbol"], row["interval"]): row for row in recorded.truth_rows(name, "klines")}
    assert klines.keys() == last.keys()
    for key, row in last.items():
        bar = klines[key]
        assert (bar.t, bar.T, bar.n, str(bar.x)) == (
            int(row["start_ms"]), int(row["end_ms"]), int(row["trades"]), row["closed"],
        )  # fmt: skip
        assert (bar.o, bar.h, bar.l, bar.c, bar.v, bar.q) == tuple(
            float(row[column]) for column in ("open", "high", "low", "close", "volume", "quote_volume")
        )


def test_rows_end_as_the_tape_says(outcome):
    _, replay, _, _ = outcome
    assert replay.board.rows.keys() == replay.board.instruments.keys()
    for number, row in replay.board.rows.items():
        records = [r for r in replay.tape.records if r.instrument == number and r.kind != Kind.CLOCK]
        trades = [r for r in records if r.kind == Kind.TRADE]
        assert row[Field.SEQUENCE] == records[-1].sequence
        assert (row[Field.TS_EVENT], row[Field.TS_INIT]) == (records[-1].ts_event, records[-1].ts_init)
        assert row[Field.QUALITY] == Quality.LIVE
        assert row[Field.TRADES] == len(trades)
        if trades:
            last = trades[-1]
            assert (row[Field.LAST], row[Field.LAST_QTY], row[Field.LAST_SIDE]) == (last.a, last.b, last.code)
            bought = sum(record.b for record in trades if record.code == Side.BUY)
            assert row[Field.BUY_VOLUME] == pytest.approx(bought, rel=1e-12)


def test_bars_close_before_the_record_that_reached_their_end(outcome):
    _, replay, _, _ = outcome
    reached = 0
    for record in replay.tape.records:
        if record.kind == Kind.BAR_CLOSE:
            assert record.ts_event > reached
        elif record.kind == Kind.TRADE and not record.flags & Flag.LATE:
            reached = max(reached, record.ts_event - record.ts_event % 60_000_000_000)


def test_decimals_are_the_venue_s_or_those_seen(outcome):
    _, replay, figures, _ = outcome
    for number, instrument in replay.board.instruments.items():
        row = replay.board.rows[number]
        book = figures[instrument.key]["book"]
        for price, size in (*book["bids"], *book["asks"]):
            assert row[Field.PRICE_DECIMALS] >= -Decimal(price).as_tuple().exponent
            assert row[Field.QTY_DECIMALS] >= -Decimal(size).as_tuple().exponent


@pytest.mark.parametrize("batch", [1, 7, 100_000])
def test_batches_change_nothing(batch):
    path = recorded.capture_path("binance_spot_3sym_20210404")
    assert Replay([path], batch=batch).tape.records == Replay([path]).tape.records


def test_captures_of_one_window_run_together_into_one_tape():
    names = [name for name in recorded.CAPTURES if "20240808" in name]
    together = Replay([recorded.capture_path(name) for name in names], audit=False)
    assert {each.key for each in together.board.instruments.values()} == {
        "binance:BTCUSDT", "binance-usdm:BTCUSDT", "binance-coinm:BTCUSD_PERP",
    }  # fmt: skip
    counted = Counter(record.kind for record in together.tape.records)
    assert counted[Kind.TRADE] == 19904 + 21313 + 5235
    initial = [record.ts_init for record in together.tape.records]
    assert initial == sorted(initial)


def test_plain_decimals_of_floats():
    assert [plain(decimal_of(value)) for value in (61600.0, 1e-7, 0.01734, 1.5e16, 0.0)] == [
        "61600", "0.0000001", "0.01734", "15000000000000000", "0",
    ]  # fmt: skip
