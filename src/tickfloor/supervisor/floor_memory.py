"""Everything that a floor's workers share, as descriptors: made before the first worker, closed after the last."""

import os
from collections.abc import Callable

from tickfloor.board import segment
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import create_board
from tickfloor.board.tape_layout import head_of
from tickfloor.board.tape_writer import create_tape
from tickfloor.supervisor import record_connection
from tickfloor.supervisor.record_connection import RecordConnection
from tickfloor.supervisor.seats import Seats
from tickfloor.worker import effects


class FloorMemory:
    """One tape, one board, the word of the emergency stop, and the places of the tape's readers.

    Attributes:
        seats: for trader workers.
        effects: descriptor of the emergency stop's word, to read; emergency: the stop itself.
    """

    def __init__(
        self, *, tape: str, tape_records: int, board: BoardLayout, seats: int, run_id: int, messages: bool = False
    ) -> None:
        """Make it all.

        Args:
            seats: readers that the tape may have at once.
            messages: some readers are sent records as messages.

        Raises:
            OutOfMemoryError: the host lacks the memory; nothing is left.
        """
        self._open: list[int] = []
        self._closing: list[Callable[[], None]] = []
        try:
            self._tape, self._readers = self._keep(*create_tape(tape, tape_records, run_id))
            (self._board,) = self._keep(create_board("board", board, run_id))
            self._read_tape, self._read_board = self._keep(
                segment.read_only(self._tape), segment.read_only(self._board)
            )
            self._doorbells = self._keep(*(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(seats)))
            (word,) = self._keep(effects.create())
            (self.effects,) = self._keep(segment.read_only(word))
            self.emergency = effects.EmergencyStop(word)
            self._closing.append(self.emergency.close)
            shared = {"tape": self._read_tape, "readers": self._readers, "board": self._read_board}
            self._connections = tuple(self._connect() for _ in range(seats if messages else 0))
            self.seats = Seats(self._doorbells, shared, self._connections)
            self._closing.append(self.seats.close)
        except BaseException:
            self.close()
            raise

    def of_feed(self) -> dict[str, int]:
        """Return what the single writer is handed."""
        doorbells = {f"doorbell-{index}": fd for index, fd in enumerate(self._doorbells)}
        connections = {f"messages-{index}": each.feed for index, each in enumerate(self._connections)}
        return {"tape": self._tape, "readers": self._readers, "board": self._board, **doorbells, **connections}

    def head(self) -> int:
        """Return the number of records on the tape."""
        return head_of(self._tape)

    def of_display(self) -> dict[str, int]:
        """Return what a worker that shows the board is handed."""
        return {"board": self._read_board}

    def close(self) -> None:
        """Close this process's descriptors; the memory is free when the last worker is gone, too."""
        for close in self._closing:
            close()
        self._closing.clear()
        for fd in self._open:
            os.close(fd)
        self._open.clear()

    def _connect(self) -> RecordConnection:
        connection = record_connection.create()
        self._keep(*connection)
        return connection

    def _keep(self, *descriptors: int) -> tuple[int, ...]:
        self._open += descriptors
        return descriptors
