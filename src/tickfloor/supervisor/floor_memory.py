"""Everything that a floor's workers share, as descriptors: made before the first worker, closed after the last."""

import os

from tickfloor.board import segment
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import create_board
from tickfloor.board.tape_reader import attach_reader
from tickfloor.board.tape_writer import create_tape
from tickfloor.worker import checkpoint


class FloorMemory:
    """One tape, one board, and a doorbell and a checkpoint for each trader worker."""

    def __init__(self, *, tape: str, tape_records: int, board: BoardLayout, traders: list[str], run_id: int) -> None:
        """Make it all.

        Raises:
            OutOfMemoryError: the host lacks the memory; nothing is left.
        """
        self._open: list[int] = []
        try:
            self._tape, self._readers = self._keep(*create_tape(tape, tape_records, run_id))
            (self._board,) = self._keep(create_board("board", board, run_id))
            self._read_tape, self._read_board = self._keep(
                segment.read_only(self._tape), segment.read_only(self._board)
            )
            self._doorbells = self._keep(*(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in traders))
            self._checkpoints = self._keep(*(checkpoint.create(name) for name in traders))
            for index in range(len(traders)):
                attach_reader(self._readers, index)
        except BaseException:
            self.close()
            raise

    def of_feed(self) -> dict[str, int]:
        """Return what the single writer is handed."""
        doorbells = {f"doorbell-{index}": fd for index, fd in enumerate(self._doorbells)}
        return {"tape": self._tape, "readers": self._readers, "board": self._board, **doorbells}

    def of_trader(self, index: int) -> dict[str, int]:
        """Return what each incarnation of a trader worker is handed; it cannot write tape or board."""
        return {
            "tape": self._read_tape,
            "readers": self._readers,
            "board": self._read_board,
            "checkpoint": self._checkpoints[index],
            "doorbell": self._doorbells[index],
        }

    def of_display(self) -> dict[str, int]:
        """Return what a worker that shows the board is handed."""
        return {"board": self._read_board}

    def close(self) -> None:
        """Close this process's descriptors; the memory is free when the last worker is gone, too."""
        for fd in self._open:
            os.close(fd)
        self._open.clear()

    def _keep(self, *descriptors: int) -> tuple[int, ...]:
        self._open += descriptors
        return descriptors
