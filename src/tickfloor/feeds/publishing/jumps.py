"""A venue's counter that jumps too far to be believed at once."""


class JumpGuard:
    """Believes a great jump, forwards or back, only when the next value goes on from there.

    One frame with an id from nowhere must not make every later one a duplicate. A value that was doubted counts only
    until the expected ones have gone on: two errors, however far apart, are no proof of each other.

    Attributes:
        most: a jump up to this is ordinary.
    """

    __slots__ = ("_doubted", "_expected", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._doubted = -1
        self._expected = -1

    def believes(self, expected: int, found: int) -> bool:
        """Say whether ``found`` may follow where ``expected`` was due."""
        goes_on = expected == self._expected and 0 < found - self._doubted <= self.most
        if goes_on or abs(found - expected) <= self.most:
            self._expected = -1
            return True
        self._doubted, self._expected = found, expected
        return False
