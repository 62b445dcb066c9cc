"""A clock that moves when it is told to."""


class VirtualClock:
    """Monotonic ns."""

    def __init__(self, now: int = 5_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)
