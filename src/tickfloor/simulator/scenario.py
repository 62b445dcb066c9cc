"""Hostilities that begin by themselves, from a TOML file.

Each is a ``[[step]]`` with ``do``, either ``at`` (seconds of market time since the start) or ``frame`` (when so many
frames have been sent), and the hostility's own parameters.
"""

import tomllib
from pathlib import Path

from tickfloor.simulator.errors import SimulatorError, written
from tickfloor.simulator.settings import Step


def read_scenario(path: Path) -> tuple[Step, ...]:
    """Read a scenario; whether its hostilities exist is found out when a simulator is made of it.

    Raises:
        SimulatorError: the file cannot be read, or is not a scenario.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise SimulatorError(f"scenario {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SimulatorError(f"scenario {path} is not TOML: {error}") from error
    steps = content.pop("step", [])
    if content or not isinstance(steps, list):
        raise SimulatorError(f"scenario {path} holds {', '.join(content) or 'step'}; it is a list of [[step]]")
    return tuple(_step(path, number, step) for number, step in enumerate(steps, 1))


def _step(path: Path, number: int, step: object) -> Step:
    where = f"scenario {path}, step {number}"
    if not isinstance(step, dict) or not isinstance(step.get("do"), str):
        raise SimulatorError(f"{where}: do must name a hostility")
    parameters = {name: value for name, value in step.items() if name not in ("do", "at", "frame")}
    at, frame = step.get("at"), step.get("frame")
    if (at is None) == (frame is None):
        raise SimulatorError(f"{where}: say when: either at, in seconds, or frame, a number of frames")
    if at is not None and (isinstance(at, bool) or not isinstance(at, int | float) or not at >= 0):
        raise SimulatorError(f"{where}: at must be seconds from 0, not {written(at)}")
    if frame is not None and (isinstance(frame, bool) or not isinstance(frame, int) or frame < 0):
        raise SimulatorError(f"{where}: frame must be a whole number from 0, not {written(frame)}")
    return Step(do=step["do"], parameters=parameters, at=None if at is None else float(at), frame=frame)
