"""What can be wrong with one frame."""

from tickfloor.contracts.errors import TickfloorError


class FrameError(TickfloorError):
    """A frame or HTTP body does not say what its kind promises; nothing of it was applied.

    Attributes:
        reason: what is wrong, without the frame's text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
