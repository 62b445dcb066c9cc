"""What can stand between a stream and its subscribers."""

import re
from collections.abc import Callable, Iterable
from typing import Final

_CHECKSUM: Final = re.compile(rb'("checksum":)(\d+)')


class _Counted:
    """Acts on the next so many frames."""

    def __init__(self, frames: int) -> None:
        self._left = frames

    def over(self) -> bool:
        """Say whether all of them have passed."""
        return self._left <= 0

    def release(self) -> Iterable[bytes]:
        """Return nothing: nothing is held back."""
        return ()

    def take(self, payload: bytes) -> Iterable[bytes]:
        """Change a frame while there are frames to change."""
        if self._left <= 0:
            return (payload,)
        self._left -= 1
        return self._change(payload)

    def _change(self, payload: bytes) -> Iterable[bytes]:
        raise NotImplementedError


class LeaveOut(_Counted):
    """Leaves frames out."""

    def _change(self, payload: bytes) -> Iterable[bytes]:
        del payload
        return ()


class Twice(_Counted):
    """Sends frames twice."""

    def _change(self, payload: bytes) -> Iterable[bytes]:
        return (payload, payload)


class Break(_Counted):
    """Sends half of a frame, before it or instead of it."""

    def __init__(self, frames: int, *, instead: bool) -> None:
        super().__init__(frames)
        self._instead = instead

    def _change(self, payload: bytes) -> Iterable[bytes]:
        broken = payload[: len(payload) // 2]
        return (broken,) if self._instead else (broken, payload)


class FalseChecksum(_Counted):
    """Changes the checksum of frames that have one."""

    def take(self, payload: bytes) -> Iterable[bytes]:
        """Change a frame with a checksum, and let all others pass."""
        return super().take(payload) if _CHECKSUM.search(payload) else (payload,)

    def _change(self, payload: bytes) -> Iterable[bytes]:
        return (_CHECKSUM.sub(lambda found: found[1] + b"%d" % (int(found[2]) ^ 1), payload),)


class Backwards(_Counted):
    """Holds frames back, and sends them in reverse order."""

    def __init__(self, frames: int) -> None:
        super().__init__(frames)
        self._held: list[bytes] = []

    def release(self) -> Iterable[bytes]:
        """Return what is held back, the newest first."""
        held, self._held = self._held, []
        return held[::-1]

    def _change(self, payload: bytes) -> Iterable[bytes]:
        self._held.append(payload)
        return self.release() if self._left <= 0 else ()


class Silence:
    """Lets nothing pass until a time."""

    def __init__(self, until: float, clock: Callable[[], float]) -> None:
        self._until = until
        self._clock = clock

    def over(self) -> bool:
        """Say whether the time has come."""
        return self._clock() >= self._until

    def release(self) -> Iterable[bytes]:
        """Return nothing: what did not pass is lost."""
        return ()

    def take(self, payload: bytes) -> Iterable[bytes]:
        """Let a frame pass if the time has come."""
        return (payload,) if self.over() else ()
