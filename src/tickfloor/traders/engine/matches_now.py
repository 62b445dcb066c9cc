"""What traders match at one moment, over all instruments."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tickfloor.traders.matching.index import RuleIndex


class MatchesNow(NamedTuple):
    """What traders match at one moment.

    Attributes:
        matches: keys of the instruments that each trader matches; traders that match none are left out.
        evaluations: rules decided, one for each pair of trader and instrument.
    """

    matches: dict[str, tuple[str, ...]]
    evaluations: int


def by_trader(index: RuleIndex, keys: Sequence[str], holding: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Return the keys of the instruments that each trader matches, from the places that hold for each instrument."""
    width = -(-len(index.rules) // 8)
    packed = b"".join([bits.to_bytes(width, "little") for bits in holding])
    table = np.frombuffer(packed, dtype=np.uint8).reshape(len(keys), width)
    places, rows = np.nonzero(np.unpackbits(table, axis=1, bitorder="little").T)
    matching = [keys[row] for row in rows.tolist()]
    starts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(matching)] if matching else [0]
    found: dict[str, tuple[str, ...]] = {}
    for start, end in pairwise(starts):
        rule = index.rules[places[start]]
        assert rule is not None
        found[rule.spec.name] = tuple(matching[start:end])
    return found
