"""How long a venue that had too many requests or connections wants to be left alone."""

from types import MappingProxyType
from typing import Final

TOO_MANY: Final = 429
BANNED: Final = 418
USUAL_SECONDS: Final = MappingProxyType({TOO_MANY: 10.0, BANNED: 120.0})
"""Where the venue does not say; a ban takes two minutes at least."""
LEAST_SECONDS: Final = 1.0
MOST_SECONDS: Final = 3 * 86_400.0
"""The longest ban there is."""
MOST_DIGITS: Final = 12


def whole_number(text: str) -> int | None:
    """Return a header's whole number, None where it is none or absurdly long."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def pause_seconds(status: int, retry_after: str) -> float:
    """Return how long to send nothing after a refusal; 0 where neither its status nor its header asks for a pause.

    Args:
        status: of HTTP.
        retry_after: that header, empty where there was none.
    """
    told = whole_number(retry_after)
    if told is None:
        return USUAL_SECONDS.get(status, 0.0)
    return min(max(float(told), LEAST_SECONDS), MOST_SECONDS)
