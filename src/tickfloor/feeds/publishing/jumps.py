"""A venue's counter that jumps too far to be believed at once."""


class JumpGuard:
    """Believes a great jump, forwards or back, only when the next value goes on from there.

    One frame with an id from nowhere must not make every later one a duplicate.

    Attributes:
        most: a jump up to this is ordinary.
    """

    __slots__ = ("_doubted", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._doubted = -1

    def believes(self, expected: int, found: int) -> bool:
        """Say whether ``found`` may follow where ``expected`` was due."""
        goes_on = self._doubted >= 0 and 0 < found - self._doubted <= self.most
        if goes_on or abs(found - expected) <= self.most:
            self._doubted = -1
            return True
        self._doubted = found
        return False
