"""The strategies of one worker: tape records in, signals out.

Signals depend on the records and the strategies alone, as far as these keep to what they are given: not on how the
records are cut into batches, nor on how the strategies are spread over workers.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.ports import LimiterPort, LogPort
from tickfloor.contracts.records import RECORD, RECORD_BYTES, Flag, Kind, Side
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSpec
from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.traders.state.checkpoint import LateTrade
from tickfloor.traders.state.resync import InstrumentView
from tickfloor.traders.strategies.audience import Audience
from tickfloor.traders.strategies.budget import OWN_CLOCKS, Clocks
from tickfloor.traders.strategies.checkpoint import ENCODER, VERSION, BarsCheckpoint, HostCheckpoint, decoded
from tickfloor.traders.strategies.columns import WatchedColumns
from tickfloor.traders.strategies.instrument_bars import InstrumentBars
from tickfloor.traders.strategies.roster import Roster
from tickfloor.traders.strategies.running import Allowance, Blame, RunningStrategy, Surroundings
from tickfloor.traders.strategies.statistics import HostStatistics
from tickfloor.traders.strategies.ticks import ClosedBar, Quote, RuleSignal, Trade
from tickfloor.traders.tape_order import end_of

_TRADE, _QUOTE, _BAR_CLOSE, _BAR_REVISED, _CLOCK = (
    int(kind) for kind in (Kind.TRADE, Kind.QUOTE, Kind.BAR_CLOSE, Kind.BAR_REVISED, Kind.CLOCK)
)
_MORE, _LATE, _OVERTAKEN = int(Flag.MORE), int(Flag.LATE), int(Flag.OVERTAKEN)
_BUY = int(Side.BUY)
_INTERVALS = tuple(Interval)
_NOTHING_HEARD: Mapping[int, Sequence[Signal]] = MappingProxyType({})
_SIDES = tuple(Side)


class StrategyHost:
    """Runs strategies over one tape; without any, it does nothing.

    Args:
        source: first part of every signal's identity, see :class:`~tickfloor.contracts.signals.Signal`.
        tape: name of the tape.
        describe: gives the instrument of a board row.
        vitals: where it is noted whose code is running.
        effects: while it does not allow them, no strategy is called.
        limiter: gives a pace for log lines, by name of what is limited.
        columns: computes the columns that strategies declare; without it, those that do cannot start.
        clocks: tell what a call has taken.

    Attributes:
        roster: the strategies.
    """

    def __init__(
        self,
        *,
        source: str,
        tape: str,
        describe: Callable[[int], Instrument],
        vitals: Blame,
        effects: Allowance,
        log: LogPort,
        limiter: Callable[[str], LimiterPort],
        columns: WatchedColumns | None = None,
        clocks: Clocks = OWN_CLOCKS,
    ) -> None:
        self._around = Surroundings(source, tape, vitals, effects, log, limiter, columns, clocks)
        self._describe = describe
        self.roster = Roster(self._around)
        self._version = 0
        self._bars: dict[int, InstrumentBars] = {}
        """per row of the tape that a strategy applies to"""
        self._audiences: dict[int, Audience | None] = {}
        """per row seen since the strategies last changed; None where no strategy applies"""
        self._looked_at: dict[int, bool] = {}
        """whether a strategy looks at columns of a row, per row asked for since the strategies last changed"""
        self._position = 0
        self._bars_missed = self._malformed = self._resyncs = 0

    @property
    def position(self) -> int:
        """The next expected sequence."""
        return self._position

    # Strategies

    def add(self, spec: TraderSpec) -> None:
        """Start a strategy; if it fails to start, it is held as failed, and its statistics say why.

        Raises:
            ValueError: its name is taken, its interval is none, or it is no strategy.
        """
        self.roster.add(spec, self._position)

    def replace(self, spec: TraderSpec) -> None:
        """Put a strategy in the place of the one of its name, see :meth:`Roster.replace`.

        Raises:
            KeyError: there is none of that name.
            StrategyError: the new one cannot start; the old one runs on.
        """
        self.roster.replace(spec, self._position)
        self._forget_bars()

    def remove(self, name: str) -> None:
        """Stop a strategy and forget what it kept.

        Raises:
            KeyError: there is none of that name.
        """
        self.roster.remove(name)
        self._forget_bars()

    def looks_at(self, row: int) -> bool:
        """Return whether a strategy looks at columns of an instrument."""
        self._look_anew()
        found = self._looked_at.get(row)
        if found is None:
            those = self._those_of(row)
            found = self._looked_at[row] = any(each.declared.columns for each in those)
        return found

    def _look_anew(self) -> None:
        """Forget who hears of what, if somebody has come or gone."""
        if self._version != self.roster.version:
            self._version = self.roster.version
            self._audiences.clear()
            self._looked_at.clear()

    def _forget_bars(self) -> None:
        """Let go of the bars of instruments that nobody hears of any more."""
        self._bars = {row: bars for row, bars in self._bars.items() if self._those_of(row)}

    def _those_of(self, row: int) -> list[RunningStrategy]:
        return self.roster.those_of(self._describe(row))

    def _open(self, row: int) -> Audience | None:
        """Return who hears of a row that was not seen since the strategies last changed."""
        strategies = self._those_of(row)
        audience = None
        if strategies:
            if row not in self._bars:
                # A strategy that is here since the tape's beginning would have met an earlier record.
                self._bars[row] = InstrumentBars(whole=any(each.since == 0 for each in strategies))
            audience = Audience(self._describe(row).key, self._bars[row], strategies)
        self._audiences[row] = audience
        return audience

    # Records

    def process(
        self, records: bytes, heard: Mapping[int, Sequence[Signal]] = _NOTHING_HEARD
    ) -> list[Signal]:  # hot path
        """Give whole records in tape order to the strategies and return the signals they raise.

        Records before :attr:`position` are skipped. While there is no strategy, all are.

        Args:
            records: of the tape.
            heard: signals of strategies' own rules, by sequence of the record that gave them.

        Raises:
            ValueError: not whole records, or a sequence is missing; nothing has been given to anybody then.
        """
        if not self.roster:
            if records:
                self._position = max(self._position, int.from_bytes(records[-RECORD_BYTES:][:8], "little") + 1)
            return []
        self._look_anew()
        position = self._position
        end = end_of(records, position)
        signals: list[Signal] = []
        audiences = self._audiences
        for sequence, ts_event, _, row, kind, code, flags, a, b, c, d in RECORD.iter_unpack(records):
            if sequence < position or kind == _CLOCK:
                continue
            try:
                audience = audiences[row]
            except KeyError:
                audience = self._open(row)
            if audience is None:
                continue
            bars = audience.bars
            if sequence <= bars.skip_through:
                continue
            if kind == _TRADE:
                self._trade(audience, row, sequence, ts_event, code, flags, a, b, signals)
            elif kind == _QUOTE:
                quote = Quote(audience.key, ts_event, _usable(a), _usable(b), _usable(c), _usable(d))
                for each in audience.strategies:
                    each.tick(quote, row, sequence, signals)
            elif kind == _BAR_CLOSE:
                self._bar_close(audience, row, sequence, ts_event, _INTERVALS[code], signals)
            elif kind == _BAR_REVISED:
                bars.revised(_INTERVALS[code])
            if bars.late is not None and not flags & _MORE:
                bars.end_event()
            if sequence in heard:
                self._tell(heard[sequence], row, signals)
        self._position = max(position, end)
        return signals

    def _trade(  # hot path
        self,
        audience: Audience,
        row: int,
        sequence: int,
        ts_event: int,
        side: int,
        flags: int,
        price: float,
        qty: float,
        into: list[Signal],
    ) -> None:
        if not -LIMIT < price * qty < LIMIT:
            self._malformed += 1
            return
        ts_ms = ts_event // 1_000_000
        if flags & _LATE:
            audience.bars.late = LateTrade(ts_ms, price, qty, side == _BUY, flags & _OVERTAKEN > 0)
            return
        audience.bars.add_trade(ts_ms, price, qty, side == _BUY, flags & _OVERTAKEN > 0)
        trade = Trade(audience.key, ts_event, price, qty, _SIDES[side])
        for each in audience.strategies:
            each.tick(trade, row, sequence, into)

    def _bar_close(
        self, audience: Audience, row: int, sequence: int, ts_event: int, interval: Interval, into: list[Signal]
    ) -> None:
        numbers = audience.bars.close(interval, ts_event // 1_000_000)
        listeners = audience.by_interval[interval]
        if numbers is None:
            self._bars_missed += bool(listeners)
        elif listeners:
            bar = ClosedBar.of(audience.key, ts_event, interval, numbers)
            for each in listeners:
                each.bar(bar, row, sequence, into)

    def _tell(self, heard: Sequence[Signal], row: int, into: list[Signal]) -> None:
        for signal in heard:
            strategy, rule = self.roster.listener(signal.trader)
            told = RuleSignal(rule, signal.instrument, signal.ts_event, signal.values)
            strategy.rule(told, row, signal.tape_sequence, into)

    # State

    def checkpoint(self) -> bytes:
        """Return everything needed to go on from :attr:`position` in other workers."""
        return ENCODER.encode(
            HostCheckpoint(
                version=VERSION,
                source=self._around.source,
                tape=self._around.tape,
                position=self._position,
                strategies={each.spec.name: each.checkpoint() for each in sorted(self.roster, key=_by_name)},
                bars={row: bars.checkpoint(self._describe(row).key) for row, bars in sorted(self._bars.items())},
            )
        )

    def restore(self, blobs: Sequence[bytes]) -> None:
        """Go on where the hosts that gave these checkpoints were; add this host's strategies first.

        Each strategy's state comes from the checkpoint that holds it. A strategy that none of them holds, or that
        has changed since, starts here.

        Raises:
            CheckpointError: one is damaged, or of another version, tape, position or board.
        """
        saved = [decoded(blob, self._around.tape) for blob in blobs]
        if not saved:
            return
        position = saved[0].position
        if any(each.position != position for each in saved):
            places = ", ".join(str(each.position) for each in saved)
            raise CheckpointError(f"the checkpoints are of different positions ({places}); take them at one")
        self._position = position
        self._bars = self._bars_of(saved)
        self._audiences.clear()
        for strategy in self.roster:
            name = strategy.spec.name
            found = [each.strategies[name] for each in saved if name in each.strategies]
            if not any(strategy.restore(each) for each in found):
                strategy.since = position

    def _bars_of(self, saved: Sequence[HostCheckpoint]) -> dict[int, InstrumentBars]:
        """Return the bars of the instruments that somebody here hears of; they are the same wherever they are whole."""
        best: dict[int, BarsCheckpoint] = {}
        for each in saved:
            for row, bars in each.bars.items():
                instrument = self._describe(row)
                if bars.key != instrument.key:
                    raise CheckpointError(
                        f"the checkpoint's row {row} is {bars.key}, here it is {instrument.key}; "
                        "start without the checkpoint"
                    )
                if self._those_of(row) and (row not in best or sum(bars.whole) > sum(best[row].whole)):
                    best[row] = bars
        return {row: InstrumentBars.restored(bars) for row, bars in best.items()}

    def resync(self, position: int, views: Mapping[int, InstrumentView]) -> None:
        """Go on at ``position`` after a hole, with the bars that the board shows; what was lost is given to nobody."""
        self._position = position
        self._audiences.clear()
        self._bars = {row: InstrumentBars.of_view(view) for row, view in views.items() if self._those_of(row)}
        for each in self.roster:
            each.since = position
        self._resyncs += 1

    def statistics(self) -> HostStatistics:
        """Return what the strategies have done."""
        return HostStatistics(
            strategies=tuple(each.statistics() for each in sorted(self.roster, key=_by_name)),
            instruments=len(self._bars),
            position=self._position,
            bars_missed=self._bars_missed,
            malformed=self._malformed,
            resyncs=self._resyncs,
        )


def _by_name(strategy: RunningStrategy) -> str:
    return strategy.spec.name


def _usable(value: float) -> float:
    return value if -LIMIT < value < LIMIT else NAN
