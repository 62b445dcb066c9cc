"""What can be wrong with what the simulator is asked for."""

import os

from tickfloor.contracts.errors import TickfloorError


class SimulatorError(TickfloorError):
    """A setting, a scenario or a question does not fit the simulator."""


class HostilityError(SimulatorError):
    """There is no such hostility, or it does not take such a parameter; the message names those that there are."""


class PortError(SimulatorError):
    """A port cannot be listened on."""

    def __init__(self, port: int, error: OSError) -> None:
        # The error's own words repeat the address and the number.
        reason = os.strerror(error.errno) if error.errno else str(error)
        super().__init__(f"port {port} cannot be listened on: {reason}; another one, or 0 for any free one, will do")


def written(value: object) -> str:
    """Return a value as JSON and TOML write it: who asked has written it so."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
