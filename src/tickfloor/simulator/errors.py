"""What can be wrong with what the simulator is asked for."""

from tickfloor.contracts.errors import TickfloorError


class SimulatorError(TickfloorError):
    """A setting, a scenario or a question does not fit the simulator."""


class HostilityError(SimulatorError):
    """There is no such hostility, or it does not take such a parameter; the message names those that there are."""
