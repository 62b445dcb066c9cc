"""What is watched that closes of one interval may change, to be looked at together."""

from collections.abc import Sequence

from tickfloor.traders.engine.part import Part
from tickfloor.traders.matching.comparisons import Comparing
from tickfloor.traders.matching.pairs import Pairs

_FEW = 16
"""Comparisons of two columns that are looked at one by one: more are, all at once."""


class LaneWatch:
    """Some of what is watched.

    Attributes:
        places: all of it.
        chain: what to refresh before, inputs first.
        thresholds: the places among them of thresholds.
        pairs: those that compare two columns, or None for too few.
        others: the places of what is neither.
    """

    __slots__ = ("chain", "others", "pairs", "places", "thresholds")

    def __init__(self, places: Sequence[int], chains: Sequence[Sequence[int]], part: Part) -> None:
        count = len(part.thresholds)
        self.places = places
        self.chain = list(dict.fromkeys(slot for place in places for slot in chains[place]))
        self.thresholds = [place for place in places if place < count]
        paired: list[int] = []
        comparing: list[Comparing] = []
        self.others: list[int] = []
        for place in places[len(self.thresholds) :]:
            watched = part.comparing[place - count]
            if watched.pair is None:
                self.others.append(place)
            else:
                paired.append(place)
                comparing.append(watched)
        self.pairs = None
        if len(paired) > _FEW:
            self.pairs = Pairs(paired, comparing)
        else:
            self.others += paired
