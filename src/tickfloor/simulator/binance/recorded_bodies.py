"""The REST bodies of a capture, by endpoint and symbol."""

import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

_VERSION: Final = re.compile(r"/v\d+/")


class _Book(msgspec.Struct, frozen=True):
    """What a ``depth`` answer holds."""

    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


_BOOK: Final = msgspec.json.Decoder(_Book)


class RecordedBodies:
    """Answers with the newest body that had been received by then, or the first there is."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], list[tuple[int, bytes]]] = {}

    def add(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Keep a body; ``ref`` is its URL, or ``REST-endpoint:SYMBOL``."""
        self._bodies.setdefault(endpoint_of(ref), []).append((recv_ns, body))

    def newest(self, endpoint: str, symbol: str, now_ns: int) -> bytes | None:
        """Return a body, or None where none was recorded."""
        bodies = self._bodies.get((endpoint, symbol))
        if not bodies:
            return None
        return next((body for recv_ns, body in reversed(bodies) if recv_ns <= now_ns), bodies[0][1])

    def decimals(self, symbol: str) -> tuple[int, int]:
        """Return decimals of price and quantity, as a recorded book shows them; eight and eight without one."""
        bodies = self._bodies.get(("depth", symbol))
        if not bodies:
            return 8, 8
        try:
            book = _BOOK.decode(bodies[0][1])
        except msgspec.MsgspecError:
            # An error was recorded where a book was asked for.
            return 8, 8
        levels = [*book.bids, *book.asks]
        return max((_decimals(level[0]) for level in levels), default=8), max(
            (_decimals(level[1]) for level in levels), default=8
        )


def endpoint_of(ref: str) -> tuple[str, str]:
    """Return endpoint and symbol of a recorded body, for example ``depth`` and ``BTCUSDT``."""
    if ref.startswith("REST-"):
        endpoint, _, symbol = ref.removeprefix("REST-").partition(":")
        return endpoint, symbol
    parts = urlsplit(ref)
    endpoint = _VERSION.split(parts.path, maxsplit=1)[-1]
    return endpoint, parse_qs(parts.query).get("symbol", [""])[0]


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))
