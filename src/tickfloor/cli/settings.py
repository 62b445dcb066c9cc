"""``tickfloor config``, and the settings as every other command gets them."""

from pathlib import Path

import msgspec

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import data, fail
from tickfloor.config import Config, load
from tickfloor.contracts.errors import ConfigError


def read_config(path: Path | None, **overrides: object) -> Config:
    """Return the settings with a command's own options over them, or end the command with what is wrong."""
    if path is not None and not path.exists():
        fail(f"there is no settings file {path}", ExitCode.NOT_FOUND)
    try:
        config = load(path)
        chosen = {name: value for name, value in overrides.items() if value is not None}
        return msgspec.structs.replace(config, **chosen)
    except (ConfigError, ValueError) as error:
        fail(str(error), ExitCode.INVALID)


def check_config(path: Path | None, as_json: bool) -> None:
    """Show the settings as they would apply."""
    values = msgspec.structs.asdict(read_config(path))
    if as_json:
        data(msgspec.json.encode(values).decode())
        return
    for name, value in values.items():
        data(f"{name} = {msgspec.json.encode(value).decode()}")
