"""Small tapes written by hand, and engines over them."""

from collections.abc import Iterable

from tests.traders.streams import describe
from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.contracts.records import RECORD, Flag, Kind, Quality, Side, StatsPart
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.state.checkpoint import DECODER, INSTRUMENT_DECODER, InstrumentCheckpoint

MIDNIGHT_MS = 1_699_920_000_000
MORE, LATE = int(Flag.MORE), int(Flag.LATE)


class Tape:
    """Records one after the other; times are seconds since midnight."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def write(self, seconds, row, kind, code=0, flags=0, payload=(0.0, 0.0, 0.0, 0.0)) -> None:
        ns = int((MIDNIGHT_MS + seconds * 1000) * 1_000_000)
        self.records.append(RECORD.pack(len(self.records), ns, ns, row, kind, code, flags, *payload))

    def trade(self, seconds, price, side="buy", qty=1.0, row=0, flags=0) -> None:
        self.write(seconds, row, Kind.TRADE, Side[side.upper()], flags, (price, qty, 0.0, 1.0))

    def quote(self, seconds, bid, ask, row=0, flags=0) -> None:
        self.write(seconds, row, Kind.QUOTE, 0, flags, (bid, 1.0, ask, 1.0))

    def close(self, seconds, *labels, row=0) -> None:
        for label in labels:
            self.write(seconds, row, Kind.BAR_CLOSE, BY_LABEL[label], 0 if label == labels[-1] else MORE)

    def late(self, seconds, price, *labels, qty=1.0, row=0) -> None:
        self.trade(seconds, price, qty=qty, row=row, flags=LATE | MORE)
        for label in labels:
            self.write(seconds, row, Kind.BAR_REVISED, BY_LABEL[label], 0 if label == labels[-1] else MORE)

    def quality(self, seconds, name, row=0) -> None:
        self.write(seconds, row, Kind.QUALITY, Quality[name.upper()])

    def volumes(self, seconds, volume, row=0) -> None:
        self.write(seconds, row, Kind.STATS, StatsPart.VOLUMES, 0, (volume, 0.0, 0.0, 0.0))

    def bytes(self) -> bytes:
        return b"".join(self.records)

    def minutes(self, prices: Iterable[float]) -> None:
        """Write one trade a minute, each closed before the next."""
        at = 0
        for price in prices:
            if at:
                self.close(at, *(interval.label for interval in Interval if at * 1000 % interval.ms == 0))
            self.trade(at, price)
            at += 60


def engine(*specs: TraderSpec, tape: str = "binance", source: str = "run") -> Engine:
    made = Engine(source=source, tape=tape, describe=describe)
    for spec in specs:
        made.add(spec)
    return made


def trader(rule: str, name: str = "t", **how) -> TraderSpec:
    """Return a trader that does not ask for live data, as few of these tapes say how good theirs is."""
    return TraderSpec(name=name, rule=rule, **{"requires_live": False} | how)


def brief(signals: Iterable[Signal]) -> list[tuple[str, str, int, int]]:
    return [(signal.trader, signal.instrument, signal.tape_sequence, signal.ts_event) for signal in signals]


def saved_instruments(made: Engine) -> dict[int, InstrumentCheckpoint]:
    packed = DECODER.decode(made.checkpoint()).instruments
    return {row: INSTRUMENT_DECODER.decode(each) for row, each in packed.items()}
