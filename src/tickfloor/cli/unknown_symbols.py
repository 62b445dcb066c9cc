"""Traders that found no instrument to apply to, and what their symbols may have meant."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.traders import TraderSpec

_SHOWN = 20


def unknown_symbols(traders: Sequence[TraderSpec], instruments: Sequence[Instrument]) -> Iterator[str]:
    """Yield a line for each trader none of whose symbols is that of an instrument; at most twenty, then a count."""
    symbols = {instrument.symbol.upper(): instrument.symbol for instrument in instruments}
    keys = {instrument.key.upper(): instrument.key for instrument in instruments}
    known = symbols | keys
    idle = [trader for trader in traders if not any(map(trader.applies_to, instruments))]
    for trader in idle[:_SHOWN]:
        near = [known[name] for glob in trader.symbols for name in get_close_matches(glob.upper(), known, 1)]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield f"trader {trader.name!r}: there was no instrument like {', '.join(map(repr, trader.symbols))}{hint}"
    if len(idle) > _SHOWN:
        yield f"… and {len(idle) - _SHOWN:,} more traders without an instrument"
