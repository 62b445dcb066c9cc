"""The rule language: golden cases, the place and hint of every error, and text that means harm."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.errors import render
from tickfloor.traders.language.nodes import All, Market, QualityIs, Truth, atoms, operands
from tickfloor.traders.language.plan import columns, key, plan
from tickfloor.traders.language.vocabulary import Input, MarketColumn

CASES = json.loads((Path(__file__).parents[1] / "cases/rules.json").read_text())


def spec(rule: str, **how) -> TraderSpec:
    return TraderSpec(name="t", rule=rule, **{"requires_live": False} | how)


def error_of(rule: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        plan(spec(rule))
    return caught.value


def error_or_none(rule: str) -> RuleError | None:
    try:
        plan(spec(rule))
    except RuleError as error:
        return error
    return None


@pytest.mark.parametrize("case", CASES["valid"], ids=lambda case: case["rule"])
def test_a_valid_rule_has_these_columns(case):
    given_spec = spec(case["rule"], interval=case.get("interval", "1m"))
    assert [text for text, _ in plan(given_spec).shown] == case["shown"]
    assert sorted(columns(plan(given_spec))) == case["columns"]


@pytest.mark.parametrize("case", CASES["valid"], ids=lambda case: case["rule"])
def test_what_a_signal_shows_can_be_written_in_a_rule_and_is_the_same_column(case):
    interval = case.get("interval", "1m")
    for text, node in plan(spec(case["rule"], interval=interval)).shown:
        again = plan(spec(f"{text} > 0 and trades > 0", interval=interval))
        assert again.shown[0] == (text, node)


@pytest.mark.parametrize("case", CASES["errors"], ids=lambda case: case["rule"] or "empty")
def test_an_error_names_its_column_and_what_to_do(case):
    error = error_of(case["rule"])
    assert error.column == case["column"]
    assert case["message"] in error.message
    assert case["hint"] in error.hint
    assert error.text == case["rule"]


@pytest.mark.parametrize("case", CASES["hostile"], ids=lambda case: repr(case["rule"]))
def test_hostile_text_is_a_rule_error(case):
    assert error_of(case["rule"]).column == case["column"]


@pytest.mark.parametrize(
    "rule",
    [
        "(" * 300 + "close" + ")" * 300 + " > 1",
        "(" * 60 + "close" + ")" * 60 + " > " + "-" * 60 + "1",
        "-" * 1_500 + "1 > close",
        "not " * 400 + "close > 1",
        "close" + "[1]" * 300 + " > 1",
        "abs(" * 300 + "close" + ")" * 300 + " > 1",
        "close > " + "9" * 1_900,
        "+".join(["close"] * 300) + " > 1",
        " and ".join(["close>1"] * 190),
        "close > 1 " * 20_000,
        "a" * 100_000,
        "\x00" * 100_000,
        "9**" * 300 + "9 > close",
        "1<" * 600 + "close",
        "zscore(" * 45 + "close" + ",3)" * 45 + " > 1",
        "bbands_percent(" * 45 + "3" + ",3)" * 44 + ") > 1",
        "count_of(0<" * 20 + "close" + "<1,3)" * 20 + " > 1",
        "bars_since(not(0<" * 12 + "close" + "<1))" * 12 + " > 1",
        "any_of(" * 300 + "close > 1" + ")" * 300,
        "close" + '["X"]' * 300 + " > 1",
        "'" * 1_999 + "x",
        '":' * 900,
        "hour(" * 300,
    ],
    ids=lambda rule: rule[:20],
)
def test_text_without_measure_is_refused_quickly(rule):
    started = time.perf_counter()
    error = error_of(rule)
    assert time.perf_counter() - started < 1.0
    assert 1 <= error.column <= min(len(rule), 2_000) + 1
    assert len(render(error)) < 500


def test_the_limits_themselves_are_allowed():
    plan(spec("close > 1" + " " * 1_991))
    plan(spec(" and ".join(["close>1"] * 124)))
    plan(spec("sma(5000) > close[500]"))
    plan(spec("1 < sma(5000) < ema(5000) < sma(high, 5000) < 9"))
    plan(spec("max(sma(5000), ema(5000), rsi(5000), sma(high, 4000), close[500], open[500]) > 1"))


def test_what_a_rule_costs_is_limited_at_the_column_that_is_too_much():
    """A formula names its column several times, so a few letters can stand for a tree without measure."""
    rule = "zscore(" * 9 + "close" + ", 3)" * 9 + " > 1"
    error = error_of(rule)
    assert "costs more than 1,000" in error.message
    assert rule[error.column - 1 :].startswith("zscore(zscore(")
    plan(spec("zscore(zscore(zscore(close, 3), 3), 3) > 1"))
    rule = "max(" + ", ".join(f"stoch_d({number})" for number in range(1, 100)) + ") > close"
    error = error_of(rule)
    assert "costs more than 1,000" in error.message
    assert 1 < error.column < len(rule)


def test_a_column_that_a_rule_has_already_costs_nothing():
    plan(spec("max(" + ", ".join(["stoch_d(14)"] * 99) + ") > close"))


def test_what_a_rule_reaches_back_in_all_is_limited_where_the_sum_passes_the_limit():
    """Each of these columns is within its own limit; together they would cost 3 MB of checkpoint an instrument."""
    rule = "max(" + ", ".join(f"sma(close - {number}, 5000)" for number in range(75)) + ") > 1"
    error = error_of(rule)
    assert error.column == rule.index("5000", rule.index("close - 4")) + 1
    assert "20,000 bars in all, with this one 25,000" in error.message
    assert "split" in error.hint
    rule = "max(sma(5000), ema(5000), rsi(5000), sma(high, 4500), close[500]) > close[1]"
    assert error_of(rule).column == rule.index("1]") + 1


@settings(max_examples=400, deadline=None, database=None)
@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_a_rule_error(text):
    error = error_or_none(text)
    assert error is None or (1 <= error.column <= len(text) + 1 and render(error))


TOKENS = [
    "close", "rsi", "sma", "(", ")", "[", "]", ",", "14", "2", "1e309", '"15m"', "<", ">", "==", "and", "or", "not",
    "+", "-", "*", "/", "%", "**", "quality", '"live"', "crosses_above", "last", ".", "if", "else", "for", "in",
    "is", "f", "bbands_upper", "count_of", "bars_since", "rising", "between", "any_of", "session", '"09:30"', "hour",
    '"America/New_York"', '["BTCUSDT"]', "obv", "correlation", "{", "}", "zscore",
    "None", "True", "'", "lambda", "await", "\n", "\t", "_", "0x", "1_", "e",
]  # fmt: skip


@settings(max_examples=600, deadline=None, database=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=15), st.sampled_from(["", " "]))
def test_any_tokens_are_a_rule_or_a_rule_error(tokens, between):
    text = between.join(tokens)
    error = error_or_none(text)
    assert error is None or 1 <= error.column <= len(text) + 1


def test_an_unknown_default_interval_is_refused():
    with pytest.raises(ValueError, match="1m, 5m, 15m, 1h, 4h, 1d"):
        plan(spec("close > 1", interval="2m"))


def test_an_error_is_shown_with_a_caret_under_its_column():
    assert render(error_of("rsi(14) < 30 and\n  clse > 2")).splitlines() == [
        "column 20: unknown column `clse`",
        "    clse > 2",
        "    ^",
        "hint: did you mean `close`?",
    ]


def test_the_caret_of_a_long_line_stays_in_view():
    lines = render(error_of("close > 1 and " * 60 + "clse > 2")).splitlines()
    assert lines[1][lines[2].index("^") :].startswith("clse > 2")
    assert len(lines[1]) < 120


def test_control_characters_do_not_reach_the_terminal():
    assert "\x1b" not in render(error_of("close > \x1b[31m1"))


def test_tabs_do_not_move_the_caret():
    lines = render(error_of("close\t>\tclse")).splitlines()
    assert lines[1].index("clse") == lines[2].index("^")


# What decides a rule


def quality_is_live(planned) -> bool:
    return any(isinstance(atom, QualityIs) and atom.quality is Quality.LIVE for atom in atoms(planned.condition))


def test_a_rule_matches_live_data_only_unless_its_trader_says_otherwise():
    assert quality_is_live(plan(TraderSpec(name="t", rule="close > 1")))
    assert not quality_is_live(plan(spec("close > 1")))


@pytest.mark.parametrize("rule", ["close > 1 or last > 2", "not close > 1"])
def test_that_data_is_to_be_live_holds_beside_the_whole_rule_and_is_not_shown(rule):
    plain, live = plan(spec(rule)), plan(spec(rule, requires_live=True))
    assert isinstance(live.condition, All)
    assert live.condition.conditions[0] == plain.condition
    assert live.shown == plain.shown
    assert live.inputs == plain.inputs | Input.QUALITY
    assert set(live.columns) - set(plain.columns) == {Market(MarketColumn.QUALITY, Interval.M1)}


@pytest.mark.parametrize(
    "rule", ['quality != "gap" and close > 1', 'close > 1 or quality == "stale"', 'count_of(quality == "live", 3) > 2']
)
def test_a_rule_that_reads_quality_decides_about_it_itself(rule):
    assert plan(spec(rule, requires_live=True)) == plan(spec(rule))


def test_the_time_and_other_instruments_decide_nothing():
    planned = plan(spec('hour == 9 and close["X"] > 1 and bid > 2'))
    assert planned.inputs == Input.QUOTE


def test_a_column_of_another_instrument_says_what_it_needs_over_there():
    planned = plan(spec('close > bbands_upper(20)["X"] and last["X"] > 1'))
    (bands, last) = planned.elsewhere
    assert [key(column) for column in planned.elsewhere[bands]] == [
        "close@1m", "sma(20)@1m", "stdev(20)@1m", "bbands_upper(20, 2)@1m",
    ]  # fmt: skip
    assert planned.elsewhere[last] == (Market(MarketColumn.LAST, Interval.M1),)
    assert set(planned.elsewhere) < set(planned.columns)
    assert "sma(20)@1m" not in columns(planned)


@pytest.mark.parametrize("rule", ["count_of(not (close > 1 or open > 2), 3) > 1", "not bars_since(not close > 1) > 2"])
def test_conditions_come_without_not_also_inside_a_count(rule):
    def walk(node):
        for operand in operands(node):
            yield operand
            yield from walk(operand)

    planned = plan(spec(rule))
    truths = [node for column in planned.columns for node in walk(column) if isinstance(node, Truth)]
    assert truths
    for condition in (planned.condition, *(truth.condition for truth in truths)):
        assert "Not(" not in repr(condition)
