"""``tickfloor simulate`` serves a capture, and ``tickfloor run`` receives it with the settings that it printed."""

import asyncio
import json
import signal
from contextlib import contextmanager

import pytest

from tests.feeds.recorded import capture_path, truth
from tests.floor.commands import Command, tickfloor
from tests.simulator.test_command import start
from tests.waiting import until
from tickfloor.cli.simulate_settings import _READERS, settings_text
from tickfloor.config import load
from tickfloor.feeds.recording.capture import Capture
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator
from tickfloor.simulator.venues import RECORDED


@contextmanager
def served(capture, speed, folder):
    """Run the command meanwhile; give it and a file with the settings that it printed."""
    with start(captures=[capture], speed=speed, as_json=False) as process:
        try:
            lines = []
            while not lines or "rest_url" not in lines[-1]:
                lines.append(process.stdout.readline())
                assert lines[-1], process.stderr.read()
            settings = folder / "floor.toml"
            settings.write_text("".join(lines[lines.index("\n") :]))
            yield process, settings
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def test_a_floor_receives_every_trade_of_a_capture_with_the_settings_that_were_printed(tmp_path):
    name = "binance_spot_3sym_20210404"
    with (
        served(capture_path(name), "40", tmp_path) as (exchange, settings),
        Command(tmp_path, "run", "-c", settings, "--record", "recording") as floor,
    ):
        for line in iter(exchange.stderr.readline, ""):
            if "the captures have ended" in line:
                break
        seen = []

        def quiet():
            asked = tickfloor(tmp_path, "feeds", "list", "--json", "--floor", str(floor.pid))
            seen.append([connection["frames"] for connection in asked.json[0]["connections"]])
            return seen[-2:-1] == seen[-1:]

        until(quiet, "the floor has read what was sent")
        floor.send(signal.SIGINT)
        assert floor.finish().code == 130
    tickfloor(tmp_path, "replay", "recording", "--report", "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert {
        symbol: (found["trades"], found["qty"], found["notional"])
        for key, found in report["instruments"].items()
        for symbol in [key.removeprefix("binance:")]
    } == {
        symbol: (expected["count"], expected["sum_qty"], expected["sum_price_x_qty"])
        for symbol, expected in truth(name)["aggTrades"].items()
    }


def test_a_beginning_that_is_no_time_ends_the_command_with_what_it_must_be(tmp_path):
    (tmp_path / "floor.toml").write_text('[[venues]]\nvenue = "binance"\n')
    finished = tickfloor(tmp_path, "run", "-c", "floor.toml", "--begins", "soon")
    assert (finished.code, finished.out) == (4, "")
    assert "begins must be a time from 1970 on, with its zone, such as 2021-04-04T12:00:00Z, not 'soon'" in finished.err


async def printed(folder, *names):
    """Return the settings for captures, read back."""
    captures = tuple(str(capture_path(name)) for name in names)
    async with Simulator(SimulatorSettings(captures=captures, paused=True)) as simulator:
        path = folder / "floor.toml"
        path.write_text(settings_text(simulator))
        return load(path, {}), simulator


@pytest.mark.parametrize(
    ("name", "symbols", "streams"),
    [
        ("binance_spot_3sym_20210404", {"BTCUSDT", "DOTUSDT", "ETHUSDT"}, ("trades", "book")),
        ("binance_coinm_btcusd_perp_20240808", {"BTCUSD_PERP"}, ("trades", "quotes", "book")),
        ("kraken_v2_book_btcusd_20230730_first250", {"BTC/USD"}, ("book",)),
        (
            "coinbase_advanced_2sym_20260809_first12s",
            {"BTC-USD", "ETH-USD"},
            ("trades", "quotes", "book", "tickers"),
        ),
    ],
)
def test_the_settings_ask_for_what_a_capture_holds_from_when_it_begins(tmp_path, name, symbols, streams):
    settings, simulator = asyncio.run(printed(tmp_path, name))
    (venue,) = settings.venues
    assert (set(venue.symbols), venue.streams) == (symbols, streams)
    assert (venue.stream_url, venue.rest_url) == simulator.urls(venue.venue)
    first = next(frame[0] for frame in Capture(capture_path(name)) if frame[1] == "F")
    assert 0 <= first - settings.begins_ns < 1_000_000_000


def test_the_settings_name_every_venue_and_the_time_of_the_first_of_them(tmp_path):
    names = "binance_usdm_btcusdt_20240808", "binance_spot_btcusdt_20240808"
    settings, _ = asyncio.run(printed(tmp_path, *names))
    assert {venue.venue for venue in settings.venues} == {"binance", "binance-usdm"}
    first = min(frame[0] for name in names for frame in [next(f for f in Capture(capture_path(name)) if f[1] == "F")])
    assert 0 <= first - settings.begins_ns < 1_000_000_000


def capture(folder, *streams):
    """Write a capture with a frame of each stream."""
    path = folder / "small.frames"
    lines = ['# {"exchange": "binance", "market": "spot"}']
    lines += [f'{10**18}\tF\t-\t{{"stream":"{stream}","data":{{}}}}' for stream in streams]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("streams", [("btcusdt@avgPrice",), ("btc usdt@trade",), ("btcusdt@kline_1m",)])
def test_a_venue_of_which_a_floor_can_use_nothing_is_not_named(tmp_path, streams):
    async def text():
        chosen = SimulatorSettings(captures=(str(capture(tmp_path, *streams)),), paused=True)
        async with Simulator(chosen) as simulator:
            return settings_text(simulator)

    assert "[[venues]]" not in asyncio.run(text())


def test_it_is_known_how_every_venue_that_can_be_served_names_its_streams():
    assert _READERS.keys() == RECORDED.keys()


def test_a_venue_of_which_that_is_not_known_is_refused_by_name():
    class Elsewhere:
        begins_ns = 10**18

        def venues(self):
            return ["bitstamp"]

        def urls(self, venue):
            return "ws://127.0.0.1:1", "http://127.0.0.1:2"

        def recorded(self):
            return {"bitstamp": ["trades:BTC"]}

    with pytest.raises(SimulatorError, match="how 'bitstamp' names its streams; known are binance, "):
        settings_text(Elsewhere())


def test_of_a_seeded_market_the_settings_are_the_addresses_alone(tmp_path):
    async def text():
        async with Simulator(SimulatorSettings(instruments=1, paused=True)) as simulator:
            return settings_text(simulator)

    path = tmp_path / "floor.toml"
    path.write_text(asyncio.run(text()))
    settings = load(path, {})
    assert [venue.venue for venue in settings.venues] == ["binance", "binance-usdm"]
    assert (settings.begins_ns, settings.venues[0].symbols) == (0, ("*",))
