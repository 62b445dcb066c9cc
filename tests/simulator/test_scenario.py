"""Scenarios: hostilities that begin by themselves."""

from itertools import pairwise

import aiohttp
import pytest

from tests.simulator.client import START_NS, listening, run
from tickfloor.simulator.errors import HostilityError, SimulatorError
from tickfloor.simulator.scenario import read_scenario
from tickfloor.simulator.settings import SimulatorSettings, Step
from tickfloor.simulator.simulator import Simulator


def written(tmp_path, text):
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return path


def test_a_scenario_is_read_as_written(tmp_path):
    text = '[[step]]\nat = 2\ndo = "gap"\nstream = "btcusdt@trade"\nframes = 3\n[[step]]\nframe = 10\ndo = "drop"\n'
    assert read_scenario(written(tmp_path, text)) == (
        Step(do="gap", parameters={"stream": "btcusdt@trade", "frames": 3}, at=2.0),
        Step(do="drop", parameters={}, frame=10),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[step]", "not TOML"),
        ("[[steps]]\nat = 1", "steps"),
        ("[[step]]\nat = 1", "step 1: do"),
        ('[[step]]\ndo = "drop"', "either at, in seconds, or frame"),
        ('[[step]]\ndo = "drop"\nat = 1\nframe = 2', "either at, in seconds, or frame"),
        ('[[step]]\ndo = "drop"\nat = -1', "at must be"),
        ('[[step]]\ndo = "drop"\nat = nan', "at must be"),
        ('[[step]]\ndo = "drop"\nframe = 1.5', "frame must be"),
        ('[[step]]\ndo = "drop"\nat = true', "at must be seconds from 0, not true"),
        ('[[step]]\ndo = "drop"\nframe = false', "frame must be a whole number from 0, not false"),
    ],
)
def test_what_is_no_scenario_is_refused_with_the_reason(tmp_path, text, reason):
    with pytest.raises(SimulatorError, match=reason):
        read_scenario(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SimulatorError, match="cannot be read"):
        read_scenario(tmp_path / "none.toml")


def test_a_step_that_there_is_not_is_refused_before_anything_begins():
    with pytest.raises(HostilityError, match="kindness"):
        Simulator(SimulatorSettings(scenario=(Step(do="kindness", parameters={}, at=1.0),)))


@pytest.mark.parametrize(
    ("do", "parameters", "reason"),
    [
        ("gap", {"stream": "BTCUSDT@trade"}, "btcusdt@trade"),
        ("gap", {"venue": "kraken"}, "no venue is called 'kraken'"),
        ("cut", {"venue": "kraken"}, "no venue is called 'kraken'"),
        ("burst", {"venue": "kraken"}, "no venue is called 'kraken'"),
        ("wrong_checksum", {}, "no checksums"),
    ],
)
def test_a_step_that_can_never_be_done_to_these_venues_is_refused_before_anything_begins(do, parameters, reason):
    with pytest.raises(HostilityError, match=reason):
        Simulator(SimulatorSettings(instruments=1, scenario=(Step(do=do, parameters=parameters, at=1.0),)))


def test_steps_begin_at_their_market_time_and_at_their_frame():
    steps = (
        Step(do="gap", parameters={"venue": "binance", "stream": "btcusdt@trade", "frames": 2}, at=2.0),
        Step(do="drop", parameters={"connection": 9}, at=4.0),
        Step(do="cut", parameters={}, frame=3000),
    )

    async def scene():
        async with listening("/stream?streams=btcusdt@trade", instruments=1, scenario=steps) as (simulator, client):
            simulator.step(1.4)
            await client.catch_up()
            ids = [trade["t"] for trade in client.frames()["btcusdt@trade"]]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            while simulator.frames() < 3000:
                simulator.step(1)
            assert await client.hear_end() == aiohttp.WSCloseCode.OK
            assert [note["done"] for note in simulator.state()["hostility"]] == [
                "gap: 1 stream", "drop: there is no connection 9", "cut: 1 connection",
            ]  # fmt: skip
            trades = client.frames()["btcusdt@trade"]
            (hole,) = [(before, after) for before, after in pairwise(trades) if after["t"] != before["t"] + 1]
            assert hole[1]["t"] - hole[0]["t"] == 3
            assert hole[1]["T"] >= START_NS // 1_000_000 + 2000 > hole[0]["T"] - 1000

    run(scene)
