"""What a strategy saves, as the bytes that another worker restores it from."""

import msgspec

from tickfloor.traders.strategies.errors import StrategyError

MAX_SAVED = 1 << 20
"""Most bytes that a strategy may save, as it is packed."""


def packed(state: object) -> bytes:
    """Return what ``save()`` gave as bytes.

    Raises:
        StrategyError: it is no dict, or too much.
        TypeError, OverflowError, msgspec.MsgspecError: something in it cannot be packed.
    """
    if not isinstance(state, dict):
        raise StrategyError(f"save() must return a dict, not {type(state).__name__}")
    made = msgspec.msgpack.encode(state)
    if len(made) > MAX_SAVED:
        raise StrategyError(f"save() gave {len(made):,} bytes; at most {MAX_SAVED:,} are kept")
    msgspec.msgpack.decode(made)  # what cannot be read back must not be found out by the successor
    return made
