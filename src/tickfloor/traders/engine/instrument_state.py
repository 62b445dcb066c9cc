"""One instrument in one engine: what its records have made of its columns, and which traders match."""

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import LABELS, Interval
from tickfloor.contracts.records import Flag, Kind, Side, StatsPart
from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.market.bars import CLOSE, OPEN, START_MS, FormingBars, add_trade, start_of
from tickfloor.traders.columns.clock import MINUTE_NS, time_of
from tickfloor.traders.columns.evaluate import Value
from tickfloor.traders.columns.forming_fields import FormingFields
from tickfloor.traders.columns.frames import Frames
from tickfloor.traders.columns.lane import Lane
from tickfloor.traders.columns.lane_program import LaneProgram
from tickfloor.traders.columns.late_trades import add_to_forming, note_revised
from tickfloor.traders.engine.cohort import Moment
from tickfloor.traders.engine.layout import Layout
from tickfloor.traders.engine.warm_up import History, warmed
from tickfloor.traders.engine.watch import Watch
from tickfloor.traders.language.vocabulary import Input, MarketColumn
from tickfloor.traders.matching.matches import Matches
from tickfloor.traders.matching.rule import Rule
from tickfloor.traders.state.checkpoint import (
    ENCODER,
    LANE_DECODER,
    NEVER,
    EventState,
    InstrumentCheckpoint,
    LaneState,
    LateTrade,
)
from tickfloor.traders.state.merge import merged_lanes
from tickfloor.traders.state.resync import Carried, unpacked
from tickfloor.traders.statistics import Counters

INTERVALS = tuple(Interval)

# As plain integers: arithmetic on flags and look-ups of enum members cost more than the rest of a record.
_TRADE, _QUOTE, _STATS, _BAR_CLOSE, _BAR_REVISED, _QUALITY = (
    int(kind) for kind in (Kind.TRADE, Kind.QUOTE, Kind.STATS, Kind.BAR_CLOSE, Kind.BAR_REVISED, Kind.QUALITY)
)
_LATE, _OVERTAKEN = int(Flag.LATE), int(Flag.OVERTAKEN)
_BUY = int(Side.BUY)
_SELL = int(Side.SELL)
_TRADE_INPUT = int(Input.TRADE)
_LAST = int(MarketColumn.LAST)
_LAST_QTY = int(MarketColumn.LAST_QTY)
_CUMULATIVE_DELTA = int(MarketColumn.CUMULATIVE_DELTA)

_QUOTE_COLUMNS = (
    MarketColumn.BID,
    MarketColumn.BID_SIZE,
    MarketColumn.ASK,
    MarketColumn.ASK_SIZE,
    MarketColumn.MID,
    MarketColumn.SPREAD,
)
_TRADE_COLUMNS = (MarketColumn.LAST, MarketColumn.LAST_QTY, MarketColumn.CUMULATIVE_DELTA)
_PRICE_COLUMNS = (MarketColumn.OPEN_24H, MarketColumn.HIGH_24H, MarketColumn.LOW_24H, MarketColumn.CHANGE_24H)
_VOLUME_COLUMNS = (
    MarketColumn.VOLUME_24H,
    MarketColumn.QUOTE_VOLUME_24H,
    MarketColumn.TRADES_24H,
    MarketColumn.VOLUME_RANK,
)


Others = Callable[[str], "InstrumentState | None"]
"""Gives the state of another instrument by its ``venue:symbol``, or None while it has not been seen."""


class Surroundings(NamedTuple):
    """What an instrument asks of what is around it.

    Attributes:
        others: the states of other instruments.
        history: closed bars that are kept elsewhere.
    """

    others: Others
    history: History


_by_name = attrgetter("spec.name")


class InstrumentState:
    """Applies the records of one instrument and decides its traders at the end of each event.

    With ``saved`` it goes on from there, as far as the columns and traders are still here; traders that are not
    ``known`` there start unknown. A :class:`~tickfloor.contracts.errors.CheckpointError` says that it was saved for
    another instrument. Without, it begins with the record of sequence ``since``, at ``begins_ms``.

    Attributes:
        skip_through: records up to this sequence are contained in the state already.
        frames: the columns.
        rank: the instrument's place by volume, to be shown with its next volumes.
    """

    __slots__ = (
        "_around", "_begins_ms", "_closed_until_ms", "_counters", "_event", "_fields", "_forming", "_instrument",
        "_lanes", "_last_ts", "_latest", "_layout", "_market", "_matches", "_minute_of_clock", "_packed", "_signalled",
        "_silent", "_since", "_unseen", "_watch", "frames", "rank", "skip_through",
    )  # fmt: skip

    def __init__(
        self,
        instrument: Instrument,
        layout: Layout,
        counters: Counters,
        around: Surroundings,
        saved: InstrumentCheckpoint | None = None,
        known: Collection[str] = (),
        *,
        since: int = 0,
        begins_ms: int = NEVER,
    ) -> None:
        self._instrument = instrument
        self._around = around
        self._begins_ms = begins_ms
        self._minute_of_clock = NEVER
        self._counters = counters
        self.skip_through = -1
        self.rank = NAN
        self._packed: msgspec.Raw | None = None
        self._since = since
        self._forming = FormingBars()
        self._fields: FormingFields | None = None
        """None while a forming bar is not shown"""
        self._closed_until_ms = [NEVER] * len(Interval)
        """end of the last closed bar per interval: a late trade before it that revised nothing came too late"""
        self._event = EventState()
        self._last_ts = NEVER
        self._latest = NEVER
        """latest venue time of any record"""
        self._market = [NAN] * len(MarketColumn)
        self._market[MarketColumn.CUMULATIVE_DELTA] = 0.0
        self._signalled: dict[str, int] = {}
        self.frames = Frames()
        self._silent: list[str] = []
        self._unseen = False
        """whether bits have changed since traders were last decided"""
        self._lanes: dict[Interval, Lane] = {}
        self._matches: dict[Moment, Matches] = {}
        if saved is not None:
            self._restore(saved)
        self._follow(layout, saved)
        if saved is not None:
            self._restore_matches(saved, known)

    @property
    def instrument(self) -> Instrument:
        """Whose state this is."""
        return self._instrument

    @property
    def layout(self) -> Layout:
        """The traders of this instrument."""
        return self._layout

    # Traders

    def _follow(self, layout: Layout, saved: InstrumentCheckpoint | None = None, looks: int = 0) -> None:
        """Compute and watch what these traders need."""
        self._layout = layout
        frames = self.frames
        frames.widen(layout.width)
        for interval, program in layout.programs.items():
            if interval in self._lanes:
                self._lanes[interval].conform(program)
            else:
                state = None if saved is None else self._lane_state(program, saved)
                self._lanes[interval] = Lane(
                    program, frames, state, began_late=self._closed_until_ms[interval] != NEVER
                )
        self._lanes = {interval: self._lanes[interval] for interval in layout.programs}
        self._warm_up()
        for slot, with_price, with_volume in layout.leaves:
            frames.set_reach(slot, with_price, with_volume)
        for column, slots in enumerate(layout.market):
            value = self._market[column]
            for slot in slots:
                frames.now[slot] = value if -LIMIT < value < LIMIT else NAN
        self._watch = Watch(layout, frames, looks)
        self._show_forming()
        for moment, part in layout.parts.items():
            matches = self._matches.get(moment)
            if matches is None:
                matches = self._matches[moment] = Matches(part.index)
            matches.apply_to(part.places)
            if moment is not None:  # decided at its close, however it stands
                matches.waiting = 0

    def _warm_up(self) -> None:
        """Compute columns that have just begun from the bars that closed before, where some are kept."""
        for interval, lane in self._lanes.items():
            young = lane.young
            bars = self._around.history(self._instrument.id, interval) if young else ()
            end_ms = self._begins_here(interval)
            closed = [bar for bar in bars if bar[START_MS] + interval.ms <= end_ms]
            if closed:
                state = warmed(self._layout, lane.state(), young, closed, interval)
                self._lanes[interval] = Lane(self._layout.programs[interval], self.frames, state)

    def _begins_here(self, interval: Interval) -> int:
        """Return up to when bars of an interval have closed as far as this state knows, ms UTC."""
        if self._closed_until_ms[interval] != NEVER:
            return self._closed_until_ms[interval]
        minute = self._forming.minute
        return start_of(interval, self._begins_ms if minute is None else int(minute[START_MS]))

    def conform(self, layout: Layout) -> None:
        """Go on with other traders; those that stay are not disturbed, and new ones start unknown."""
        old, new = self._layout.programs, layout.programs
        kept = {slot for program in new.values() for slot in program.slots}
        held = {key: slot for program in new.values() for key, slot in zip(program.keys, program.slots, strict=True)}
        for program in old.values():
            for key, slot in zip(program.keys, program.slots, strict=True):
                if slot not in kept or held.get(key) != slot:
                    self.frames.give_up(slot)
        self._packed = None
        self._minute_of_clock = NEVER
        self._follow(layout, looks=self._watch.looks)

    def forget(self, moment: Moment, places: int, names: Iterable[str]) -> None:
        """Let go of traders that are gone, before others take their places."""
        self._packed = None
        if moment in self._matches:
            self._matches[moment].forget(places)
        for name in names:
            self._signalled.pop(name, None)

    # Records

    def apply(  # hot path
        self, kind: int, code: int, flags: int, ts_event: int, a: float, b: float, c: float, d: float
    ) -> None:
        """Apply one record without deciding anything."""
        self._packed = None
        if kind == _TRADE:
            self._trade(code, flags, ts_event, a, b)
        elif kind == _QUOTE:
            self._show(Input.QUOTE, _QUOTE_COLUMNS, (a, b, c, d, (a + c) / 2.0, c - a))
        elif kind == _STATS:
            if code == StatsPart.PRICES:
                self._show(Input.PRICES_24H, _PRICE_COLUMNS, (a, b, c, d))
            else:
                self._show(Input.VOLUMES_24H, _VOLUME_COLUMNS, (a, b, c, self.rank))
        elif kind == _BAR_CLOSE:
            self._bar_close(INTERVALS[code], ts_event // 1_000_000)
        elif kind == _BAR_REVISED:
            self._bar_revised(INTERVALS[code])
        elif kind == _QUALITY:
            self._show(Input.QUALITY, (MarketColumn.QUALITY,), (float(code) if code else NAN,))

    def _set(self, column: int, value: float) -> None:  # hot path
        self._market[column] = value if -LIMIT < value < LIMIT else NAN
        self._shown(column)

    def _shown(self, column: int) -> None:  # hot path
        """Show a market column, if anybody looks at it and it has changed."""
        slots = self._layout.market[column]
        if slots:
            value = self._market[column]
            if not -LIMIT < value < LIMIT:
                value = NAN
            now = self.frames.now
            if value != now[slots[0]]:
                for slot in slots:
                    now[slot] = value
                self._watch.market_changed(column)

    def _show(self, input_: Input, columns: tuple[MarketColumn, ...], values: tuple[float, ...]) -> None:
        self.frames.tick += 1
        for column, value in zip(columns, values, strict=True):
            self._set(column, value)
        self._event.inputs |= int(input_)

    def _trade(self, side: int, flags: int, ts_event: int, price: float, qty: float) -> None:  # hot path
        if not -LIMIT < price * qty < LIMIT:
            self._counters.malformed += 1
            return
        self.frames.tick += 1
        market = self._market
        if side == _BUY:
            market[_CUMULATIVE_DELTA] += qty
        elif side == _SELL:
            market[_CUMULATIVE_DELTA] -= qty
        overtaken = flags & _OVERTAKEN > 0
        if ts_event >= self._last_ts and not (overtaken and ts_event == self._last_ts):
            self._last_ts = ts_event
            market[_LAST] = price
            market[_LAST_QTY] = qty
        for column in self._layout.of_trades:
            self._shown(column)
        ts_ms = ts_event // 1_000_000
        self._event.inputs |= _TRADE_INPUT
        if flags & _LATE:
            self._event.late = LateTrade(ts_ms, price, qty, side == _BUY, overtaken)
            return
        minute = self._forming.minute
        if minute is None or self._fields is None:
            self._forming.add_trade(ts_ms, price, qty, side == _BUY, overtaken)
            self._show_forming()
            self._watch.traded(price, qty, self._price)
            return
        opened = minute[OPEN]
        add_trade(minute, ts_ms, price, qty, side == _BUY, overtaken)
        now = self.frames.now
        self._fields.show_sums(now, minute)
        self._fields.show_price(now, minute)
        if minute[OPEN] != opened:  # by a trade that came late within its minute
            self._show_forming()
            self._watch.all_changed()
        self._watch.traded(price, qty, minute[CLOSE])

    def _show_forming(self) -> None:
        """Show the forming bars where columns still show closed ones, and look at everything."""
        fields = []
        forming = self._forming
        self.frames.tick += 1
        for interval, lane in self._lanes.items():
            bar = forming.forming(interval)
            if bar is not None:
                if not lane.is_forming:
                    self._watch.lane_changed(interval)
                lane.start(bar)
                part = forming.closed_part[interval]
                fields += [(slot, field, part) for slot, field in lane.fields]
        self._fields = None if forming.minute is None else FormingFields(fields)

    @property
    def _price(self) -> float:
        """The close of the forming minute: what ranges of prices are counted from."""
        minute = self._forming.minute
        return NAN if minute is None else minute[CLOSE]

    def _bar_close(self, interval: Interval, end_ms: int) -> None:
        self._closed_until_ms[interval] = end_ms
        try:
            bar = self._forming.close(interval)
        except LookupError:  # the bar's trades came before this engine began
            self._counters.bars_missed += 1
            return
        self._fields = None
        lane = self._lanes.get(interval)
        if lane is not None:
            lane.close(bar)
        self._watch.lane_changed(interval)
        per_tick = self._matches[None]
        per_tick.waiting |= per_tick.index.crossing[interval] & per_tick.places
        self._event.closed.append(interval)

    def _bar_revised(self, interval: Interval) -> None:
        late = self._event.late
        if late is None:  # its trade is contained in the state already
            return
        self._counters.revisions += 1
        self._event.revised.append(interval)
        note_revised(self._closed_until_ms, interval, late)
        lane = self._lanes.get(interval)
        if lane is not None and not lane.revise(late):
            self._counters.revisions_beyond_history += 1

    # Decisions

    def decide(self, ts_event: int) -> list[Rule]:  # hot path
        """End the event: return the traders, in order of name, that give a signal at this venue time."""
        event = self._event
        layout = self._layout
        if ts_event > self._latest:
            self._latest = ts_event
        if layout.clocks:
            self._show_time(ts_event)
        if layout.elsewhere:
            self._show_others()
        if event.late is not None:
            self._end_late(event.late)
            return []
        new: list[Rule] = []
        inputs = event.inputs
        if inputs:
            event.inputs = 0
            part = layout.per_tick
            layout.tally[None, inputs] += 1
            watch, matches = self._watch, self._matches[None]
            ready = matches.ready(inputs) if matches.waiting else False
            if watch.look(self._price) or ready or self._unseen:
                self._unseen = False
                found = matches.decide(watch.bits)
                if found:
                    new = part.index.at(found)
        if event.closed:
            self._decide_closed(event.closed, new)
            event.closed = []
        if not new:
            return new
        new.sort(key=_by_name)
        return [rule for rule in new if self._signals(rule, ts_event)]

    def _show_time(self, ts_event: int) -> None:
        minute = max(ts_event, self._latest) // MINUTE_NS  # what comes late does not turn the clock back
        if minute != self._minute_of_clock:
            self._minute_of_clock = minute
            frames = self.frames
            for slot, clock in self._layout.clocks:
                frames.now[slot] = frames.closed[slot] = time_of(clock, minute)
            self._watch.look_also_at(self._layout.on_clock)
            per_tick = self._matches[None]
            per_tick.waiting |= per_tick.index.timed & per_tick.places

    def _show_others(self) -> None:
        """Show columns of other instruments as they stand."""
        frames = self.frames
        frames.tick += 1
        for slot, name, other_slot, stands in self._layout.elsewhere:
            other = self._around.others(name if ":" in name else f"{self._instrument.venue}:{name}")
            if other is None:
                frames.now[slot] = frames.closed[slot] = NAN
            else:
                other.frames.refresh(other.layout.chains_of_slots[other_slot])
                frames.now[slot] = other.frames.now[other_slot]
                frames.closed[slot] = frames.now[slot] if stands else other.frames.closed[other_slot]
        self._watch.look_also_at(self._layout.on_elsewhere)
        per_tick = self._matches[None]
        per_tick.waiting |= per_tick.index.elsewhere & per_tick.places

    def _decide_closed(self, closed: list[int], new: list[Rule]) -> None:
        frames = self.frames
        for lane in self._lanes.values():
            if lane.interval in closed:
                lane.note_after()
        for interval in closed:
            part = self._layout.at_close.get(INTERVALS[interval])
            if part is not None and part.places:
                self._layout.tally[part.moment, 0] += 1
                found = self._matches[part.moment].decide(part.bits(frames.closed, frames.before))
                if found:
                    new += part.index.at(found)

    def _signals(self, rule: Rule, ts_event: int) -> bool:
        spec = rule.spec
        self._counters.matches += 1
        rule.matches += 1
        if spec.cooldown_ns and ts_event - self._signalled.get(spec.name, NEVER) < spec.cooldown_ns:
            self._counters.cooled_down += 1
            return False
        if spec.cooldown_ns:
            self._signalled[spec.name] = ts_event
        rule.signals += 1
        return True

    def values(self, rule: Rule) -> list[float]:
        """Return the columns that a signal of this trader carries, as they stand; NaN where unknown."""
        frames = self.frames
        if rule.at_close:
            return [frames.closed[slot] for slot in rule.slots]
        frames.refresh_all(self._layout.chains_of_slots, rule.slots)
        return [frames.now[slot] for slot in rule.slots]

    def value(self, slots: Sequence[int], value: Value) -> float:
        """Return what is computed from these columns as they are now; NaN while unknown."""
        self.frames.refresh(slots)
        return value(self.frames.now)

    @property
    def looks(self) -> int:
        """How often a threshold or a comparison was looked at."""
        return self._watch.looks

    def _end_late(self, late: LateTrade) -> None:
        """Finish a late trade: columns and matches follow, no signal is given or taken back."""
        add_to_forming(self._forming, late, self._closed_until_ms, self._event.revised)
        self._event = EventState()
        self._show_forming()
        if self._layout.elsewhere:  # it may be its own columns that it names
            self._show_others()
        self._watch.all_changed()
        self._counters.evaluations += self._layout.per_tick.count
        for interval, part in self._layout.at_close.items():
            alone = part.places & self._layout.alone[interval]
            self._counters.evaluations += alone.bit_count()
            self._match_silently(interval, alone)
        self._match_silently(None, self._layout.per_tick.places)
        self._matches[None].waiting = 0

    def _match_silently(self, moment: Moment, places: int) -> None:
        matches = self._matches[moment]
        holding = self.holding(moment)
        matches.matched = (matches.matched & ~places) | (holding & places)

    def holding(self, moment: Moment) -> int:
        """Return the places of the traders whose rule holds on the present columns; this decides nothing."""
        frames = self.frames
        waiting = self._matches[None].waiting
        if self._layout.clocks and self._latest != NEVER:
            self._show_time(self._latest)
        if self._layout.elsewhere:
            self._show_others()
        self._matches[None].waiting = waiting
        if moment is not None:
            return self._layout.at_close[moment].holding(frames.closed, frames.before)
        watch, part = self._watch, self._layout.per_tick
        looks = watch.looks
        self._unseen |= watch.look(self._price)
        watch.looks = looks
        return part.index.holding(watch.bits) & part.places

    # State

    def packed(self) -> msgspec.Raw:
        """Return the state to go on from; packed anew only after a record."""
        if self._packed is None:
            self._packed = msgspec.Raw(ENCODER.encode(self._checkpoint()))
        return self._packed

    def _checkpoint(self) -> InstrumentCheckpoint:
        forming = self._forming
        return InstrumentCheckpoint(
            key=self._instrument.key,
            since=self._since,
            skip_through=self.skip_through,
            market=self._market,
            last_ts=self._last_ts,
            latest=self._latest,
            minute=forming.minute,
            closed_part=forming.closed_part,
            closed_until_ms=self._closed_until_ms,
            lanes={interval.label: lane.packed() for interval, lane in self._lanes.items()},
            event=self._event,
            matched=self._names_matched(),
            signalled=self._signalled,
            replay={},
            silent=self._silent,
            waiting=self._matches[None].names(self._matches[None].waiting),
        )

    def carried(self) -> Carried:
        """Return what outlasts a hole in the tape."""
        return Carried(self._names_matched(), dict(self._signalled))

    def _names_matched(self) -> list[str]:
        return sorted(name for matches in self._matches.values() for name in matches.names(matches.matched))

    def _restore(self, saved: InstrumentCheckpoint) -> None:
        if saved.key != self._instrument.key:
            raise CheckpointError(
                f"the checkpoint's row {self._instrument.id} is {saved.key}, here it is {self._instrument.key}; "
                "start without the checkpoint"
            )
        self._since = saved.since
        self.skip_through = saved.skip_through
        self._last_ts = saved.last_ts
        self._latest = saved.latest
        self._market = [value if -LIMIT < value < LIMIT else NAN for value in saved.market]
        self._forming.minute = saved.minute
        self._forming.closed_part = saved.closed_part
        self._closed_until_ms = saved.closed_until_ms
        self._event = saved.event

    def _restore_matches(self, saved: InstrumentCheckpoint, known: Collection[str]) -> None:
        for matches in self._matches.values():
            matches.matched = matches.index.bits(saved.matched) & matches.places
        per_tick = self._matches[None]
        bits = per_tick.index.bits
        per_tick.waiting = per_tick.places & (~bits(known) | bits(saved.waiting))
        names = {name for matches in self._matches.values() for name in matches.index.places}
        self._signalled = {name: at for name, at in saved.signalled.items() if name in names}
        self._silent = saved.silent

    def settle(self) -> None:
        """Find what matches already and is no news, once other instruments that are read can be asked."""
        silent, self._silent = self._silent, []
        if silent:
            self._match_silently(None, self._matches[None].index.bits(silent) & self._matches[None].places)
            for interval, alone in self._layout.alone.items():
                self._match_silently(interval, self._matches[interval].index.bits(silent) & alone)

    def _lane_state(self, program: LaneProgram, saved: InstrumentCheckpoint) -> LaneState | None:
        label = LABELS[program.interval]
        packed = saved.lanes.get(label)
        state = None if packed is None else LANE_DECODER.decode(packed)
        bars = saved.replay.get(label)
        if bars is None:
            return state
        lane = Lane(program, self.frames)
        # A rule that wants live data would otherwise forget its match, and signal it again.
        quality = self._market[MarketColumn.QUALITY]
        taken_for = dict.fromkeys(self._layout.market[MarketColumn.QUALITY], quality)
        lane.replay(unpacked(bars), trimmed=bars.trimmed, taken_for=taken_for)
        return lane.state() if state is None else merged_lanes([state, lane.state()])
