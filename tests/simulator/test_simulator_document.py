"""docs/simulator.md names every hostility with its parameters and every option, and its examples run."""

import re
from pathlib import Path

import pytest
import typer

from tickfloor.cli.app import app
from tickfloor.simulator.hostility import parameters_of, read_hostility
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.scenario import read_scenario
from tickfloor.simulator.venues import SEEDED

DOCUMENT = (Path(__file__).parents[2] / "docs/simulator.md").read_text()


def section(heading):
    return DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


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
