"""What Binance says about our requests and its servers, and what only looks like it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds import frames
from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Acked, Channel, GoingAway, Listed, Refused, StreamKey

NOW = START_MS * 1_000_000


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"result":null,"id":1}', Acked(1, None)),
        (b'{"id":0,"result":null}', Acked(0, None)),
        (b'{"result":true,"id":7}', Acked(7, None)),
        (b'{"result":[],"id":3}', Listed(frozenset())),
        (b'{"code":2,"msg":"Invalid request","id":5}', Refused(5, None, "Invalid request (code 2)")),
        (b'{"code":3,"msg":"Invalid JSON"}', Refused(None, None, "Invalid JSON (code 3)")),
        (b'{"code":0,"id":"mine"}', Refused(None, None, "no reason given (code 0)")),
        (b'{"error":{"code":2,"msg":"no"},"id":3}', Refused(3, None, "no (code 2)")),
        (b'{"error":{"msg":"no"},"id":3}', Refused(3, None, "no")),
        (b'{"error":"too many","id":3}', Refused(3, None, "too many")),
        (b'{"e":"serverShutdown","E":1770123456789}', GoingAway()),
        (b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}', GoingAway()),
    ],
)
def test_what_is_not_about_a_market_is_returned(payload, expected):
    feed = Feed()
    feed.send(NOW, payload)
    assert feed.controls == [expected]
    assert (feed.tape.records, feed.adapter.heard, feed.adapter.left_out()) == ([], {}, {})


def test_a_list_names_the_streams_of_every_channel():
    feed = Feed()
    names = ["btcusdt@trade", "ethusdt@bookTicker", "ethusdt@depth@100ms", "btcusdt@kline_1m", "btcusdt@ticker",
             "btcusdt@markPrice@1s"]  # fmt: skip
    feed.send(NOW, json.dumps({"result": names, "id": 3}).encode())
    assert feed.controls == [
        Listed(frozenset({
            StreamKey(Channel.TRADES, "BTCUSDT"), StreamKey(Channel.QUOTES, "ETHUSDT"),
            StreamKey(Channel.BOOK, "ETHUSDT"), StreamKey(Channel.BARS, "BTCUSDT"),
            StreamKey(Channel.TICKERS, "BTCUSDT"),
        }))
    ]  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        b'{"result":null}', b'{"result":null,"id":null}', b'{"result":null,"id":"1"}', b'{"result":{},"id":1}',
        b'{"result":5,"id":1}', b'{"id":1}',
    ],
)  # fmt: skip
def test_an_answer_to_no_request_of_ours_is_counted(payload):
    feed = Feed()
    feed.send(NOW, payload)
    assert feed.controls == []
    assert feed.adapter.left_out() == {"frames of other (binance)": 1}


@pytest.mark.parametrize(
    "payload",
    [
        b'{"result":[1,2],"id":3}', b'{"result":["@trade"],"id":3}', b'{"result":null,"id":1.5}',
        b'{"result":null,"id":{}}', b'{"result":nul,"id":1}', b'{"result":null,"id":1', b'{"code":"2","msg":"no"}',
        b'{"code":2,"msg":{}}', b'{"error":5,"id":3}', b'{"error":{"code":"x"},"id":3}', b'{"id":99999999999999999999}',
    ],
)  # fmt: skip
def test_malformed_answers_are_refused(payload):
    feed = Feed()
    with pytest.raises(FrameError):
        feed.send(NOW, payload)
    assert feed.adapter.statistics().malformed == 1


@settings(max_examples=200, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["result", "id", "error", "code", "msg", "stream", "data", "e", "s", "u"]), inner, max_size=6
    ),
    max_leaves=12,
))  # fmt: skip
def test_whatever_an_answer_holds_it_is_understood_counted_or_refused(answer):
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1, 1))
    try:
        feed.send(NOW, json.dumps(answer).encode())
    except FrameError:
        assert feed.controls == []
    assert feed.send(NOW, frames.trade(2, START_MS, 1, 1))
    assert len(feed.board.instruments) == 1
