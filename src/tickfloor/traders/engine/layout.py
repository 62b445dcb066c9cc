"""What all instruments with the same traders share: the order of computing columns, and what is watched."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

from tickfloor.contracts.intervals import Interval
from tickfloor.traders.columns.lane_program import LaneProgram
from tickfloor.traders.columns.reach import Reach, of_leaf, reach_of
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.engine.cohort import Cohort, Moment, Occasion
from tickfloor.traders.engine.lane_watch import LaneWatch
from tickfloor.traders.engine.part import Part
from tickfloor.traders.language.nodes import Clock, Elsewhere, Formula, IndicatorValue, Market, NumberNode
from tickfloor.traders.language.plan import interval_of
from tickfloor.traders.language.vocabulary import Input, MarketColumn
from tickfloor.traders.matching.index import RuleIndex
from tickfloor.traders.matching.rule import Rule

_OF_TRADES = tuple(int(column) for column in MarketColumn if column.changed_by is Input.TRADE)


class Layout:
    """The traders of an instrument and everything that follows from them alone.

    Attributes:
        per_tick: the traders decided at records.
        at_close: those decided at closes, per interval that has any.
        parts: all of them, by moment.
        programs: per interval that has columns.
        market: per market column, the slots it is shown in.
        of_trades: the market columns that trades change, if they are shown.
        chains: of everything that sets bits of per-tick traders, first all thresholds and then what is compared as
            written, what to refresh before looking at it, inputs first. Its index here is its place.
        on_market: per market column, the places that look at it.
        tally: how often records of these kinds, or closes of this interval, have come since :meth:`settle`.
        clocks: slot of every part of the time.
        elsewhere: of every column of another instrument the slot, the instrument as the rule names it, its slot over
            there, and whether it is a market column, which has no bars.
        on_clock, on_elsewhere: the places that look at one of these.
        leaves, reaches: per slot how far its column can move, or from what that follows, see ``frames.py``.
        chains_of_slots: by slot, what to refresh for its column, inputs first.
        width: length of a frame.
    """

    def __init__(
        self,
        cohorts: Collection[Cohort],
        columns: Columns,
        indexes: Mapping[Moment, RuleIndex],
        read_elsewhere: Iterable[NumberNode] = (),
    ) -> None:
        self._cohorts = cohorts
        self.tally: defaultdict[Occasion, int] = defaultdict(int)
        self.width = columns.width
        needed = dict.fromkeys(read_elsewhere)
        for cohort in cohorts:
            needed.update(dict.fromkeys(cohort.columns))
        self._columns = columns
        self._needed = columns.ordered(needed)
        self.chains_of_slots: list[tuple[int, ...]] = [()] * columns.width
        for column in self._needed:
            self.chains_of_slots[columns.slot(column)] = columns.chain(column)
        moments = sorted({moment for cohort in cohorts for moment in cohort.places if moment is not None})
        self.per_tick = Part(None, cohorts, indexes[None])
        self.at_close = {interval: Part(interval, cohorts, indexes[interval]) for interval in moments}
        self.parts: dict[Moment, Part] = {None: self.per_tick}
        for interval, part in self.at_close.items():
            self.parts[interval] = part
        self.programs = {
            interval: LaneProgram(interval, found, columns)
            for interval in Interval
            if (found := [each for each in self._needed if not _is_shown(each) and interval_of(each) is interval])
        }
        self.market: list[list[int]] = [[] for _ in MarketColumn]
        for column in self._needed:
            if isinstance(column, Market):
                self.market[column.column].append(columns.slot(column))
        self.clocks = [(columns.slot(column), column) for column in self._needed if isinstance(column, Clock)]
        self.elsewhere = [
            (columns.slot(column), column.symbol, columns.slot(column.column), isinstance(column.column, Market))
            for column in self._needed
            if isinstance(column, Elsewhere)
        ]
        self.of_trades = [column for column in _OF_TRADES if self.market[column]]
        self._watch()

    def _watch(self) -> None:
        part = self.per_tick
        reading = [each.reading for each in part.thresholds] + [each.reading for each in part.comparing]
        self.chains = [each.chain for each in reading]
        self.on_market: list[list[int]] = [[] for _ in MarketColumn]
        self._on_lane: list[list[int]] = [[] for _ in Interval]
        for place, each in enumerate(reading):
            for market in each.markets:
                self.on_market[market].append(place)
            for lane in each.lanes:
                self._on_lane[lane].append(place)
        self.on_clock = [place for place, each in enumerate(reading) if each.time]
        self.on_elsewhere = [place for place, each in enumerate(reading) if each.elsewhere]
        self._lanes: dict[Interval, LaneWatch] = {}
        self.leaves: list[tuple[int, float, float]] = []
        self.reaches: dict[int, tuple[int, ...] | Reach] = {}
        for column in self._needed:
            leaf = of_leaf(column)
            slot = self._columns.slot(column)
            if leaf is not None:
                self.leaves.append((slot, *leaf))
            elif isinstance(column, IndicatorValue):
                self.reaches[slot] = tuple(self._columns.slot(source) for source in column.sources)
            else:
                inner = column.expression if isinstance(column, Formula) else column
                self.reaches[slot] = reach_of(inner, self._columns.slot)

    def lane(self, interval: Interval) -> LaneWatch:
        """Return what closes of an interval may change."""
        lane = self._lanes.get(interval)
        if lane is None:
            lane = self._lanes[interval] = LaneWatch(self._on_lane[interval], self.chains, self.per_tick)
        return lane

    @cached_property
    def all(self) -> LaneWatch:
        """Everything that is watched."""
        return LaneWatch(range(len(self.chains)), self.chains, self.per_tick)

    def settle(self) -> int:
        """Give the tally to the cohorts and return how many decisions of rules it means."""
        decisions = 0
        for occasion, count in self.tally.items():
            moment, inputs = occasion
            decisions += count * (self.per_tick.counts[inputs] if moment is None else self.parts[moment].count)
            for cohort in self._cohorts:
                cohort.tally[occasion] += count
        self.tally.clear()
        return decisions

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All these traders, in order of name."""
        return tuple(sorted(name for cohort in self._cohorts for name in cohort.names()))

    @cached_property
    def alone(self) -> dict[Interval, int]:
        """The places of the at-close traders whose columns change at their own closes only, apart from revisions."""
        return {
            interval: part.index.bits([rule.spec.name for rule in part.index.at(part.places) if _is_alone(rule)])
            for interval, part in self.at_close.items()
        }


def _is_alone(rule: Rule) -> bool:
    return all(not _is_shown(column) and interval_of(column) >= rule.plan.interval for column in rule.plan.columns)


def _is_shown(column: NumberNode) -> bool:
    """Return whether a column belongs to no interval: it is shown as it is when a rule is decided."""
    return isinstance(column, Clock | Elsewhere)
