"""The emergency stop: one word of shared memory that is looked at before every effect on the world outside."""

import mmap

from tickfloor.board import segment


def create() -> int:
    """Return the descriptor of the word; effects are allowed.

    Raises:
        OutOfMemoryError: the host lacks the memory.
    """
    return segment.create_page("effects")


class EmergencyStop:
    """The supervisor's hold on the word."""

    def __init__(self, fd: int) -> None:
        self._mapping = mmap.mmap(fd, segment.PAGE)

    @property
    def pulled(self) -> bool:
        """Whether effects are stopped."""
        return self._mapping[0] != 0

    def pull(self) -> None:
        """Stop all effects, now, in every worker."""
        self._mapping[0] = 1

    def release(self) -> None:
        """Allow effects again."""
        self._mapping[0] = 0

    def close(self) -> None:
        """Unmap the word."""
        self._mapping.close()


class Effects:
    """A worker's look at the word."""

    def __init__(self, read_only_fd: int) -> None:
        self._mapping = mmap.mmap(read_only_fd, segment.PAGE, access=mmap.ACCESS_READ)

    @property
    def allowed(self) -> bool:
        """Whether something may be done to the world outside: an order, an alert, a strategy's own code."""
        return self._mapping[0] == 0

    def close(self) -> None:
        """Unmap the word."""
        self._mapping.close()
