"""Frames that are wrong, huge or no frames at all: used, or refused whole."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds import frames
from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS
from tickfloor.feeds.errors import FrameError

NOW = START_MS * 1_000_000

GOOD = (
    frames.trade(2, START_MS, 1, 1), frames.book_ticker(2, "1", "2"),
    frames.depth(12, 13, START_MS, [["1", "5"]], [["3", "1"]], previous=11),
    frames.combined("btcusdt@ticker", frames.ticker(START_MS)),
    frames.combined("btcusdt@miniTicker", frames.mini_ticker(START_MS)),
    frames.combined("!ticker@arr", [frames.ticker(START_MS)]),
    frames.combined("btcusdt@aggTrade", {"e": "aggTrade", "E": START_MS, "s": "BTCUSDT", "a": 5, "p": "1", "q": "1",
                                         "f": 1, "l": 1, "T": START_MS, "m": True}),
    frames.combined("btcusdt@kline_1m", {"e": "kline", "E": START_MS, "s": "BTCUSDT", "k": {
        "t": 1, "T": 2, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2, "o": "1", "c": "1", "h": "1", "l": "1", "v": "1",
        "n": 2, "x": False, "q": "1", "V": "1", "Q": "1", "B": "0"}}),
)  # fmt: skip
BAD_VALUES = (
    b"null", b'"nan"', b'"inf"', b'"-1"', b"-1", b'"1e400"', b'""', b'"abc"', b"9007199254740993", b"1" * 400, b"{}",
    b"[[]]", b'[["1"]]', b'[["1","2","3"]]', b'[["0","1"]]', b'[["1","-1"]]', b'[["nan","1"]]', b"1e999", b'"\xff"',
    b"[" * 3000 + b"]" * 3000, b'"' + b"9" * 100_000 + b'"', b"true",
)  # fmt: skip


def state_of(feed: Feed):
    """Everything that a refused frame must leave alone."""
    sync = feed.adapter.book("BTCUSDT")
    writers = [
        (each.row, each.forming.minute, each.forming.closed_part, each.quality, each.id_gaps, each.duplicates)
        for each in feed.publisher.writers
    ]
    return (
        repr(feed.tape.records), repr(writers),
        feed.publisher.minute_end_ns, feed.publisher.venue_ns, feed.publisher.tick_due_ns,
        sync.book.top(99), sync.update_id, sync.trusted, sync.sequence_gaps, sync.waiting,
    )  # fmt: skip


def opened(venue: str = "binance") -> Feed:
    feed = Feed(venue)
    feed.adapter.on_http(NOW, "REST-depth:BTCUSDT", frames.snapshot(10, [["1", "5"]], [["2", "6"]]))
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.depth(9, 11, START_MS, [["0.5", "5"]], previous=8))
    return feed


def send_or_refuse(feed: Feed, payload: bytes, recv_ns: int = NOW) -> bool:
    """Send a frame; when it is refused, nothing may have changed."""
    before = state_of(feed)
    try:
        feed.read(recv_ns, payload)
    except FrameError as error:
        refused = error.reason
    else:
        return True
    assert refused
    assert state_of(feed) == before
    return False


@settings(max_examples=600, deadline=None)
@given(st.data(), st.sampled_from(GOOD), st.sampled_from(["binance", "binance-usdm"]), st.booleans())
def test_a_malformed_frame_is_refused_whole(data, good, venue, warm):
    feed = opened(venue)
    if warm:
        assert send_or_refuse(feed, good)
    what = data.draw(st.sampled_from(["value", "cut", "drop", "flip", "insert"]))
    if what == "value":
        colons = [at for at, byte in enumerate(good) if byte == 58]
        at = data.draw(st.sampled_from(colons)) + 1
        ends = [end for end in (good.find(b",", at), good.find(b"}", at)) if end > 0]
        payload = good[:at] + data.draw(st.sampled_from(BAD_VALUES)) + good[min(ends) :]
    elif what == "cut":
        payload = good[: data.draw(st.integers(0, len(good) - 1))]
        assert not send_or_refuse(feed, payload)
    elif what == "drop":
        decoded = json.loads(good)
        inner = decoded["data"] if isinstance(decoded["data"], dict) else decoded["data"][0]
        inner.pop(data.draw(st.sampled_from(sorted(inner))))
        payload = json.dumps(decoded, separators=(",", ":")).encode()
    elif what == "flip":
        at = data.draw(st.integers(0, len(good) - 1))
        payload = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    else:
        at = data.draw(st.integers(0, len(good)))
        payload = good[:at] + data.draw(st.binary(max_size=20)) + good[at:]
    send_or_refuse(feed, payload)
    # The feed goes on whatever came.
    assert send_or_refuse(feed, frames.trade(50, START_MS + 5, 2, 1))
    feed.publisher.flush()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_never_gets_through(payload):
    feed = opened()
    send_or_refuse(feed, payload)
    send_or_refuse(feed, b'{"stream":"' + payload + b'","data":{}}')
    send_or_refuse(feed, b'{"stream":"btcusdt@trade","data":' + payload + b"}")
    try:
        feed.adapter.on_http(NOW, "REST-depth:BTCUSDT", payload)
        feed.adapter.on_http(NOW, payload.decode(errors="replace"), payload)
    except FrameError:
        pass


@pytest.mark.parametrize("good", GOOD[:4])
def test_a_venue_time_far_ahead_is_refused_before_it_closes_bars(good):
    feed = opened("binance-usdm")
    ahead = str(START_MS + 2 * 3_600_000).encode()
    payload = good.replace(str(START_MS).encode(), ahead)
    if payload != good:
        assert not send_or_refuse(feed, payload)


def test_a_trade_older_than_a_day_is_refused():
    feed = opened()
    assert not send_or_refuse(feed, frames.trade(2, START_MS - 2 * 86_400_000, 1, 1))
    assert not send_or_refuse(feed_first(), frames.trade(2, 5, 1, 1))


def feed_first() -> Feed:
    feed = Feed()
    feed.adapter.on_http(NOW, "REST-depth:BTCUSDT", frames.snapshot(10))
    return feed


def test_a_frame_of_another_symbol_is_refused():
    feed = opened()
    payload = frames.trade(2, START_MS, 1, 1).replace(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"')
    assert not send_or_refuse(feed, payload)
    assert not send_or_refuse(feed, payload.replace(b"btcusdt@", b"xrpusdt@"))
    assert [each.symbol for each in feed.board.instruments.values()] == ["BTCUSDT"]


def test_huge_frames_are_used_or_refused():
    feed = opened()
    levels = [[f"{100 + number / 100:.2f}", "1"] for number in range(50_000)]
    assert send_or_refuse(feed, frames.depth(12, 12, START_MS, [], levels))
    assert len(feed.adapter.book("BTCUSDT").book.asks) == 50_001
    assert not send_or_refuse(feed, frames.depth(13, 13, START_MS, [], [*levels, ["1", "-1"]]))
    assert not send_or_refuse(feed, b'{"stream":"' + b"x" * 10_000_000 + b'@trade","data":{}}')
