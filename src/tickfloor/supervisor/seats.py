"""Places from which trader workers read a tape: more than workers, so that a successor has one beside the old."""

import os
from collections.abc import Mapping

from tickfloor.board.tape_reader import attach_reader, detach_reader
from tickfloor.contracts.errors import WorkerError
from tickfloor.supervisor import record_connection
from tickfloor.supervisor.record_connection import RecordConnection
from tickfloor.worker import checkpoint


class NoSeatError(WorkerError):
    """Every place at the tape is taken."""


class Seat:
    """One reader's place, doorbell and checkpoint; its incarnations follow each other, never two at once.

    Attributes:
        index: of the reader, and of its doorbell.
        checkpoint: descriptor.
    """

    def __init__(self, index: int, shared: Mapping[str, int]) -> None:
        self.index = index
        self.checkpoint = checkpoint.create(f"reader-{index}")
        self._shared = dict(shared)

    def descriptors(self, restore: "tuple[Seat, ...]" = ()) -> dict[str, int]:
        """Return what a worker in this place is handed, with the checkpoints of other places to go on from."""
        others = {f"restore-{number}": seat.checkpoint for number, seat in enumerate(restore)}
        return {**self._shared, "checkpoint": self.checkpoint, **others}


class Seats:
    """All places of one tape. The feed knows every doorbell from the beginning.

    Args:
        doorbells: one eventfd a place, owned by whoever made them, as is everything in ``shared``.
        shared: what every reader is handed: ``tape`` and ``board`` to read, ``readers``.
        connections: one a place, for records as messages; none where nobody takes them.
    """

    def __init__(
        self,
        doorbells: tuple[int, ...],
        shared: Mapping[str, int],
        connections: tuple[RecordConnection, ...] = (),
    ) -> None:
        self._doorbells = doorbells
        self._shared = dict(shared)
        self._connections = connections
        self._taken: dict[int, Seat] = {}

    def take(self, position: int = 0) -> Seat:
        """Return a free place whose reader begins at a position.

        Raises:
            NoSeatError: there is none.
            OutOfMemoryError: the host lacks the memory.
        """
        seat = self.reserve()
        self.attach(seat, position)
        return seat

    def reserve(self) -> Seat:
        """Return a free place that nobody waits for until it is attached.

        Raises:
            NoSeatError: there is none.
            OutOfMemoryError: the host lacks the memory.
        """
        index = next((index for index in range(len(self._doorbells)) if index not in self._taken), None)
        if index is None:
            raise NoSeatError(
                f"all {len(self._doorbells)} places at the tape are taken; wait until a replacement has ended"
            )
        own = {"doorbell": self._doorbells[index]}
        if self._connections:
            own["messages"] = self._connections[index].reader
        seat = self._taken[index] = Seat(index, {**self._shared, **own})
        return seat

    def attach(self, seat: Seat, position: int) -> None:
        """Have a replay wait for a place whose reader will begin at a position."""
        attach_reader(self._shared["readers"], seat.index, position)

    def leave(self, seat: Seat) -> None:
        """Give a place back whose worker is dead and whose checkpoint nobody needs."""
        del self._taken[seat.index]
        detach_reader(self._shared["readers"], seat.index)
        if self._connections:
            record_connection.clear(self._connections[seat.index])
        os.close(seat.checkpoint)

    def close(self) -> None:
        """Close what is left."""
        for seat in self._taken.values():
            os.close(seat.checkpoint)
        self._taken.clear()
