"""The traders of a layout that are decided at the same moments."""

from collections.abc import Collection

from tickfloor.traders.columns.evaluate import Frame
from tickfloor.traders.engine.cohort import Cohort, Moment
from tickfloor.traders.matching.comparisons import Comparing
from tickfloor.traders.matching.index import RuleIndex, Watched
from tickfloor.traders.matching.thresholds import Thresholds


class _Counts(dict[int, int]):
    """How many of the rules at these places records of several kinds decide, counted when first asked for."""

    def __init__(self, index: RuleIndex, places: int) -> None:
        super().__init__()
        self._index = index
        self._places = places

    def __missing__(self, inputs: int) -> int:
        count = self[inputs] = (self._index.decided_on(inputs) & self._places).bit_count()
        return count


class Part:
    """The traders of a layout that are decided at the same moments.

    Attributes:
        index: theirs.
        moment: when they are decided.
        places: theirs that apply, as bits.
        counts: how many of them records of several kinds decide, by the kinds.
        count: how many they are.
        thresholds, comparing: what sets their bits.
    """

    __slots__ = ("comparing", "count", "counts", "index", "moment", "places", "thresholds")

    def __init__(self, moment: Moment, cohorts: Collection[Cohort], index: RuleIndex) -> None:
        self.index = index
        self.moment = moment
        self.places = 0
        found: dict[Watched, None] = {}
        for cohort in cohorts:
            self.places |= cohort.places.get(moment, 0)
            found.update(dict.fromkeys(cohort.watched.get(moment, ())))
        self.count = self.places.bit_count()
        self.counts = _Counts(index, self.places)
        self.thresholds = [each for each in found if isinstance(each, Thresholds)]
        self.comparing = [each for each in found if isinstance(each, Comparing)]

    def bits(self, current: Frame, previous: Frame) -> int:
        """Return all bits that two frames set."""
        bits = 0
        for thresholds in self.thresholds:
            bits |= thresholds.at(current[thresholds.slot])
        for comparing in self.comparing:
            if comparing.test(current, previous) is comparing.set_if:
                bits |= 1 << comparing.bit
        return bits

    def holding(self, current: Frame, previous: Frame) -> int:
        """Return the places of the traders that hold, out of those that apply."""
        return self.index.holding(self.bits(current, previous)) & self.places
