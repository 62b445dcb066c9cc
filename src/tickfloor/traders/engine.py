"""The trader engine: tape records in, signals out.

Results depend on the records and the traders alone: not on how the records are cut into batches, on any clock, or
on how the traders are spread over engines.
"""

from collections.abc import Callable, Mapping
from math import isfinite

import msgspec

from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import RECORD, RECORD_BYTES, Flag, Kind
from tickfloor.contracts.signals import Signal, signal_id
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.checkpoint import DECODER, ENCODER, VERSION, EngineCheckpoint, InstrumentCheckpoint
from tickfloor.traders.columns import Columns
from tickfloor.traders.instrument_state import InstrumentState
from tickfloor.traders.language.plan import interval_of, plan
from tickfloor.traders.layout import Layout
from tickfloor.traders.resync import Carried, InstrumentView, resynchronised
from tickfloor.traders.rule import Rule
from tickfloor.traders.statistics import Counters, EngineStatistics

_CLOCK = int(Kind.CLOCK)
_MORE = int(Flag.MORE)


class Engine:
    """Runs traders over one tape.

    Args:
        source: first part of every signal's identity, see :class:`~tickfloor.contracts.signals.Signal`.
        tape: name of the tape.
        describe: gives the instrument of a board row; asked once, when the row is first seen on the tape.
    """

    def __init__(self, *, source: str, tape: str, describe: Callable[[int], Instrument]) -> None:
        self._source = source
        self._tape = tape
        self._describe = describe
        self._columns = Columns()
        self._rules: dict[str, Rule] = {}
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._instruments: dict[int, Instrument] = {}
        self._states: dict[int, InstrumentState | None] = {}
        """per row seen since the traders last changed; None where no trader applies"""
        self._saved: dict[int, InstrumentCheckpoint] = {}
        """rows not seen since then, as they were"""
        self._counters = Counters()
        self._position = 0

    @property
    def position(self) -> int:
        """The next expected sequence."""
        return self._position

    # Traders

    def add(self, spec: TraderSpec) -> None:
        """Add a trader; it starts unknown everywhere.

        Raises:
            RuleError: its rule is not valid.
            ValueError: its name is taken, or its interval is none.
        """
        if spec.name in self._rules:
            raise ValueError(f"there is a trader {spec.name} already; remove it first, or choose another name")
        planned = plan(spec)
        self._put_away()
        self._columns.acquire(planned.columns)
        self._rules[spec.name] = Rule(spec, planned, self._columns)

    def remove(self, name: str) -> None:
        """Remove a trader and what is known of its matches.

        Raises:
            KeyError: there is none of that name.
        """
        rule = self._rules[name]
        self._put_away()
        del self._rules[name]
        self._columns.release(rule.plan.columns)
        for saved in self._saved.values():
            saved.matched = [matched for matched in saved.matched if matched != name]
            saved.silent = [silent for silent in saved.silent if silent != name]
            saved.signalled.pop(name, None)

    def _put_away(self) -> None:
        """Keep every instrument as plain data until its next record, because its columns get other slots."""
        for row, state in self._states.items():
            if state is not None:
                self._saved[row] = state.checkpoint()
        self._states.clear()
        self._layouts.clear()

    def _open(self, row: int) -> InstrumentState | None:
        """Return the state of a row that was not seen since the traders last changed."""
        instrument, rules = self._instrument(row)
        saved = self._saved.pop(row, None)
        state = None
        if rules:
            names = tuple(rule.spec.name for rule in rules)
            if names not in self._layouts:
                self._layouts[names] = Layout(rules, self._columns)
            state = InstrumentState(instrument, self._layouts[names], self._counters, saved)
        self._states[row] = state
        return state

    def _instrument(self, row: int) -> tuple[Instrument, list[Rule]]:
        """Return the instrument of a row and the traders that apply to it."""
        instrument = self._instruments.get(row)
        if instrument is None:
            instrument = self._instruments[row] = self._describe(row)
        return instrument, [rule for rule in self._rules.values() if rule.spec.applies_to(instrument)]

    # Records

    def process(self, records: bytes) -> list[Signal]:  # hot path
        """Apply whole records in tape order and return the signals they give.

        Records before :attr:`position` are skipped.

        Raises:
            ValueError: not whole records, or a sequence is missing; nothing has been applied then.
        """
        position = self._position
        end = self._end_of(records)
        signals: list[Signal] = []
        states = self._states
        for sequence, ts_event, _, row, kind, code, flags, a, b, c, d in RECORD.iter_unpack(records):
            if sequence < position or kind == _CLOCK:
                continue
            try:
                state = states[row]
            except KeyError:
                state = self._open(row)
            if state is None or sequence <= state.skip_through:
                continue
            state.apply(kind, code, flags, ts_event, a, b, c, d)
            if not flags & _MORE:
                new = state.decide(ts_event)
                if new:
                    signals.extend([self._signal(state, index, sequence, ts_event) for index in new])
        if end > position:
            self._position = end
            self._counters.records += end - position
        self._counters.signals += len(signals)
        return signals

    def _end_of(self, records: bytes) -> int:
        """Return the sequence after the last record; refuse holes before anything is applied."""
        if len(records) % RECORD_BYTES:
            raise ValueError(f"{len(records)} bytes are not whole records of {RECORD_BYTES}")
        if not records:
            return self._position
        sequences = memoryview(records).cast("B").cast("Q")[:: RECORD_BYTES // 8].tolist()
        first, end = sequences[0], sequences[0] + len(sequences)
        if first > self._position or sequences != list(range(first, end)):
            raise ValueError(
                f"records {first} to {sequences[-1]} do not follow on position {self._position} without a hole; "
                "resynchronise from the board"
            )
        return end

    def _signal(self, state: InstrumentState, index: int, sequence: int, ts_event: int) -> Signal:
        rule = state.layout.rules[index]
        spec = rule.spec
        frame = state.frames.closed if rule.at_close else state.frames.now
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
            values={text: _known(frame[slot]) for text, slot in rule.values},
        )

    # State

    def checkpoint(self) -> bytes:
        """Return everything needed to go on from :attr:`position` in another engine."""
        instruments = dict(self._saved)
        for row, state in self._states.items():
            if state is not None:
                instruments[row] = state.checkpoint()
        return ENCODER.encode(
            EngineCheckpoint(
                version=VERSION,
                source=self._source,
                tape=self._tape,
                position=self._position,
                traders={name: _identity(self._rules[name].spec) for name in sorted(self._rules)},
                counters=self._counters,
                instruments=dict(sorted(instruments.items())),
            )
        )

    def restore(self, blob: bytes) -> None:
        """Go on where the engine that gave the checkpoint was; add this engine's traders first.

        Traders that it did not have, or that have changed since, start unknown; traders it had and this one has
        not are dropped.

        Raises:
            CheckpointError: it is damaged, or of another version or tape.
        """
        try:
            saved = DECODER.decode(blob)
        except msgspec.MsgspecError as error:
            raise CheckpointError(f"the checkpoint cannot be read ({error}); start without it") from error
        if (saved.version, saved.tape) != (VERSION, self._tape):
            raise CheckpointError(
                f"the checkpoint is of version {saved.version} and tape {saved.tape}, "
                f"not {VERSION} and {self._tape}; start without it"
            )
        known = {name for name, rule in self._rules.items() if saved.traders.get(name) == _identity(rule.spec)}
        for instrument in saved.instruments.values():
            instrument.matched = [name for name in instrument.matched if name in known]
            instrument.silent = [name for name in instrument.silent if name in known]
            instrument.signalled = {name: at for name, at in instrument.signalled.items() if name in known}
        self._states.clear()
        self._saved = saved.instruments
        self._position = saved.position
        self._counters = saved.counters

    def resync(self, position: int, rows: Mapping[int, InstrumentView]) -> None:
        """Go on at ``position`` after a hole, from the board; nothing is signalled for the hole.

        Instruments that the board does not have start anew. Cooldowns stay. Columns are computed from the closed
        bars at each instrument's next record.
        """
        carried = {row: Carried(saved.matched, saved.signalled) for row, saved in self._saved.items()}
        carried |= {row: state.carried() for row, state in self._states.items() if state is not None}
        intervals = {interval_of(column) for rule in self._rules.values() for column in rule.plan.columns}
        self._states.clear()
        self._saved.clear()
        for row, view in rows.items():
            instrument, rules = self._instrument(row)
            if rules:
                names = [rule.spec.name for rule in rules]
                kept = carried.get(row, Carried([], {}))
                self._saved[row] = resynchronised(instrument.key, view, intervals, names, kept)
        self._position = position
        self._counters.resyncs += 1

    def statistics(self) -> EngineStatistics:
        """Return what the engine has done and holds."""
        return EngineStatistics(
            traders=len(self._rules),
            columns=self._columns.shared,
            instruments=len(self._saved) + sum(state is not None for state in self._states.values()),
            position=self._position,
            **msgspec.structs.asdict(self._counters),
        )


def _known(value: float) -> float | None:
    return value if isfinite(value) else None


def _identity(spec: TraderSpec) -> tuple[int, str, str, str]:
    """Return what a trader's match state depends on."""
    return spec.revision, spec.rule, spec.when, spec.interval
