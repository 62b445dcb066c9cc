"""Traders that found no instrument to apply to: which of their choices left none, and what symbols may have meant."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from msgspec.structs import replace

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.traders import TraderSpec

_SHOWN = 20


def unknown_symbols(traders: Sequence[TraderSpec], instruments: Sequence[Instrument]) -> Iterator[str]:
    """Yield a line for each trader that applies to none of the instruments; at most twenty, then a count."""
    idle = [trader for trader in traders if not any(map(trader.applies_to, instruments))]
    for trader in idle[:_SHOWN]:
        yield f"trader {trader.name!r}: {_why_none(trader, instruments)}"
    if len(idle) > _SHOWN:
        yield f"… and {len(idle) - _SHOWN:,} more traders without an instrument"


def _why_none(trader: TraderSpec, instruments: Sequence[Instrument]) -> str:
    """Return which of a trader's choices, taken in order, left no instrument."""
    like = _listed(trader.symbols)
    if not any(map(replace(trader, quote="", exclude=()).applies_to, instruments)):
        return f"there was no instrument like {like}{_nearest(trader.symbols, instruments)}"
    if not any(map(replace(trader, exclude=()).applies_to, instruments)):
        return f"no instrument like {like} was quoted in {trader.quote!r}"
    quoted = f" quoted in {trader.quote!r}" if trader.quote else ""
    return f"exclude {_listed(trader.exclude)} left out every instrument like {like}{quoted}"


def _nearest(globs: Sequence[str], instruments: Sequence[Instrument]) -> str:
    symbols = {instrument.symbol.upper(): instrument.symbol for instrument in instruments}
    known = symbols | {instrument.key.upper(): instrument.key for instrument in instruments}
    near = [known[name] for glob in globs for name in get_close_matches(glob.upper(), known, 1)]
    return f"; did you mean {near[0]!r}?" if near else ""


def _listed(globs: Sequence[str]) -> str:
    return ", ".join(map(repr, globs))
