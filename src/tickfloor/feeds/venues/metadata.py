"""What venues say of their instruments: decimals, tick and lot size."""

from decimal import Decimal
from typing import NamedTuple


class Metadata(NamedTuple):
    """In the order that :meth:`~tickfloor.feeds.publishing.instrument_writer.InstrumentWriter.describe` takes."""

    price_decimals: int
    qty_decimals: int
    tick_size: float
    lot_size: float


def metadata_of(tick: str | None, lot: str | None) -> Metadata | None:
    """Return the metadata that a tick and a lot size make, or None where one of them is none."""
    tick_size, lot_size = step(tick), step(lot)
    if tick_size is None or lot_size is None:
        return None
    return Metadata(_decimals(tick_size), _decimals(lot_size), float(tick_size), float(lot_size))


def step(text: str | None) -> Decimal | None:
    """Return what prices or quantities are multiples of, or None where it cannot be that."""
    try:
        found = Decimal(text or "0").normalize()
    except ArithmeticError:
        # Not a number, or one whose exponent no decimal has.
        return None
    return found if found.is_finite() and Decimal("1e-15") < found < 10**15 else None


def _decimals(number: Decimal) -> int:
    return max(0, -int(number.as_tuple().exponent))
