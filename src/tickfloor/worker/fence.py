"""Whom a worker obeys: commands for its own life, from the latest supervisor that it has heard."""

from dataclasses import dataclass

from tickfloor.contracts.messages import Command


@dataclass(slots=True)
class Fence:
    """One worker's, shared by its lanes.

    Attributes:
        epoch: of the latest supervisor that was obeyed; an earlier one is not obeyed again.
    """

    incarnation: int
    epoch: int

    def admits(self, command: Command) -> bool:
        """Say whether a command is for this life of the worker, and from nobody who has been replaced."""
        return command.incarnation == self.incarnation and command.epoch >= self.epoch
