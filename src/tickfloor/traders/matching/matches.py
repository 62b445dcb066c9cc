"""Which rules of one index match one instrument."""

from tickfloor.traders.matching.index import RuleIndex


class Matches:
    """The rules that match, and those that are still to be decided whatever changes.

    All are bits, one for each place of a rule in its index.

    Attributes:
        places: the rules that apply to the instrument.
        matched: those that match.
        waiting: those that the next record of one of their inputs decides.
    """

    __slots__ = ("index", "matched", "places", "waiting")

    def __init__(self, index: RuleIndex) -> None:
        self.index = index
        self.places = 0
        self.matched = 0
        self.waiting = 0

    def apply_to(self, places: int) -> None:
        """Hold these rules; those that were not there start unknown."""
        self.waiting = (self.waiting | ~self.places) & places
        self.matched &= places
        self.places = places

    def forget(self, places: int) -> None:
        """Hold these rules no more."""
        self.apply_to(self.places & ~places)

    def ready(self, inputs: int) -> bool:
        """Stop waiting for those that records of these kinds decide, and say if there are any."""
        due = self.index.decided_on(inputs) & self.waiting
        self.waiting ^= due
        return due != 0

    def decide(self, bits: int) -> int:
        """Take over which rules hold with these bits set, and return those that have not matched before."""
        holding = self.index.holding(bits) & self.places
        if self.waiting:
            holding = (holding & ~self.waiting) | (self.matched & self.waiting)
        new = holding & ~self.matched
        self.matched = holding
        return new

    def names(self, places: int) -> list[str]:
        """Return the names of rules, in order."""
        return sorted(rule.spec.name for rule in self.index.at(places))
