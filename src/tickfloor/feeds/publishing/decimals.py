"""Exact decimals out of floats and texts."""

from decimal import Decimal


def plain(number: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def decimal_of(value: float) -> Decimal:
    """Return the decimal that a float was read from; exact for up to 15 significant digits."""
    return Decimal(repr(value))


def decimals_of(value: float) -> int:
    """Return how many decimals the text needs that a float was read from."""
    text = repr(value)
    if "e" in text:
        text = plain(Decimal(text))
    decimals = text.partition(".")[2]
    return 0 if decimals == "0" else len(decimals)
