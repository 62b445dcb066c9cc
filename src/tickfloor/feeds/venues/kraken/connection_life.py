"""Whether a connection still lives, as far as its frames tell."""

from typing import Final

SILENT_NS: Final = 2_000_000_000
"""A connection that is heard of no more: heartbeats come every second when nothing else does."""


class ConnectionLife:
    """When one connection was heard last.

    Two connections bring the same streams while one replaces the other. What one has brought outdates what the other
    brings only as long as it lives: its clock may have been wrong, and nobody says when it ends.

    Attributes:
        heard_ns: receive time of its newest frame, ns UTC.
    """

    __slots__ = ("heard_ns",)

    def __init__(self) -> None:
        self.heard_ns = 0

    def is_over(self, recv_ns: int) -> bool:
        """Say whether it has been silent for too long by now."""
        return recv_ns - self.heard_ns > SILENT_NS
