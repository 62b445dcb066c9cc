"""docs/simulator.md names every hostility with its parameters and every option, and its examples run."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import typer

from tests.feeds.recorded import capture_path
from tickfloor.cli.app import app
from tickfloor.simulator.hostility import parameters_of, read_hostility
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.scenario import read_scenario
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator
from tickfloor.simulator.venues import SEEDED

DOCUMENT = (Path(__file__).parents[2] / "docs/simulator.md").read_text()


def section(heading):
    return re.split(r"\n##+ ", DOCUMENT.split(f"# {heading}\n")[1])[0]


TROUBLE = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", section("Trouble"), re.MULTILINE))


def example(after, language):
    """Return the first example of a language below a heading."""
    return re.search(rf"```{language}\n(.*?)```", section(after), re.DOTALL)[1]


def test_every_hostility_is_described_and_no_other():
    assert sorted(TROUBLE) == sorted(HOSTILITIES)


@pytest.mark.parametrize("name", sorted(HOSTILITIES))
def test_the_parameters_of_a_hostility_are_described_with_their_defaults(name):
    parameters = parameters_of(HOSTILITIES[name])
    described = re.findall(r"`(\w+)`(?: `?([^\s`,;:|]+))?", TROUBLE[name])
    assert sorted(parameter for parameter, _ in described) == sorted(parameters)
    for parameter, default in described:
        value = parameters[parameter]
        assert default == ("(must" if value is None else f"{value}".lower().removesuffix(".0"))


def test_every_option_of_the_command_is_described():
    command = typer.main.get_command(app).commands["simulate"]
    options = {option for p in command.params for option in p.opts} - {"--help"}
    assert [option for option in sorted(options) if f"`{option}" not in DOCUMENT] == []


def test_every_seeded_venue_is_described():
    described = re.findall(r"^\| `([a-z-]+)` \| ", section("What it speaks"), re.MULTILINE)
    assert sorted(described) == sorted(SEEDED)


@pytest.mark.parametrize(
    ("row", "venue", "captures"),
    [
        ("binance", "binance", ()),
        ("kraken", "kraken", ("kraken_v2derived_10sym_20210417", "kraken_v2_book_btcusd_20230730_first250")),
        ("coinbase", "coinbase", ("coinbase_advanced_2sym_20260809_first12s",)),
    ],
)
def test_the_names_of_streams_are_those_that_a_venue_has(row, venue, captures):
    (line,) = re.findall(rf"^\| `{row}`.*\| (.+) \|$", section("Names of streams"), re.MULTILINE)
    patterns = re.findall(r"`([^`]+)`", line)
    assert len(patterns) > 2
    chosen = SimulatorSettings(captures=tuple(str(capture_path(name)) for name in captures), paused=True)
    (face,) = Simulator(chosen).faces_of(venue)
    # The captures hold other symbols, and no bars.
    kept = [re.sub(":.*", ":*", pattern) for pattern in patterns if not pattern.startswith(("ohlc:", "candles:"))]
    assert [pattern for pattern in kept if not any(fnmatchcase(name, pattern) for name in face.stream_names())] == []


def test_the_scenario_can_be_read(tmp_path):
    path = tmp_path / "bad-day.toml"
    path.write_text(example("Scenarios", "toml"))
    steps = read_scenario(path)
    assert [step.do for step in steps] == ["drop", "gap", "too_many"]
    for step in steps:
        read_hostility(HOSTILITIES, step.do, step.parameters)


def test_the_example_of_a_test_passes():
    names = {}
    exec(example("In your own tests", "python"), names)
    names["test_my_client_has_every_trade"]()
