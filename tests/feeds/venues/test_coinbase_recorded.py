"""The recorded session against figures that were computed independently, with exact decimals."""

import gzip
import json
from collections import Counter
from decimal import Decimal

import pytest

from tests.feeds import recorded
from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tickfloor.board.row import Field
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.records import Kind, Quality, Side
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Channel, Listed, NoRepairs, StreamKey
from tickfloor.feeds.venues.coinbase.adapter import CoinbaseAdapter

NAME = "coinbase_advanced_2sym_20260809_first12s"
SYMBOLS = ("BTC-USD", "ETH-USD")


class Session:
    """The capture, read through the adapter."""

    def __init__(self, *, batch: int = 64) -> None:
        self.tape, self.board, audit = FakeTape(), FakeBoard(), Audit()
        publisher = MarketPublisher(self.tape, self.board, catalogue(), "coinbase", observer=audit)
        joins = TradeJoins(NoRepairs(), hold_ns=0, audit=audit)
        self.adapter = CoinbaseAdapter("coinbase", publisher, joins=joins, repairs=NoRepairs(), audit=audit)
        self.frames: list[dict] = []
        self.controls = []
        read = None
        with gzip.open(recorded.capture_path(NAME), "rb") as lines:
            next(lines)
            for number, line in enumerate(lines, 1):
                time, kind, ref, payload = line.rstrip(b"\n").split(b"\t", 3)
                recv_ns = int(time)
                while publisher.tick_due_ns <= recv_ns:
                    publisher.tick(publisher.tick_due_ns)
                if kind == b"C":
                    read = self.adapter.reader(ref.decode())
                elif kind == b"H":
                    self.adapter.on_http(recv_ns, ref.decode(), payload)
                elif kind == b"F":
                    self.frames.append(json.loads(payload))
                    self.controls.append(read(recv_ns, payload))
                if number % batch == 0:
                    publisher.flush()
        publisher.flush()
        self.ids = {each.symbol: number for number, each in self.board.instruments.items()}

    def trades(self, symbol):
        return [r for r in self.tape.records if r.kind == Kind.TRADE and r.instrument == self.ids[symbol]]


@pytest.fixture(scope="module")
def session():
    return Session()


def figures(session, symbol):
    return session.adapter.figures()[f"coinbase:{symbol}"]


def test_every_frame_is_used_but_the_venue_s_bars_and_the_trades_before_the_first(session):
    truth = recorded.truth(NAME)
    assert len(session.frames) == truth["frames"]
    assert session.adapter.left_out() == {
        "frames of candles (coinbase)": 4,
        "trades before the first (coinbase)": 200,
    }
    assert {type(control) for control in session.controls} == {type(None), Listed}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_exact_trade_figures_equal_the_truth(session, symbol):
    expected, found = recorded.truth(NAME)["trades"][symbol], figures(session, symbol)
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


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_taker_sides_ids_and_times_on_the_tape_equal_the_truth(session, symbol):
    expected, records = recorded.truth(NAME)["trades"][symbol], session.trades(symbol)
    sides = Counter(record.code for record in records)
    assert (sides[Side.BUY], sides[Side.SELL]) == (expected["taker_buy_count"], expected["taker_sell_count"])
    ids = [int(record.c) for record in records]
    assert ids == list(range(expected["first_id"], expected["last_id"] + 1))
    assert records[0].ts_event // 1_000_000 == expected["first_ms"]
    assert records[-1].ts_event // 1_000_000 == expected["last_ms"]


def test_times_keep_the_microseconds_of_the_wire(session):
    [first, *_] = session.trades("BTC-USD")
    assert first.ts_event == 1_786_309_548_167_634_000


def test_takers_trade_at_the_price_of_the_other_side(session):
    """What shows that the recorded side is the maker's; whether it still is can only be seen live."""
    quotes: dict[str, tuple[float, float]] = {}
    found: Counter[tuple[str, str]] = Counter()
    for frame in session.frames:
        for event in frame["events"]:
            for item in event.get("tickers", ()):
                quotes[item["product_id"]] = float(item["best_bid"]), float(item["best_ask"])
            for item in event.get("trades", ()) if event.get("type") == "update" else ():
                bid, ask = quotes[item["product_id"]]
                price = float(item["price"])
                found[item["side"], "ask" if price >= ask else "bid" if price <= bid else "between"] += 1
    assert found == {("SELL", "ask"): 37, ("BUY", "bid"): 17, ("BUY", "between"): 2}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_minute_bars_equal_the_truth(session, symbol):
    rows = [row for row in recorded.truth_rows(NAME, "bars_1m") if row["symbol"] == symbol]
    assert figures(session, symbol)["bars_1m"] == [
        {
            "start_ms": int(row["minute_start_ms"]),
            **{key: float(row[key]) for key in ("open", "high", "low", "close", "volume")},
            "trades": int(row["trades"]),
        }
        for row in rows
    ]
    bars = [*session.board.closed[session.ids[symbol], 0], session.board.forming[session.ids[symbol], 0]]
    for row in rows:
        [bar] = [bar for bar in bars if bar and bar[BarField.START_MS] == int(row["minute_start_ms"])]
        assert bar[BarField.QUOTE_VOLUME] == pytest.approx(float(row["quote_volume"]), rel=1e-12)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_books_equal_the_truth(session, symbol):
    expected, found = recorded.truth(NAME)["book"][symbol], session.adapter.book(symbol)
    assert figures(session, symbol)["book"] == {
        "bids": expected["final_top10_bids"],
        "asks": expected["final_top10_asks"],
        "sequence_gaps": 0,
    }
    assert len(found.book.bids) == expected["final_bid_levels"]
    assert len(found.book.asks) == expected["final_ask_levels"]
    items = recorded.truth(NAME)["items_per_channel_type_symbol"]
    assert found.updates == items[f"l2_data:snapshot|{symbol}"] + items[f"l2_data:update|{symbol}"]
    assert session.board.books[session.ids[symbol]] == (found.updates, *found.book.top(20))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_best_prices_and_statistics_equal_the_last_ticker(session, symbol):
    expected, row = recorded.truth(NAME)["ticker_last"][symbol], session.board.rows[session.ids[symbol]]
    assert row[Field.BID : Field.ASK_SIZE + 1] == [
        float(expected[key]) for key in ("best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity")
    ]
    assert (row[Field.HIGH_24H], row[Field.LOW_24H], row[Field.VOLUME_24H], row[Field.CHANGE_24H]) == tuple(
        float(expected[key]) for key in ("high_24_h", "low_24_h", "volume_24_h", "price_percent_chg_24_h")
    )
    change = Decimal(expected["price_percent_chg_24_h"]) / 100
    assert row[Field.OPEN_24H] == float(round(Decimal(expected["price"]) / (1 + change), 2))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_metadata_of_the_listing_is_on_the_row(session, symbol):
    row = session.board.rows[session.ids[symbol]]
    metadata = (row[Field.PRICE_DECIMALS], row[Field.QTY_DECIMALS], row[Field.TICK_SIZE], row[Field.LOT_SIZE])
    assert metadata == (2, 8, 0.01, 1e-8)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_everything_is_live_in_the_end(session, symbol):
    assert session.board.rows[session.ids[symbol]][Field.QUALITY] == Quality.LIVE


def test_the_last_list_names_every_stream_and_each_was_heard(session):
    listed = [control for control in session.controls if control is not None][-1]
    channels = (Channel.TRADES, Channel.QUOTES, Channel.TICKERS, Channel.BOOK)
    assert listed.keys == {StreamKey(channel, symbol) for channel in channels for symbol in SYMBOLS}
    assert session.adapter.heard.keys() == listed.keys


@pytest.mark.parametrize("batch", [1, 100_000])
def test_batches_change_nothing(session, batch):
    # By their text: records of what the venue does not say hold NaN.
    assert repr(Session(batch=batch).tape.records) == repr(session.tape.records)
