"""Records made of trades are those that a feed publishes for them."""

import os
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traders.history.histories import trading
from tests.traders.market import ListTape
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import RECORD, Kind
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.traders.history.trade_tape import Trade, TradeTape

MINUTE_NS = 60_000_000_000


def shuffled(seed: int, count: int) -> list[Trade]:
    """Trades some of which come after their minute has closed."""
    random, found = Random(seed), []
    for trade in trading(seed, count, longest_step_ms=40_000):
        if found and random.random() < 0.15:
            trade = trade._replace(ts_event=trade.ts_event - random.randrange(1, 12) * MINUTE_NS)
        found.append(trade)
    return found


def published(trades: list[Trade]) -> list[bytes]:
    fd = create_board("board", BoardLayout(1, 2_000), 1)
    writer, tape = BoardWriter(fd, run_id=1, incarnation=1), ListTape()
    try:
        publisher = MarketPublisher(
            tape, writer, lambda venue, symbol: Instrument(0, venue, symbol), "binance", bar_slots=writer.layout.ring
        )
        received = 0
        for number, trade in enumerate(trades):
            received = max(received, trade.ts_event)
            publisher.open("BTCUSDT").trade(trade.ts_event, received, trade.price, trade.qty, trade.side, number, 1)
    finally:
        writer.close()
        os.close(fd)
    return tape.records


def essence(records: bytes):
    """Return what an engine makes use of: of bars only which and when."""
    return [
        (sequence, ts_event, row, kind, code, flags, *((a, b) if kind == Kind.TRADE else ()))
        for sequence, ts_event, _, row, kind, code, flags, a, b, _, _ in RECORD.iter_unpack(records)
    ]


@settings(max_examples=25, deadline=None, database=None)
@given(st.integers(0, 2**32))
def test_equals_a_feed_record_by_record(seed):
    trades, tape = shuffled(seed, 300), TradeTape()
    records = b"".join(event.records for trade in trades for event in tape.events(trade))
    assert essence(records) == essence(b"".join(published(trades)))
    assert tape.late > 5


def test_bars_that_end_together_are_one_event_and_later_ends_come_later():
    tape = TradeTape()
    first = Trade(1_699_919_999_000_000_000, 1.0, 1.0, 1)  # a second before midnight
    assert [event.closed for event in tape.events(first)] == [()]
    closing = [event for event in tape.events(first._replace(ts_event=first.ts_event + 90 * MINUTE_NS)) if event.closed]
    assert [[interval.label for interval in event.closed] for event in closing] == [
        ["1m", "5m", "15m", "1h", "4h", "1d"]
    ]
    tape = TradeTape()
    list(tape.events(first._replace(ts_event=first.ts_event - 2 * MINUTE_NS)))
    closing = [event for event in tape.events(first) if event.closed]
    assert [(event.ts_event % (60 * MINUTE_NS) // MINUTE_NS, len(event.closed)) for event in closing] == [(58, 1)]
