"""Any sequence of requests over one socket: what is listed, and what is delivered, is what was asked for last."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.simulator.binance.rules import BINANCE, BINANCE_USDM
from tickfloor.simulator.binance.session import BinanceSession, place_of
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.stream import Streams
from tickfloor.simulator.weights import BAN_AFTER, BAN_SECONDS, WeightMeter

KNOWN = "a@trade", "a@depth", "b@trade"
NAMES = (*KNOWN, "x@trade")


class Source:
    """Has three streams."""

    rules = BINANCE

    def __init__(self):
        self.conditions = Conditions()
        self.streams = Streams()

    def subscribe(self, name, route):
        return self.streams.open(name) if name in KNOWN else None

    def stamp_ms(self):
        return 5


class Socket:
    """Keeps what is sent."""

    def __init__(self):
        self.payloads = []

    def send(self, payload):
        self.payloads.append(payload)

    def send_frame(self, frame):
        self.payloads.append(frame[2:])


names = st.lists(st.sampled_from(NAMES), max_size=4)
requests = st.one_of(
    st.tuples(st.just("SUBSCRIBE"), names),
    st.tuples(st.just("UNSUBSCRIBE"), names),
    st.tuples(st.just("SET_PROPERTY"), st.tuples(st.just("combined"), st.booleans())),
    st.tuples(st.just("SHOUT"), st.none()),
    st.tuples(st.just("SUBSCRIBE"), st.just("a@trade")),
)


@given(st.booleans(), names, st.lists(requests, max_size=15))
@settings(max_examples=150, deadline=None)
def test_lists_and_frames_are_what_was_asked_for(wrapped, first, asked):
    source, socket = Source(), Socket()
    path = f"/stream?streams={'/'.join(first)}" if wrapped else f"/ws/{'/'.join(first)}"
    session = BinanceSession(source, socket, place_of(BINANCE, path))
    session.opened()
    wanted = list(dict.fromkeys(first))
    for number, (method, params) in enumerate(asked):
        session.message(json.dumps({"method": method, "params": params, "id": number}).encode())
        answer = json.loads(socket.payloads[-1])
        assert answer["id"] == number
        if method == "SHOUT" or isinstance(params, str):
            assert answer["code"] == 2
            continue
        assert answer["result"] is None
        if method == "SUBSCRIBE":
            wanted += [name for name in dict.fromkeys(params) if name not in wanted]
        elif method == "UNSUBSCRIBE":
            wanted = [name for name in wanted if name not in params]
        else:
            wrapped = params[1]
    assert session.subscriptions() == wanted
    socket.payloads.clear()
    for name in KNOWN:
        source.streams.open(name).publish(b'"%b"' % name.encode())
    heard = [json.loads(payload) for payload in socket.payloads]
    expected = [name for name in KNOWN if name in wanted]
    assert heard == ([{"stream": name, "data": name} for name in expected] if wrapped else expected)
    notice = json.loads(session.going_away())
    assert (notice["data"] if wrapped else notice)["e"] == "serverShutdown"


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_is_answered(payload):
    socket = Socket()
    BinanceSession(Source(), socket, place_of(BINANCE, "/ws")).message(payload)
    assert "code" in json.loads(socket.payloads[-1])


def test_urls_are_read_as_the_venue_does():
    assert place_of(BINANCE, "/ws/a@trade").names == ("a@trade",)
    assert place_of(BINANCE, "/ws/a@trade/b@trade").names == ("a@trade", "b@trade")
    assert place_of(BINANCE, "/stream?streams=a@trade/b%40trade").names == ("a@trade", "b@trade")
    assert place_of(BINANCE, "/public/ws") is None
    assert place_of(BINANCE, "/") is None
    assert place_of(BINANCE_USDM, "/market/ws/a@aggTrade").route == "market"
    assert place_of(BINANCE_USDM, "/stream?streams=a@aggTrade").route == ""
    assert place_of(BINANCE_USDM, "/market/stream?streams=" + "/".join(f"s{n}@trade" for n in range(201))) is None


def test_a_weight_meter_counts_minutes_and_a_ban_ends():
    now = [120.0]
    meter = WeightMeter(100, lambda: now[0])
    assert meter.check() == (0, 0)
    assert meter.add(100) == 100
    now[0] = 150.0
    assert meter.check() == (429, 30)
    now[0] = 180.0
    assert meter.check() == (0, 0)
    assert meter.add(100) == 100
    assert [meter.check()[0] for _ in range(BAN_AFTER)] == [429] * (BAN_AFTER - 1) + [418]
    now[0] += BAN_SECONDS - 1
    assert meter.check() == (418, 1)
    now[0] += 1
    assert meter.check() == (0, 0)


def test_without_a_budget_nothing_is_refused():
    meter = WeightMeter(0, lambda: 120.0)
    meter.add(10**6)
    assert meter.check() == (0, 0)
