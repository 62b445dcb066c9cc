"""A WebSocket frame, made once for everybody: a server's frames are not masked."""

from typing import Final

_SHORT: Final = 126
_LONG: Final = 1 << 16


def _head(size: int) -> bytes:
    if size < _SHORT:
        return bytes((0x81, size))
    if size < _LONG:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


_HEADS: Final = tuple(_head(size) for size in range(2048))


def text_frame(payload: bytes) -> bytes:  # hot path
    """Return a whole text frame."""
    size = len(payload)
    return (_HEADS[size] if size < 2048 else _head(size)) + payload
