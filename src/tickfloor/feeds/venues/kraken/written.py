"""Numbers whose digits matter: a decoder that is given ``float_hook=str`` leaves them as they are written."""

from typing import Final

from tickfloor.feeds.errors import FrameError

MAX_NUMBER: Final = 1e18


def text_of(number: object) -> str:
    """Return a number's text; whole numbers come decoded.

    Raises:
        FrameError: it is no number.
    """
    if type(number) is str:
        return number
    if type(number) is int:
        return str(number)
    raise FrameError(f"{number!r:.32} is not a number")


def positive(text: str) -> float:
    """Return a price or quantity.

    Raises:
        FrameError: it is no number, not above zero, or absurd.
    """
    try:
        value = float(text)
    except ValueError as error:
        raise FrameError(f"{text[:32]!r} is not a number") from error
    if not 0.0 < value < MAX_NUMBER:
        raise FrameError(f"{text[:32]} is not a price or quantity")
    return value
