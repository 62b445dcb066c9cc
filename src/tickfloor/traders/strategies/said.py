"""What a strategy says, made fit for others: its signals, and its errors."""

import traceback
from math import isfinite
from typing import Any, SupportsFloat

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.strategies.errors import StrategyError

MAX_VALUES = 100
"""Most values of one signal."""

MAX_NAME = 200
"""Most characters of a signal's instrument, and of a value's name."""

_MAX_TEXT = 1000
"""Most characters of what is said of an error."""

_FRAMES = 3


def checked_instrument(spec: TraderSpec, instrument: object) -> str:
    """Return the instrument of a signal as plain text.

    Raises:
        StrategyError: it is no ``venue:symbol``, or the strategy's symbols leave it out.
    """
    text = _plain(instrument)
    venue, colon, symbol = text.partition(":")
    if not (venue and colon and symbol):
        raise StrategyError(f"{instrument!r:.{MAX_NAME}} is no instrument; write venue:symbol")
    if not spec.applies_to(Instrument(-1, venue, symbol)):
        raise StrategyError(f"{text!r} is none of this strategy's instruments, which are {', '.join(spec.symbols)}")
    return text


def checked_values(values: dict[str, Any]) -> dict[str, float | None]:
    """Return the values of a signal; None for those that are not finite.

    Raises:
        StrategyError: there are too many, one is no number, or its name cannot be stored.
    """
    if len(values) > MAX_VALUES:
        raise StrategyError(f"a signal has at most {MAX_VALUES} values, not {len(values)}")
    return {_checked_name(name): _checked_value(name, value) for name, value in values.items()}


def _checked_name(name: str) -> str:
    text = _plain(name)
    if not text:
        raise StrategyError(f"{name!r:.{MAX_NAME}} is no name for a value; use 1 to {MAX_NAME} printable characters")
    return text


def _checked_value(name: str, value: object) -> float | None:
    if value is None:
        return None
    # The first test is for speed: the second one is slow.
    if not isinstance(value, float | int) and not isinstance(value, SupportsFloat):
        raise StrategyError(f"value {name!r} must be a number or None, not {type(value).__name__}")
    number = float(value)
    return number if isfinite(number) else None


def _plain(text: object) -> str:
    """Return a text that every database takes, or an empty one; kinds of text become text itself."""
    plain = str.__str__(text) if isinstance(text, str) else ""
    return plain if len(plain) <= MAX_NAME and plain.isprintable() else ""


def brief(error: BaseException) -> str:
    """Return type and text of an error."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - the text of a user's error is made by the user's code
        text = f"(its text cannot be made: {type(broken).__name__})"
    return sayable(f"{type(error).__name__}: {text}")


def sayable(text: str) -> str:
    """Return a text that fits into a message, whatever characters it holds."""
    return text[:_MAX_TEXT].encode(errors="backslashreplace").decode()


def short_trace(error: BaseException) -> str:
    """Return the innermost calls of an error, a line each."""
    frames = traceback.extract_tb(error.__traceback__, limit=-_FRAMES)
    return sayable("\n".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames))
