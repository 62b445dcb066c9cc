"""Random trading as a tape and as the history of its minute bars, and random rules that a history can know."""

import re
from random import Random

import numpy as np

from tests.traders.streams import Rules
from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Kind, Side
from tickfloor.contracts.traders import TraderSpec
from tickfloor.market.bars import FormingBars
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.history.bars import FIELDS, BarHistory
from tickfloor.traders.history.trade_tape import Trade, TradeTape

START_MS = 1_699_920_000_000 - 47 * 60_000


def trading(seed: int, count: int, *, longest_step_ms: int = 90_000) -> list[Trade]:
    """Prices with digits that round, so that the order of additions shows."""
    random = Random(seed)
    now_ms, price, found = START_MS, 100.0, []
    for _ in range(count):
        now_ms += random.choice([0, random.randrange(2_000), random.randrange(longest_step_ms)])
        if random.random() < 0.01:
            now_ms += random.randrange(3 * 3_600_000)
        price = round(max(1.0, price + random.randrange(-100, 101) / 100), 2)
        found.append(Trade(now_ms * 1_000_000, price, random.randrange(1, 4_000) / 700, random.choice(list(Side))))
    return found


def engine(*specs: TraderSpec) -> Engine:
    made = Engine(source="run", tape="tape", describe=lambda row: Instrument(row, "binance", "BTCUSDT"))
    for spec in specs:
        made.add(spec)
    return made


def tape_of(trades: list[Trade]) -> bytes:
    tape = TradeTape()
    return b"".join(event.records for trade in trades for event in tape.events(trade))


def closed_bars(records: bytes) -> dict[Interval, list[Bar]]:
    """Return the bars that the tape closes, built as traders build them."""
    forming, found = FormingBars(), {interval: [] for interval in Interval}
    for _, ts_event, _, _, kind, code, _, a, b, _, _ in RECORD.iter_unpack(records):
        if kind == Kind.TRADE:
            forming.add_trade(ts_event // 1_000_000, a, b, code == Side.BUY)
        elif kind == Kind.BAR_CLOSE:
            found[Interval(code)].append(forming.close(Interval(code)))
    return found


def history_of(bars: list[Bar], interval: Interval = Interval.M1) -> BarHistory:
    numbers = np.array(bars, dtype=np.float64).reshape(-1, len(BarField))
    fields = {name: numbers[:, BarField[name.upper()]].copy() for name in FIELDS}
    return BarHistory(interval, numbers[:, BarField.START_MS].astype(np.int64), fields)


UNKNOWN_TO_BARS = re.compile(r"\b(last_qty|cumulative_delta)\b")


def close_specs(seed: int, count: int) -> list[TraderSpec]:
    """At-close rules over what bars say; the other market columns are unknown on a tape of trades, too."""
    random = Random(seed)
    rules = Rules(random)
    return [
        TraderSpec(
            name=f"trader-{index}",
            rule=UNKNOWN_TO_BARS.sub("last", rules.condition()),
            when="close",
            interval=rules.interval(),
            requires_live=random.random() < 0.5,
            cooldown_ns=random.choice([0, 0, 45_000_000_000, 600_000_000_000]),
        )
        for index in range(count)
    ]
