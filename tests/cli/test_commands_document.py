"""docs/cli.md names every command, option, exit code and setting, and no other."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from tickfloor.cli.app import app
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.config import Config

DOCUMENT = (Path(__file__).parents[2] / "docs/cli.md").read_text()
HEADINGS = re.findall(r"^## (tickfloor .*)$", DOCUMENT, re.MULTILINE)


def commands(group: Any, words: tuple[str, ...]) -> dict[str, Any]:
    below = getattr(group, "commands", None)
    if below is None:
        return {" ".join(words): group}
    found: dict[str, Any] = {" ".join(words): group} if group.invoke_without_command else {}
    for name, command in below.items():
        found |= commands(command, (*words, name))
    return found


COMMANDS = commands(typer.main.get_command(app), ("tickfloor",))


def section(name: str) -> str:
    """Return what is written under a command's heading."""
    return re.search(rf"^## {name}\b.*?(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)[0]


def test_every_command_has_a_heading_and_every_heading_a_command():
    described = [re.match(r"tickfloor(?: [a-z]+)+", heading)[0] for heading in HEADINGS]
    assert sorted(described) == sorted(COMMANDS)


TO_A_FLOOR = [name for name, command in COMMANDS.items() if any(p.name == "floor" for p in command.params)]


@pytest.mark.parametrize("name", TO_A_FLOOR)
def test_every_option_of_a_command_to_a_floor_is_described(name):
    shared = {"--floor", "--timeout", "--json", "--help"}
    if name == "tickfloor traders update":
        # Documented as the same as those of add.
        name = "tickfloor traders add"
    options = {option for p in COMMANDS[name].params for option in p.opts if option.startswith("--")}
    text = section(name)
    assert [option for option in sorted(options - shared) if f"{option}" not in text] == []


LIVE = ["tickfloor run", "tickfloor record", "tickfloor simulate", "tickfloor demo"]


@pytest.mark.parametrize("name", LIVE)
def test_every_option_of_a_command_that_runs_a_market_is_described(name):
    options = {option for p in COMMANDS[name].params for option in p.opts if option.startswith("--")}
    text = section(f"{name}$")
    assert [option for option in sorted(options - {"--help"}) if f"`{option}" not in text] == []


def test_the_options_that_commands_to_a_floor_share_are_described():
    text = section("Commands to a running floor")
    assert len(TO_A_FLOOR) == 24
    for option in ("--floor", "--timeout", "--json"):
        assert f"`{option}" in text
        assert all(any(option in p.opts for p in COMMANDS[name].params) for name in TO_A_FLOOR)


def test_every_exit_code_is_described():
    described = re.findall(r"^\| (\d+) \| ", section("Exit codes"), re.MULTILINE)
    assert [int(code) for code in described] == sorted(int(code) for code in ExitCode)


def test_every_setting_is_described_with_its_variable_and_default():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) ?\| ", section("Settings"), re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(Config.__struct_fields__)
    for name, variable, default in rows:
        assert variable == f"TICKFLOOR_{name.upper()}"
        assert default.strip("`") == f"{getattr(Config(), name)}".removesuffix(".0")
