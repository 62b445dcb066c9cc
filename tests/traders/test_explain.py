"""What a rule is said to come to."""

import pytest

from tests.traders.tapes import trader
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import Interval
from tickfloor.traders.explain import explained
from tickfloor.traders.history.known import bars_until_known
from tickfloor.traders.plans import planned

RULE = 'rsi(14) < 30 and not (close > 1.02 * sma(50) or quality == "gap") and crosses_above(close, ema(20, "4h"))'


def test_a_rule_is_shown_as_the_engine_has_it():
    found = explained(trader(RULE))
    assert found.condition == (
        'rsi(14) < 30 and close <= 1.02 * sma(50) and quality != "gap" and crosses_above(close, ema(20, "4h"))'
    )
    assert found.indexed == ("rsi(14) < 30", 'quality != "gap"')
    assert found.compared == ("close <= 1.02 * sma(50)", 'crosses_above(close, ema(20, "4h"))')
    assert found.nanoseconds > 1
    assert found.decided_by == ("trades", "changes of quality")
    assert found.known_after_ms == 20 * Interval.H4.ms


def test_each_column_has_its_needs_and_what_is_computed_its_cost():
    found = {column.text: column for column in explained(trader(RULE)).columns}
    assert {text: (column.kind, column.interval, column.known_with) for text, column in found.items()} == {
        "close": ("bar", "1m", 1),
        "rsi(14)": ("indicator", "1m", 15),
        "sma(50)": ("indicator", "1m", 50),
        "quality": ("market", None, None),
        'close("4h")': ("bar", "4h", 1),
        'ema(20, "4h")': ("indicator", "4h", 20),
    }
    assert all((column.nanoseconds is not None) == (column.kind == "indicator") for column in found.values())
    assert all(column.nanoseconds > 1 for column in found.values() if column.nanoseconds is not None)


def test_columns_that_other_traders_have_are_shared_with_them():
    others = [trader("rsi(14) > 70", "a", when="close"), trader('rsi(14, "1m") > 80', "b", interval="5m")]
    found = {column.text: column.shared_with for column in explained(trader(RULE), others).columns}
    assert found["rsi(14)"] == ("a", "b")
    assert found["sma(50)"] == ()


def test_a_close_rule_is_decided_by_closes():
    found = explained(trader("rsi(14) < 30", when="close", interval="5m", requires_live=True))
    assert found.decided_by == ("closes of 5m bars",)
    assert (found.indexed, found.compared) == (("rsi(14) < 30", 'quality == "live"'), ())
    assert found.nanoseconds == 0.0


def test_a_rule_that_is_not_valid_is_refused():
    with pytest.raises(RuleError):
        explained(trader("rsi(14) <"))


@pytest.mark.parametrize(
    ("rule", "bars"),
    [
        ("close[7] > 1", 8),
        ("atr(14) > 1", 15),
        ("sma(rsi(14), 5) > 1", 19),
        ("ema(high - low, 5) > 1", 5),
        ("sma(spread, 20) > 1", 20),
        ("change(300) > 1", 301),
        ("sma(5000) > 1", 5000),
    ],
)
def test_how_many_bars_a_column_needs_is_tried_out(rule, bars):
    assert max(bars_until_known(column) or 0 for column in planned(trader(rule)).columns) == bars
