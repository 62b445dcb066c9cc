"""What no market does and no user writes: signals must be those of the slow reference all the same.

Prices and quantities of many orders, nothing traded, numbers next to where they become unknown, rules that go from
unknown to known and back within a bar, rules that read what decides nothing.
"""

from random import Random

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.reference import Reference
from tests.traders.streams import Feed, Rules, describe, specs, tape
from tests.traders.tapes import MORE, Tape, brief, engine, trader
from tests.traders.test_resync import Board
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.records import RECORD
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.engine import instrument_state
from tickfloor.traders.engine.watch import Watch

seeds = st.integers(0, 2**32)

PRICES = {
    "eighths": [100 + number / 8 for number in range(-16, 17)],
    "two": [100.0, 100.125],
    "cents": [50_000 + number / 100 for number in range(-300, 300)],
    "wild": [factor * 10.0**power for power in range(-12, 13) for factor in (1, 3)],
    "tiny": [number * 1e-12 for number in range(1, 20)],
    "huge": [1e12 + number / 8 for number in range(20)],
}
QUANTITIES = {
    "eighths": [number / 8 for number in range(1, 40)],
    "nothing": [0.0, 0.0, 1.0],
    "wild": [10.0**power for power in range(-12, 13)],
    "whales": [1e-5] * 30 + [1e9],
    "decimal": [0.1, 0.2, 0.3, 0.7],
}


def bounded(examples: int):
    return settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


class HostileFeed(Feed):
    """Trades at neighbouring prices of one kind, now and then of another."""

    def __init__(self, random: Random, prices: str, quantities: str) -> None:
        pace = random.choice([500, 5_000, 20_000, 90_000])
        super().__init__(random, late=random.random() < 0.5, longest_step_ms=pace)
        self.levels, self.quantities = PRICES[prices], QUANTITIES[quantities]

    def payload(self, row):
        random = self.random
        if random.random() < 0.01:
            self.levels = random.choice(list(PRICES.values()))
        at = self.levels.index(self.price[row]) if self.price[row] in self.levels else random.randrange(1_000)
        at += random.choice([-1, 0, 0, 1, random.randrange(-5, 6)])
        self.price[row] = self.levels[min(max(0, at), len(self.levels) - 1)]
        return self.price[row], random.choice(self.quantities), float(len(self.records)), 1.0


class HostileRules(Rules):
    """Rules whose constants are what is traded, and sums of it."""

    def __init__(self, random: Random, prices: str, quantities: str) -> None:
        super().__init__(random, beyond=random.random() < 0.3)
        self.levels, self.quantities = PRICES[prices], QUANTITIES[quantities]

    def constant(self) -> str:
        random = self.random
        level, quantity = random.choice(self.levels), random.choice(self.quantities)
        several = quantity * random.randrange(1, 9)
        apart = level - random.choice(self.levels)
        return random.choice([*map(repr, (level, level, apart, quantity, several)), "0", "50", "1e299", "(1/0)"])

    def moving(self) -> str:
        """A column that moves with prices only, or with quantities only."""
        random = self.random
        fields = random.choice([["open", "high", "low", "close"], ["volume", "buy_volume", "delta", "trades"]])
        column = random.choice(fields)
        where = random.choice(["", ', "5m"'])
        if random.random() < 0.6:
            function = random.choice(["sma", "ema", "highest", "change", "rsi", "stdev", "slope", "percentile", "roc"])
            column = f"{function}({column}, {random.randrange(2, 5)}{where})"
        elif where:
            column = f'{column}("5m")'
        return f"({column} {random.choice('+-*/')} {self.constant()})" if random.random() < 0.2 else column

    def simple(self) -> str:
        random = self.random
        other = random.choice([self.constant, self.moving, lambda: f"{self.constant()} * {self.moving()}"])()
        if random.random() < 0.1:
            return f"{random.choice(['crosses_above', 'crosses_below'])}({self.moving()}, {other})"
        return f"{self.moving()} {random.choice(['<', '<=', '>', '>=', '==', '!='])} {other}"

    def nested(self, depth: int) -> str:
        random = self.random
        if depth == 0 or random.random() < 0.3:
            return self.simple()
        parts = random.choice([" and ", " or "]).join(self.nested(depth - 1) for _ in range(random.randrange(2, 4)))
        return f"{random.choice(['', '', 'not '])}({parts})"

    def some(self, count: int, prefix: str) -> list[TraderSpec]:
        found: list[TraderSpec] = []
        while len(found) < count:
            spec = self.spec(f"{prefix}{len(found)}")
            if self.random.random() < 0.6:
                rule = self.nested(self.random.choice([0, 0, 1, 2, 4]))
                spec = msgspec.structs.replace(spec, rule=rule)
            try:
                engine(spec)
            except RuleError:  # a constant that nothing compares with, or a rule that costs too much
                continue
            found.append(spec)
        return found


class LookingAtEverything(Watch):
    """Leaves nothing alone."""

    def look(self, price):
        self.all_changed()
        return super().look(price)


def looked_at_anew(chosen, records):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instrument_state, "Watch", LookingAtEverything)
        made = engine(*chosen)
        signals = made.process(b"".join(records))
    return signals, matching(made, chosen)


def matching(made, chosen):
    return made.run([spec.name for spec in chosen]).matches


def disturbed(made, chosen, guests, random: Random):
    """Do something that the traders who stay must not feel, and return the engine that goes on."""
    what = random.random()
    if what < 0.15:
        made.sync([*random.sample(chosen, len(chosen)), *random.sample(guests, random.randrange(len(guests) + 1))])
    elif what < 0.25:
        blob = made.checkpoint()
        made = engine(*random.sample(chosen, len(chosen)), *random.sample(guests, 2))
        made.restore([blob])
    elif what < 0.3:
        made.run()
    elif what < 0.35:
        made.watch(TraderSpec(name="watcher", rule=""), {"x": "sma(3)", "y": "imbalance"})
    elif what < 0.4:
        made.unwatch("watcher")
    return made


def run_disturbed(chosen, guests, records, random: Random):
    made, signals, at = engine(*chosen), [], 0
    names = {spec.name for spec in chosen}
    while at < len(records):
        end = at + random.choice([1, 2, 5, 30])
        signals += [signal for signal in made.process(b"".join(records[at:end])) if signal.trader in names]
        at = end
        made = disturbed(made, chosen, guests, random)
    return signals, matching(made, chosen)


def both(records, *chosen):
    """Return the signals of an engine and of the reference."""
    made, reference = engine(*chosen), Reference(chosen, describe)
    got = [signal for record in records for signal in brief(made.process(record))]
    return got, [signal for record in records for signal in reference.record(*RECORD.unpack(record))]


@bounded(8)
@given(seeds, seeds, st.sampled_from([20_000, 90_000, 240_000]))
def test_rules_that_read_the_time_and_other_instruments_equal_the_reference(rule_seed, tape_seed, longest_step_ms):
    got, wanted = both(tape(tape_seed, 160, longest_step_ms=longest_step_ms), *specs(rule_seed, 8, beyond=True))
    assert got == wanted


@bounded(12)
@given(seeds, st.sampled_from(list(PRICES)), st.sampled_from(list(QUANTITIES)))
def test_what_is_left_alone_is_what_looking_at_everything_gives(seed, prices, quantities):
    random = Random(seed)
    rules = HostileRules(random, prices, quantities)
    chosen, guests = rules.some(30, "t"), rules.some(5, "g")
    feed = HostileFeed(random, prices, quantities)
    for _ in range(250):
        feed.step()
    got, wanted = run_disturbed(chosen, guests, feed.records, random), looked_at_anew(chosen, feed.records)
    assert got == wanted


@bounded(2)
@given(seeds)
def test_hundreds_that_come_and_go_under_the_same_names_change_nothing_for_those_who_stay(seed):
    """So many that the index has to make room several times, and places are used again."""
    random = Random(seed)
    rules = HostileRules(random, "eighths", "eighths")
    patterns = rules.some(40, "p")

    def several(count, prefix):
        choice = {"symbols": [("*",), ("*USDT",), ("BTC*", "ETHBTC")], "exclude": [(), ("ETH*",)], "quote": ["", "BTC"]}
        return [
            msgspec.structs.replace(
                random.choice(patterns),
                name=f"{prefix}{number}",
                **{field: random.choice(values) for field, values in choice.items()},
            )
            for number in range(count)
        ]

    chosen, records = several(120, "t"), tape(seed, 120, longest_step_ms=20_000)
    whole = engine(*chosen)
    wanted = whole.process(b"".join(records))
    made, got = engine(*chosen), []
    for start in range(0, len(records), 20):
        guests = several(random.choice([0, 3, 120, 260, 500]), "g")
        made.sync(random.sample([*chosen, *guests], len(chosen) + len(guests)))
        found = made.process(b"".join(records[start : start + 20]))
        got += [signal for signal in found if signal.trader.startswith("t")]
    assert got == wanted
    assert matching(made, chosen) == matching(whole, chosen)


def trades(*made: tuple[float, float]) -> list[bytes]:
    """Return a tape of trades, price and quantity, a second apart."""
    written = Tape()
    for second, (price, quantity) in enumerate(made):
        written.trade(second, price, qty=quantity)
    return written.records


POLE = "1 / (close - 100)"
FROM_UNKNOWN = [(100, 1), (101, 1), (102, 1)]
TO_UNKNOWN = [(101, 1), (100, 1), (101, 1)]


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        (f"percentile({POLE}, 1) > 50", FROM_UNKNOWN),
        ("percentile(imbalance, 1) > 50", [(100, 0), (101, 1), (102, 1)]),
        (f"0 * ({POLE}) == 0", FROM_UNKNOWN),
        (f"0 * ({POLE}) + close > 50", TO_UNKNOWN),
        ("0 * imbalance < low", [(100, 0), (100, 1), (102, 1)]),
        ("close * 1e299 > open", [(9, 1), (10.5, 1), (9, 1)]),
        ("close * 1e299 + 1 > open", [(9, 1), (10.5, 1), (9, 1)]),
    ],
)
def test_a_value_that_becomes_known_or_unknown_within_a_bar_is_seen(rule, made):
    got, wanted = both(trades(*made), trader(rule))
    assert got == wanted
    assert wanted


def test_an_unknown_constant_disturbs_nobody_elses_quantities():
    records = trades((100, 1), (100, 50), (100, 60), (100, 100))
    got, wanted = both(records, trader("quote_volume > 1/0", "nothing"), trader("volume > 200"))
    assert got == wanted
    assert len(wanted) == 1


@pytest.mark.parametrize("rule", ["minute == 1 and close > 0", 'close["ETHUSDT"] > 0 and close > 0'])
def test_what_decides_nothing_waits_for_the_next_record_of_the_rules_other_columns(rule):
    written = Tape()
    written.trade(0, 100.0)
    written.trade(60, 100.0, row=1)
    written.quote(61, 99.0, 101.0)
    written.trade(62, 100.0)
    chosen = trader(rule, symbols=("BTCUSDT",))
    got, wanted = both(written.records, chosen)
    assert got == wanted
    assert [sequence for _, _, sequence, _ in wanted] == [3]


@pytest.mark.parametrize("rule", ["hour >= 0 and close > 0", 'close["BTCUSDT"] > 0 and close > 0'])
def test_time_and_other_instruments_are_there_after_a_restore_and_after_a_hole(rule):
    records = trades((100, 1), (100, 1), (100, 1))
    first = engine(trader(rule))
    assert len(first.process(records[0])) == 1
    restored = engine(trader(rule))
    restored.restore([first.checkpoint()])
    assert restored.run().matches == first.run().matches == {"t": ("binance:BTCUSDT",)}
    board = Board()
    for record in records[:2]:
        board.record(record)
    first.resync(2, board.views())
    assert first.process(records[2]) == []  # it held all along


@pytest.mark.parametrize("rule", ["bid > 100 and last > 0", "mid > 100 and last > 0"])
def test_a_market_column_that_is_too_large_stays_unknown_when_others_come(rule):
    written = Tape()
    written.quote(0, 1e305, 1e305)
    written.trade(1, 1.0)
    written.trade(2, 1.0)
    made = engine(trader(rule))
    made.process(b"".join(written.records[:2]))
    made.add(trader("last > 1e9", name="other"))
    assert made.process(written.records[2]) == []


def test_products_that_are_too_large_are_unknown_also_among_many():
    rules = [trader(f"close > 1e299 * highest({n})", f"above {n}") for n in range(1, 40)]
    got, wanted = both(trades((1e12, 1), (1e12, 1)), *rules)
    assert got == wanted == []


def test_what_is_counted_from_is_the_close_and_not_the_latest_trade():
    written = Tape()
    written.trade(0, 100.0)
    written.trade(50, 100.0)
    written.trade(20, 104.5, flags=MORE)
    written.close(60, "1m")
    written.quote(61, 1.0, 2.0)
    for second, price in ((62, 104.0), (63, 100.0), (64, 104.0)):
        written.trade(second, price)
    got, wanted = both(written.records, trader('close("5m") > 101 and bid > 0'))
    assert got == wanted
    assert len(wanted) == 2


def test_small_quantities_count_after_large_ones():
    written = Tape()
    written.trade(0, 100.0, qty=1e12)
    for minute in (1, 2):
        written.close(60 * minute, "1m")
        for number in range(800):
            written.trade(60 * minute + number / 1000, 100.0, qty=1e-5)
    made = engine(trader("volume > 5.0000001e-3"))
    assert [signal.tape_sequence for signal in made.process(written.bytes())] == [0, 502, 1303]


def test_a_late_trade_of_a_bar_that_a_new_column_has_not_seen_makes_no_bar_of_its_own():
    written = Tape()
    written.trade(0, 100.0, qty=5.0)
    written.close(300, "1m", "5m")
    written.trade(301, 101.0)
    before = len(written.records)
    written.late(20, 90.0, "1m", "5m")
    written.trade(303, 101.0)
    made = engine(trader("close > 1e9", name="other"))
    made.process(b"".join(written.records[:before]))
    made.add(trader('volume("5m")[1] == 1 and close > 0'))
    made.process(b"".join(written.records[before:]))
    assert made.run().matches == {}


def test_a_late_trade_disturbs_no_rule_that_names_its_own_instrument():
    written = Tape()
    written.trade(0, 100.0)
    written.close(60, "1m")
    written.trade(61, 100.0)
    written.late(30, 101.0, "1m")
    written.trade(62, 100.0)
    got, wanted = both(written.records, trader('close[1]["BTCUSDT"] > 0.5 and close > 0'))
    assert got == wanted
    assert len(wanted) == 1


def test_an_at_close_rule_sees_market_columns_of_another_instrument_as_they_stand():
    written = Tape()
    written.trade(0, 100.0)
    written.trade(1, 7.0, row=1)
    written.close(60, "1m")
    rule = 'last["ETHUSDT"] == 7 and close > 0'
    got, wanted = both(written.records, trader(rule, when="close", symbols=("BTCUSDT",)))
    assert got == wanted
    assert len(wanted) == 1
