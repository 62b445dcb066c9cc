"""Times as venues write them."""

from datetime import UTC, datetime
from typing import Final

NS_PER_SECOND: Final = 1_000_000_000


def rfc3339(time_ns: int, decimals: int) -> str:
    """Return ns UTC as RFC 3339 with so many decimals, one to nine."""
    seconds, ns = divmod(time_ns, NS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{f'{ns:09d}'[:decimals]}Z"
