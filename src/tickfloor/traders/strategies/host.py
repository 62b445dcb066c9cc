"""The strategies of one worker: tape records in, signals out.

Signals depend on the records and the strategies alone, as far as these keep to what they are given: not on how the
records are cut into batches, nor on how the strategies are spread over workers.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.contracts.ports import LimiterPort, LogPort
from tickfloor.contracts.records import RECORD, RECORD_BYTES, Flag, Kind, Side
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSpec
from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.traders.checkpoint import LateTrade
from tickfloor.traders.resync import InstrumentView
from tickfloor.traders.strategies.checkpoint import DECODER, ENCODER, VERSION, BarsCheckpoint, HostCheckpoint
from tickfloor.traders.strategies.instrument_bars import InstrumentBars
from tickfloor.traders.strategies.running import Allowance, Blame, RunningStrategy, Surroundings
from tickfloor.traders.strategies.statistics import HostStatistics
from tickfloor.traders.strategies.ticks import ClosedBar, Quote, Trade
from tickfloor.traders.tape_order import end_of

_TRADE, _QUOTE, _BAR_CLOSE, _BAR_REVISED, _CLOCK = (
    int(kind) for kind in (Kind.TRADE, Kind.QUOTE, Kind.BAR_CLOSE, Kind.BAR_REVISED, Kind.CLOCK)
)
_MORE, _LATE = int(Flag.MORE), int(Flag.LATE)
_BUY = int(Side.BUY)
_INTERVALS = tuple(Interval)
_SIDES = tuple(Side)


class _Audience:
    """Who hears of an instrument, in order of name, and its bars."""

    __slots__ = ("bars", "by_interval", "key", "strategies")

    def __init__(self, key: str, bars: InstrumentBars, strategies: Sequence[RunningStrategy]) -> None:
        self.key = key
        self.bars = bars
        self.strategies = tuple(strategies)
        self.by_interval = {
            interval: tuple(each for each in strategies if BY_LABEL[each.spec.interval] is interval)
            for interval in _INTERVALS
        }


class StrategyHost:
    """Runs strategies over one tape; without any, it does nothing.

    Args:
        source: first part of every signal's identity, see :class:`~tickfloor.contracts.signals.Signal`.
        tape: name of the tape.
        describe: gives the instrument of a board row.
        vitals: where it is noted whose code is running.
        effects: while it does not allow them, no strategy is called.
        limiter: gives a pace for log lines, by name of what is limited.
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
    ) -> None:
        self._around = Surroundings(source, tape, vitals, effects, log, limiter)
        self._describe = describe
        self._strategies: dict[str, RunningStrategy] = {}
        self._bars: dict[int, InstrumentBars] = {}
        """per row of the tape that a strategy applies to"""
        self._audiences: dict[int, _Audience | None] = {}
        """per row seen since the strategies last changed; None where no strategy applies"""
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
        if spec.name in self._strategies:
            raise ValueError(f"there is a strategy {spec.name} already; remove it first, or choose another name")
        if spec.interval not in BY_LABEL:
            raise ValueError(f'trader {spec.name}: interval "{spec.interval}" is none of {", ".join(BY_LABEL)}')
        if not spec.strategy or spec.rule:
            raise ValueError(f"trader {spec.name} is no strategy: it has a rule")
        added = RunningStrategy(spec, self._around, self._position)
        self._strategies[spec.name] = added
        self._audiences.clear()
        added.start()

    def remove(self, name: str) -> None:
        """Stop a strategy and forget what it kept.

        Raises:
            KeyError: there is none of that name.
        """
        self._strategies.pop(name).stop()
        self._audiences.clear()
        self._bars = {row: bars for row, bars in self._bars.items() if self._those_of(self._describe(row))}

    def close(self) -> None:
        """Stop all strategies."""
        while self._strategies:
            self._strategies.popitem()[1].stop()

    def _those_of(self, instrument: Instrument) -> list[RunningStrategy]:
        return [each for _, each in sorted(self._strategies.items()) if each.spec.applies_to(instrument)]

    def _open(self, row: int) -> _Audience | None:
        """Return who hears of a row that was not seen since the strategies last changed."""
        instrument = self._describe(row)
        strategies = self._those_of(instrument)
        audience = None
        if strategies:
            if row not in self._bars:
                # A strategy that is here since the tape's beginning would have met an earlier record.
                self._bars[row] = InstrumentBars(whole=any(each.since == 0 for each in strategies))
            audience = _Audience(instrument.key, self._bars[row], strategies)
        self._audiences[row] = audience
        return audience

    # Records

    def process(self, records: bytes) -> list[Signal]:  # hot path
        """Give whole records in tape order to the strategies and return the signals they raise.

        Records before :attr:`position` are skipped. While there is no strategy, all are.

        Raises:
            ValueError: not whole records, or a sequence is missing; nothing has been given to anybody then.
        """
        if not self._strategies:
            if records:
                self._position = max(self._position, int.from_bytes(records[-RECORD_BYTES:][:8], "little") + 1)
            return []
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
                self._trade(audience, sequence, ts_event, code, flags, a, b, signals)
            elif kind == _QUOTE:
                quote = Quote(audience.key, ts_event, _usable(a), _usable(b), _usable(c), _usable(d))
                for each in audience.strategies:
                    each.tick(quote, sequence, signals)
            elif kind == _BAR_CLOSE:
                self._bar_close(audience, sequence, ts_event, _INTERVALS[code], signals)
            elif kind == _BAR_REVISED:
                bars.revised(_INTERVALS[code])
            if bars.late is not None and not flags & _MORE:
                bars.end_event()
        self._position = max(position, end)
        return signals

    def _trade(  # hot path
        self,
        audience: _Audience,
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
            audience.bars.late = LateTrade(ts_ms, price, qty, side == _BUY)
            return
        audience.bars.add_trade(ts_ms, price, qty, side == _BUY)
        trade = Trade(audience.key, ts_event, price, qty, _SIDES[side])
        for each in audience.strategies:
            each.tick(trade, sequence, into)

    def _bar_close(
        self, audience: _Audience, sequence: int, ts_event: int, interval: Interval, into: list[Signal]
    ) -> None:
        numbers = audience.bars.close(interval, ts_event // 1_000_000)
        listeners = audience.by_interval[interval]
        if numbers is None:
            self._bars_missed += bool(listeners)
        elif listeners:
            bar = _closed_bar(audience.key, ts_event, interval, numbers)
            for each in listeners:
                each.bar(bar, sequence, into)

    # State

    def checkpoint(self) -> bytes:
        """Return everything needed to go on from :attr:`position` in other workers."""
        return ENCODER.encode(
            HostCheckpoint(
                version=VERSION,
                source=self._around.source,
                tape=self._around.tape,
                position=self._position,
                strategies={name: each.checkpoint() for name, each in sorted(self._strategies.items())},
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
        saved = [self._decoded(blob) for blob in blobs]
        if not saved:
            return
        position = saved[0].position
        if any(each.position != position for each in saved):
            places = ", ".join(str(each.position) for each in saved)
            raise CheckpointError(f"the checkpoints are of different positions ({places}); take them at one")
        self._position = position
        self._bars = self._bars_of(saved)
        self._audiences.clear()
        for name, strategy in self._strategies.items():
            found = [each.strategies[name] for each in saved if name in each.strategies]
            if not any(strategy.restore(each) for each in found):
                strategy.since = position

    def _decoded(self, blob: bytes) -> HostCheckpoint:
        try:
            saved = DECODER.decode(blob)
        except msgspec.MsgspecError as error:
            raise CheckpointError(f"the checkpoint cannot be read ({error}); start without it") from error
        if (saved.version, saved.tape) != (VERSION, self._around.tape):
            raise CheckpointError(
                f"the checkpoint is of version {saved.version} and tape {saved.tape}, "
                f"not {VERSION} and {self._around.tape}; start without it"
            )
        return saved

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
                if self._those_of(instrument) and (row not in best or sum(bars.whole) > sum(best[row].whole)):
                    best[row] = bars
        return {row: InstrumentBars.restored(bars) for row, bars in best.items()}

    def resync(self, position: int, views: Mapping[int, InstrumentView]) -> None:
        """Go on at ``position`` after a hole, with the bars that the board shows; what was lost is given to nobody."""
        self._position = position
        self._audiences.clear()
        self._bars = {
            row: InstrumentBars.of_view(view) for row, view in views.items() if self._those_of(self._describe(row))
        }
        for each in self._strategies.values():
            each.since = position
        self._resyncs += 1

    def statistics(self) -> HostStatistics:
        """Return what the strategies have done."""
        return HostStatistics(
            strategies=tuple(each.statistics() for _, each in sorted(self._strategies.items())),
            instruments=len(self._bars),
            position=self._position,
            bars_missed=self._bars_missed,
            malformed=self._malformed,
            resyncs=self._resyncs,
        )


def _usable(value: float) -> float:
    return value if -LIMIT < value < LIMIT else NAN


def _closed_bar(key: str, ts_event: int, interval: Interval, bar: Bar) -> ClosedBar:
    _, opened, high, low, close, volume, quote_volume, buy_volume, trades, _, _ = bar
    return ClosedBar(
        instrument=key,
        ts_event=ts_event,
        interval=interval,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        quote_volume=quote_volume,
        buy_volume=buy_volume,
        trades=int(trades),
    )
