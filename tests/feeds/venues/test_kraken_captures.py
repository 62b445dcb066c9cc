"""Every Kraken v2 capture against figures that were computed independently, with exact decimals."""

from collections import Counter

import pytest

from tests.feeds import recorded
from tests.feeds.venues.kraken_feed import CAPTURES, KrakenFeed, lines, replay
from tickfloor.board.row import Field
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.records import Kind, Quality, Side, StatsPart
from tickfloor.feeds.venue import Acked, Channel, Resubscribe, StreamKey


@pytest.fixture(scope="module", params=CAPTURES)
def outcome(request):
    return request.param, replay(request.param)


def of_symbols(feed):
    return {key.removeprefix("kraken:"): figures for key, figures in feed.adapter.figures().items()}


def number_of(feed, symbol):
    [number] = [number for number, each in feed.board.instruments.items() if each.symbol == symbol]
    return number


def test_every_frame_is_used(outcome):
    _, feed = outcome
    assert feed.adapter.left_out() == {}
    assert feed.adapter.refused() == ()


def test_every_checksum_is_right_after_every_message(outcome):
    name, feed = outcome
    books = recorded.truth(name)["book"]
    assert books.keys() == feed.adapter._markets.opened.keys()
    for symbol, expected in books.items():
        book = feed.adapter._markets.opened[symbol].book
        assert (book.updates, book.mismatches) == (expected["checksum_ok"], expected["checksum_bad"])
        published = [r for r in feed.of(Kind.BOOK) if r.instrument == number_of(feed, symbol)]
        assert len(published) == expected["checksum_ok"]
    assert not [control for control in feed.controls if isinstance(control, Resubscribe)]


def test_books_equal_the_truth(outcome):
    name, feed = outcome
    for symbol, expected in recorded.truth(name)["book"].items():
        found = of_symbols(feed)[symbol]["book"]
        assert found["bids"] == expected["final_top10_bids"]
        assert found["asks"] == expected["final_top10_asks"]
        assert found["sequence_gaps"] == expected["checksum_bad"]
        leader = feed.adapter._markets.opened[symbol].book.leader
        assert leader.book.depth == expected["depth"]
        assert len(leader.book.bids) == expected["final_bid_levels"]
        assert len(leader.book.asks) == expected["final_ask_levels"]


def test_the_board_s_book_is_the_top_of_the_adapter_s(outcome):
    _, feed = outcome
    for number, (updates, bids, asks) in feed.board.books.items():
        book = feed.adapter._markets.opened[feed.board.instruments[number].symbol].book
        assert (updates, (bids, asks)) == (book.updates, book.leader.book.top(20))


def test_exact_trade_figures_equal_the_truth(outcome):
    name, feed = outcome
    trades = recorded.truth(name)["trades"]
    figures = of_symbols(feed)
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
    name, feed = outcome
    for symbol, expected in recorded.truth(name)["trades"].items():
        records = [r for r in feed.of(Kind.TRADE) if r.instrument == number_of(feed, symbol)]
        sides = Counter(record.code for record in records)
        assert (sides[Side.BUY], sides[Side.SELL]) == (expected["taker_buy_count"], expected["taker_sell_count"])
        assert (records[0].c, records[-1].c) == (expected["first_id"], expected["last_id"])
        assert records[0].ts_event // 1_000_000 == expected["first_ms"]
        assert records[-1].ts_event // 1_000_000 == expected["last_ms"]


def test_minute_bars_equal_the_truth(outcome):
    name, feed = outcome
    expected: dict[str, list[dict]] = {}
    for row in recorded.truth_rows(name, "bars_1m"):
        bar = {key: float(row[key]) for key in ("open", "high", "low", "close", "volume")}
        expected.setdefault(row["symbol"], []).append(
            {"start_ms": int(row["minute_start_ms"]), **bar, "trades": int(row["trades"])}
        )
        number = number_of(feed, row["symbol"])
        bars = [*feed.board.closed[number, 0], feed.board.forming[number, 0]]
        [bar] = [bar for bar in bars if bar and bar[BarField.START_MS] == int(row["minute_start_ms"])]
        assert bar[BarField.QUOTE_VOLUME] == pytest.approx(float(row["quote_volume"]), rel=1e-12)
    assert {symbol: each["bars_1m"] for symbol, each in of_symbols(feed).items() if each["bars_1m"]} == expected


def test_the_last_ticker_equals_the_truth(outcome):
    name, feed = outcome
    for symbol, expected in recorded.truth(name)["ticker_last"].items():
        row = feed.board.rows[number_of(feed, symbol)]
        assert row[Field.BID : Field.ASK_SIZE + 1] == [float(expected[k]) for k in ("bid", "bid_qty", "ask", "ask_qty")]
        low, high, percent = row[Field.LOW_24H], row[Field.HIGH_24H], row[Field.CHANGE_24H]
        assert (low, high, percent) == tuple(float(expected[key]) for key in ("low", "high", "change_pct"))
        assert row[Field.VOLUME_24H] == float(expected["volume"])


def test_rows_end_live_as_the_tape_says(outcome):
    _, feed = outcome
    for number, row in feed.board.rows.items():
        records = [r for r in feed.tape.records if r.instrument == number and r.kind != Kind.CLOCK]
        assert row[Field.SEQUENCE] == records[-1].sequence
        assert row[Field.QUALITY] == Quality.LIVE
        assert row[Field.TRADES] == sum(record.kind == Kind.TRADE for record in records)


def test_streams_are_heard_and_answers_understood():
    feed = replay("kraken_v2derived_10sym_20210417")
    symbols = recorded.truth("kraken_v2derived_10sym_20210417")["book"].keys()
    acked = {key for control in feed.controls if isinstance(control, Acked) for key in control.keys}
    assert acked == {
        StreamKey(channel, symbol)
        for channel in (Channel.BOOK, Channel.TRADES, Channel.QUOTES, Channel.TICKERS)
        for symbol in symbols
    }
    assert {key.symbol for key in feed.adapter.heard if key.channel is Channel.BOOK} == symbols
    assert {key.symbol for key in feed.adapter.heard if key.channel is Channel.TRADES} == {"SC/EUR", "XMR/USD"}
    last = max(recv for recv, _, _, payload in lines("kraken_v2derived_10sym_20210417") if b'"trade"' in payload[:30])
    assert max(at for key, at in feed.adapter.heard.items() if key.channel is Channel.TRADES) == last


def test_statistics_are_published_when_they_move():
    feed = replay("kraken_v2derived_10sym_20210417")
    prices = [record for record in feed.of(Kind.STATS) if record.code == StatsPart.PRICES]
    assert len(prices) == 10 + 5 + 3


def test_one_digit_more_in_a_snapshot_is_found():
    snapshots = [
        (recv_ns, payload)
        for name in CAPTURES
        for recv_ns, _, _, payload in lines(name)
        if payload.startswith(b'{"channel":"book","type":"snapshot"')
    ]
    assert len(snapshots) == 11
    for recv_ns, payload in snapshots:
        feed = KrakenFeed()
        feed.send(recv_ns, payload.replace(b"}", b"0}", 1))
        assert [type(control) for control in feed.controls] == [Resubscribe]
        assert feed.qualities() == [Quality.GAP]
