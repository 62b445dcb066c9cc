"""The trader engine: tape records in, signals out.

Results depend on the records and the traders alone: not on how the records are cut into batches, on any clock, or
on how the traders are spread over engines.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from time import perf_counter_ns

import msgspec

from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import RECORD, Flag, Kind, StatsPart
from tickfloor.contracts.signals import Signal, signal_id
from tickfloor.contracts.traders import TraderSpec
from tickfloor.indicators.protocol import NAN
from tickfloor.traders.engine.cohort import Moment
from tickfloor.traders.engine.instrument_state import InstrumentState, Surroundings
from tickfloor.traders.engine.layout import Layout
from tickfloor.traders.engine.matches_now import MatchesNow, by_trader
from tickfloor.traders.engine.roster import Change, Roster, Tally
from tickfloor.traders.engine.volume_ranks import VolumeRanks
from tickfloor.traders.engine.warm_up import History, no_history
from tickfloor.traders.language.plan import Plan, interval_of
from tickfloor.traders.matching.rule import Rule
from tickfloor.traders.plans import TradersRefusedError, planned, plans_of
from tickfloor.traders.state.checkpoint import (
    DECODER,
    ENCODER,
    TRADERS_DECODER,
    VERSION,
    EngineCheckpoint,
    TraderIdentity,
)
from tickfloor.traders.state.resync import Carried, InstrumentView, resynchronised
from tickfloor.traders.state.saved import SavedInstrument
from tickfloor.traders.statistics import Counters, EngineStatistics
from tickfloor.traders.tape_order import end_of

_CLOCK = int(Kind.CLOCK)
_STATS = int(Kind.STATS)
_VOLUMES = int(StatsPart.VOLUMES)
_MORE = int(Flag.MORE)


class Engine:
    """Runs traders over one tape.

    Args:
        source: first part of every signal's identity, see :class:`~tickfloor.contracts.signals.Signal`.
        tape: name of the tape.
        describe: gives the instrument of a board row; asked once, when the row is first seen on the tape.
        history: gives closed bars of a row, from which columns that begin later than the floor are computed.
    """

    def __init__(
        self,
        *,
        source: str,
        tape: str,
        describe: Callable[[int], Instrument],
        history: History = no_history,
    ) -> None:
        self._source = source
        self._tape = tape
        self._describe = describe
        self._around = Surroundings(self._named, history)
        self._roster = Roster()
        self._packed_traders: msgspec.Raw | None = None
        self._instruments: dict[int, Instrument] = {}
        self._rows: dict[str, int] = {}
        """by ``venue:symbol``"""
        self._states: dict[int, InstrumentState | None] = {}
        """per row seen since its traders last changed; None where no trader applies"""
        self._outdated: dict[int, InstrumentState] = {}
        """rows not seen since then, with the traders of then"""
        self._saved: dict[int, SavedInstrument] = {}
        """rows not seen since they were restored"""
        self._open_early: dict[int, InstrumentState] = {}
        """rows among the saved that are open already"""
        self._to_open: list[int] | None = None
        """rows among the saved that :meth:`open_next` has not looked at, last first; None: all of them"""
        self._ranks = VolumeRanks()
        self._counters = Counters()
        self._busy_ns = 0
        self._position = 0

    @property
    def position(self) -> int:
        """The next expected sequence."""
        return self._position

    # Traders

    def add(self, spec: TraderSpec) -> None:
        """Add a trader; it starts unknown everywhere. One that is there already, the same in all, stays as it is.

        Raises:
            RuleError: its rule is not valid.
            ValueError: its name is taken, or its interval is none.
        """
        held = self._roster.rules.get(spec.name)
        if held is not None and held.spec != spec:
            raise ValueError(f"there is a trader {spec.name} already; update or remove it, or choose another name")
        if held is None:
            self._change((), [(spec, planned(spec))])

    def update(self, spec: TraderSpec) -> None:
        """Put a trader in the place of the one of its name; if it differs in anything it starts unknown everywhere.

        Raises:
            KeyError: there is none of that name.
            RuleError: its rule is not valid; the trader that was there runs on.
            ValueError: its interval is none; as above.
        """
        if self._roster.rules[spec.name].spec != spec:
            self._change([spec.name], [(spec, planned(spec))])

    def remove(self, name: str) -> None:
        """Remove a trader and what is known of its matches.

        Raises:
            KeyError: there is none of that name.
        """
        self._change([self._roster.rules[name].spec.name], ())

    def sync(self, specs: Iterable[TraderSpec]) -> None:
        """Run exactly these traders; those that are there already, the same in all, are not disturbed.

        Raises:
            TradersRefusedError: naming those whose rule is not valid or whose name stands twice; nothing has changed.
        """
        wanted: dict[str, TraderSpec] = {}
        for spec in specs:
            if wanted.setdefault(spec.name, spec) != spec:
                raise TradersRefusedError({spec.name: "there are two of this name; choose another for one of them"})
        rules = self._roster.rules
        new = [spec for name, spec in wanted.items() if name not in rules or rules[name].spec != spec]
        changed = {spec.name for spec in new}
        gone = [name for name in rules if name not in wanted or name in changed]
        if gone or new:
            self._change(gone, list(zip(new, plans_of(new), strict=True)))

    def _change(self, gone: Collection[str], new: Iterable[tuple[TraderSpec, Plan]]) -> None:
        """Take traders out and put others in; those that stay are not disturbed."""
        change = self._roster.change(gone, new)
        held = [*self._open_states(), *self._outdated.values()]
        for moment, (places, names) in change.gone.items():
            for state in held:
                state.forget(moment, places, names)
        if gone:
            forgotten = frozenset(gone)
            for saved in self._saved.values():
                saved.forget(forgotten)
        self._packed_traders = None
        self._outdate(change)

    def _open_states(self) -> list[InstrumentState]:
        return [state for state in self._states.values() if state is not None]

    def _outdate(self, change: Change) -> None:
        """Let instruments look at their traders again at their next record, if anything is different for them."""
        for row, state in list(self._states.items()):
            if change.concerns(self._instrument(row), self._roster.cohorts):
                del self._states[row]
                if state is not None:
                    self._outdated[row] = state
        self._open_none_early()

    def watch(self, spec: TraderSpec, columns: Mapping[str, str]) -> None:
        """Compute columns for a trader, instead of those that it watched before.

        Args:
            spec: who watches, on which instruments, and the default interval of the texts.
            columns: their texts, as in a rule, by the names that they shall have.

        Raises:
            RuleError: one of them is not valid.
        """
        self._outdate(self._roster.watch(spec, columns))

    def unwatch(self, name: str) -> None:
        """Compute columns for a trader no more; one that watches nothing is no error."""
        change = self._roster.unwatch(name)
        if change is not None:
            self._outdate(change)

    def watched(self, name: str, row: int) -> Mapping[str, float]:
        """Return the columns of an instrument as a per-tick rule would see them now, by name; NaN where unknown."""
        watcher = self._roster.watcher(name)
        if watcher is None:
            return {}
        if row in self._outdated:
            self._states[row] = self._conformed(row)
        state = self._states.get(row)
        if state is None:
            return dict.fromkeys(watcher.values, NAN)
        return {each: state.value(slots, value) for each, (slots, value) in watcher.values.items()}

    def open_next(self) -> bool:
        """Open one of the instruments that wait for their next record, to save that record the time; say if one did.

        What is open before its record is as if it were not: it is used for the record, and for nothing else.

        Raises:
            CheckpointError: what was restored of it cannot be read.
        """
        if self._to_open is None:
            self._to_open = sorted(self._saved, reverse=True)
        while self._to_open:
            row = self._to_open.pop()
            layout = self._layout(row) if row in self._saved else None
            if layout is not None:
                self._open_early[row] = self._opened(row, layout)
                return True
        return False

    def _open(self, row: int, sequence: int, ts_event: int) -> InstrumentState | None:
        """Return the state of a row that was not seen since the traders last changed."""
        state: InstrumentState | None
        if row in self._outdated:
            state = self._conformed(row)
        elif row in self._open_early:
            state = self._open_early.pop(row)
        else:
            layout = self._layout(row)
            if layout is None:
                state = None
            elif row in self._saved:
                state = self._opened(row, layout)
            else:
                state = InstrumentState(
                    self._instrument(row),
                    layout,
                    self._counters,
                    self._around,
                    since=sequence,
                    begins_ms=ts_event // 1_000_000,
                )
        self._saved.pop(row, None)
        self._states[row] = state
        if state is not None:
            state.settle()
        return state

    def _conformed(self, row: int) -> InstrumentState | None:
        state = self._outdated.pop(row)
        layout = self._layout(row)
        if layout is None:
            return None
        state.conform(layout)
        return state

    def _opened(self, row: int, layout: Layout) -> InstrumentState:
        saved = self._saved[row]
        return InstrumentState(
            self._instrument(row), layout, self._counters, self._around, saved.state(), saved.known()
        )

    def _named(self, key: str) -> InstrumentState | None:
        """Return the state of an instrument whose columns another one reads, or None before it was seen."""
        row = self._rows.get(key)
        if row is None:
            return None
        if row not in self._states and (row in self._saved or row in self._outdated):
            self._open(row, self._position, 0)
        return self._states.get(row)

    def _open_none_early(self) -> None:
        """Begin anew to open instruments before their records, because what is to be opened has changed."""
        self._open_early.clear()
        self._to_open = None

    def _instrument(self, row: int) -> Instrument:
        instrument = self._instruments.get(row)
        if instrument is None:
            instrument = self._instruments[row] = self._describe(row)
            self._rows[instrument.key] = row
        return instrument

    def _layout(self, row: int) -> Layout | None:
        """Return what has to be done for a row's instrument, or None if nobody looks at it."""
        return self._roster.layout(self._instrument(row))

    def run(self, names: Collection[str] = ()) -> MatchesNow:
        """Test traders, all without ``names``, on every instrument that the tape has shown so far.

        A per-tick rule is tested on the columns as they are, an at-close rule on those of the last closed bars, which
        those of other intervals may have moved since it was decided. No signal comes of it and nothing is changed.

        Raises:
            KeyError: there is no trader of one of the names.
            CheckpointError: an instrument that has had no record since it was restored cannot be opened.
        """
        for name in names:
            if name not in self._roster.rules:
                raise KeyError(name)
        wanted = self._roster.places(names)
        keys: dict[Moment, list[str]] = {moment: [] for moment in wanted}
        holding: dict[Moment, list[int]] = {moment: [] for moment in wanted}
        evaluations = 0
        for row in sorted({*self._saved, *self._outdated, *self._states}):
            state = self._state_to_look_at(row)
            if state is None:
                continue
            for moment, part in state.layout.parts.items():
                places = wanted[moment] & part.places
                if places:
                    evaluations += places.bit_count()
                    keys[moment].append(state.instrument.key)
                    holding[moment].append(state.holding(moment) & places)
        matches: dict[str, tuple[str, ...]] = {}
        for moment, several in keys.items():
            if several:
                matches |= by_trader(self._roster.index(moment), several, holding[moment])
        return MatchesNow(dict(sorted(matches.items())), evaluations)

    def _state_to_look_at(self, row: int) -> InstrumentState | None:
        """Return a row's state, brought up to date if its traders have changed; of one not open a copy."""
        if row in self._outdated:
            self._states[row] = self._conformed(row)
        return self._states[row] if row in self._states else self._copy(row)

    def _copy(self, row: int) -> InstrumentState | None:
        """Return what a row's state would be if it were opened."""
        layout = self._layout(row)
        if layout is None:
            return None
        saved = self._saved[row]
        return InstrumentState(self._instrument(row), layout, Counters(), self._around, saved.state(), saved.known())

    # Records

    def process(self, records: bytes) -> list[Signal]:  # hot path
        """Apply whole records in tape order and return the signals they give.

        Records before :attr:`position` are skipped.

        Raises:
            ValueError: not whole records, or a sequence is missing; nothing has been applied then.
        """
        began = perf_counter_ns()
        position = self._position
        end = end_of(records, position)
        signals: list[Signal] = []
        states = self._states
        for sequence, ts_event, _, row, kind, code, flags, a, b, c, d in RECORD.iter_unpack(records):
            if sequence < position or kind == _CLOCK:
                continue
            try:
                state = states[row]
            except KeyError:
                state = self._open(row, sequence, ts_event)
            if kind == _STATS and code == _VOLUMES:
                self._rank(row, state, b)
            if state is None or sequence <= state.skip_through:
                continue
            state.apply(kind, code, flags, ts_event, a, b, c, d)
            if not flags & _MORE:
                new = state.decide(ts_event)
                if new:
                    signals.extend([self._signal(state, rule, sequence, ts_event) for rule in new])
        if end > position:
            self._position = end
            self._counters.records += end - position
        self._counters.signals += len(signals)
        self._busy_ns += perf_counter_ns() - began
        return signals

    def _rank(self, row: int, state: InstrumentState | None, quote_volume: float) -> None:
        self._ranks.put(row, self._instrument(row).venue, quote_volume)
        if state is not None:
            state.rank = self._ranks.rank(row)

    def _signal(self, state: InstrumentState, rule: Rule, sequence: int, ts_event: int) -> Signal:
        spec = rule.spec
        key = state.instrument.key
        return Signal(
            id=signal_id(self._source, spec.name, spec.revision, key, self._tape, sequence),
            source=self._source,
            trader=spec.name,
            revision=spec.revision,
            instrument=key,
            tape=self._tape,
            tape_sequence=sequence,
            ts_event=ts_event,
            # What is not finite never gets this far.
            values={
                text: value if value == value else None
                for text, value in zip(rule.texts, state.values(rule), strict=True)
            },
        )

    # State

    def checkpoint(self) -> bytes:
        """Return everything needed to go on from :attr:`position` in other engines.

        Raises:
            CheckpointError: an instrument that has had no record since it was restored cannot be read.
        """
        names = self._roster.names
        instruments = {row: saved.packed(names) for row, saved in self._saved.items()}
        for row in [*self._states, *self._outdated]:
            state = self._state_to_look_at(row)
            if state is not None:
                instruments[row] = state.packed()
        if self._packed_traders is None:
            identities = {name: _identity(self._roster.rules[name].spec) for name in sorted(self._roster.rules)}
            self._packed_traders = msgspec.Raw(ENCODER.encode(identities))
        return ENCODER.encode(
            EngineCheckpoint(
                version=VERSION,
                source=self._source,
                tape=self._tape,
                position=self._position,
                traders=self._packed_traders,
                counters=self._counted(),
                tallies={name: self._roster.tally(name) for name in sorted(self._roster.rules)},
                volumes=self._ranks.volumes(),
                instruments=dict(sorted(instruments.items())),
            )
        )

    def restore(self, blobs: Sequence[bytes]) -> None:
        """Go on where the engines were that gave these checkpoints; add this engine's traders first.

        The traders of one engine may be spread over several and those of several be brought together: columns and
        market are taken from whoever knows them for the longest time. Traders that none of the engines had, or that
        have changed since, start unknown; traders they had and this one has not are dropped. An engine's counters
        go on where its first trader by name is, so that the sum over all engines stays the same.

        Raises:
            CheckpointError: there is none, one is damaged or of another version or tape, they are of several
                positions, or one of an instrument is ahead of the others; the engine is as it was.
        """
        decoded = [self._decoded(blob) for blob in blobs]
        positions = sorted({checkpoint.position for checkpoint, _ in decoded})
        if len(positions) != 1:
            raise CheckpointError(
                f"checkpoints of positions {', '.join(map(str, positions))} do not belong together; take all at one"
                if positions
                else "there is no checkpoint to restore; start without"
            )
        (position,) = positions
        waiting = {name: _identity(rule.spec) for name, rule in self._roster.rules.items()}
        names = self._roster.names
        instruments: dict[int, SavedInstrument] = {}
        counters = Counters()
        tallies: dict[str, Tally] = {}
        for checkpoint, traders in decoded:
            known = frozenset(name for name, identity in traders.items() if waiting.get(name) == identity)
            for name in known:
                del waiting[name]
                tallies[name] = Tally(*checkpoint.tallies[name])
            if known == names:
                known = names
            for row, packed in checkpoint.instruments.items():
                # Copied: otherwise one silent instrument keeps the whole checkpoint in memory.
                part = (known, packed.copy())
                if row in instruments:
                    instruments[row].add(part)
                else:
                    instruments[row] = SavedInstrument([part])
            if min(traders, default=None) in self._roster.rules:
                counters.add(checkpoint.counters)
        for saved in instruments.values():
            saved.check(position)
        self._states.clear()
        self._outdated.clear()
        self._saved = instruments
        for row in instruments:
            self._instrument(row)
        self._open_none_early()
        self._position = position
        self._counters = counters
        self._roster.decisions()  # of the time before mean nothing here
        self._roster.go_on(tallies)
        self._ranks = VolumeRanks()
        for checkpoint, _ in decoded:
            for row, (venue, volume) in checkpoint.volumes.items():
                self._ranks.put(row, venue, volume)

    def _decoded(self, blob: bytes) -> tuple[EngineCheckpoint, dict[str, TraderIdentity]]:
        try:
            checkpoint = DECODER.decode(blob)
            if (checkpoint.version, checkpoint.tape) != (VERSION, self._tape):
                raise CheckpointError(
                    f"the checkpoint is of version {checkpoint.version} and tape {checkpoint.tape}, "
                    f"not {VERSION} and {self._tape}; start without it"
                )
            return checkpoint, TRADERS_DECODER.decode(checkpoint.traders)
        except msgspec.MsgspecError as error:
            raise CheckpointError(f"the checkpoint cannot be read ({error}); start without it") from error

    def resync(self, position: int, rows: Mapping[int, InstrumentView]) -> None:
        """Go on at ``position`` after a hole, from the board; nothing is signalled for the hole.

        Instruments that the board does not have start anew. Cooldowns stay. Columns are computed from the closed
        bars at each instrument's next record.
        """
        carried: dict[int, Carried] = {}
        for row, saved in self._saved.items():
            state_then = saved.state()
            carried[row] = Carried(state_then.matched, state_then.signalled)
        for row in [*self._states, *self._outdated]:
            state = self._state_to_look_at(row)
            if state is not None:
                carried[row] = state.carried()
        intervals = {interval_of(column) for column in self._roster.needed}
        self._states.clear()
        self._outdated.clear()
        self._saved.clear()
        self._open_none_early()
        self._ranks = VolumeRanks()
        for row, view in rows.items():
            self._ranks.put(row, self._instrument(row).venue, view.quote_volume_24h)
        for row, view in rows.items():
            layout = self._layout(row)
            if layout is not None:
                kept = carried.get(row, Carried([], {}))
                resynced = resynchronised(
                    self._instrument(row).key, view, intervals, layout.names, kept, self._ranks.rank(row)
                )
                self._saved[row] = SavedInstrument([(self._roster.names, msgspec.Raw(ENCODER.encode(resynced)))])
        self._position = position
        self._counters.resyncs += 1

    def statistics(self) -> EngineStatistics:
        """Return what the engine has done and holds."""
        return EngineStatistics(
            traders=len(self._roster.rules),
            columns=self._roster.shared_columns,
            instruments=len(self._saved) + len(self._outdated) + len(self._open_states()),
            position=self._position,
            looks=sum(state.looks for state in [*self._open_states(), *self._outdated.values()]),
            **msgspec.structs.asdict(self._counted()),
        )

    def _counted(self) -> Counters:
        self._counters.evaluations += self._roster.decisions()
        return self._counters

    @property
    def names(self) -> frozenset[str]:
        """The traders."""
        return self._roster.names

    @property
    def busy_ns(self) -> int:
        """Time spent on records, ns."""
        return self._busy_ns

    def tally(self, name: str) -> Tally | None:
        """Return what a trader has done, here and in engines before; None if there is none of that name."""
        return self._roster.tally(name) if name in self._roster.rules else None

    def work(self, name: str) -> float:
        """Return a trader's part of the engine's work, to be compared with others': an estimate."""
        return self._roster.work(name)


def _identity(spec: TraderSpec) -> TraderIdentity:
    """Return what a trader's match state depends on."""
    return spec.revision, spec.rule, spec.when, spec.interval, spec.requires_live
