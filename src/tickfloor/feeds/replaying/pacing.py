"""When a recorded frame is due."""

import time


class Pacer:
    """Maps receive times to this process's clock at a multiple of real time.

    Attributes:
        speed: times real time; 0 for as fast as possible.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._origin: tuple[int, int] | None = None

    def seconds_until(self, recv_ns: int) -> float:
        """Return how long to wait for a frame; 0 or less when it is due. The first one asked for is due now."""
        if self.speed == 0:
            return 0.0
        now = time.monotonic_ns()
        if self._origin is None:
            self._origin = (recv_ns, now)
        first_ns, began_ns = self._origin
        return (began_ns + (recv_ns - first_ns) / self.speed - now) / 1e9
