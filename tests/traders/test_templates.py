"""Sub-rules and parameters: what they become, and where in the users' own text every character of it stands."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.parse import parse
from tickfloor.traders.language.plan import plan
from tickfloor.traders.language.templates import MOST_NESTED, Origin, TemplateError, expand, is_taken, is_value
from tickfloor.traders.language.vocabulary import MOST_CHARACTERS

RULES = {
    "oversold": "rsi({length=14}) < {level=30}",
    "dip": "oversold(length={length=7}) and close < sma({length}, {frame='1h'})",
    "fast": "ema({length=12})",
}


@pytest.mark.parametrize(
    ("rule", "parameters", "text"),
    [
        ("rsi({length=14}) < 30", {}, "rsi(14) < 30"),
        ("rsi({length=14}) < {length}", {}, "rsi(14) < 14"),
        ("rsi({length}) < 30 or sma({length=5}) > 1", {}, "rsi(5) < 30 or sma(5) > 1"),
        ("rsi({ length = 14 }) < {level}", {"length": 20, "level": -2.5}, "rsi(20) < -2.5"),
        ("rsi(14, {frame='15m'}) < 30", {}, "rsi(14, '15m') < 30"),
        ("rsi(14, {frame='15m'}) < 30", {"frame": "1h"}, 'rsi(14, "1h") < 30'),
        ("oversold", {}, "(rsi(14) < 30)"),
        ("oversold()", {}, "(rsi(14) < 30)"),
        ("not oversold(length=7) and close > 1", {}, "not (rsi(7) < 30) and close > 1"),
        ("oversold (level = 2e1 , length=7)", {}, "(rsi(7) < 2e1)"),
        ("oversold(length={n=9})", {}, "(rsi(9) < 30)"),
        ("oversold(length={n=9})", {"n": 3}, "(rsi(3) < 30)"),
        ("oversold(length=7)", {"length": 20, "level": 25}, "(rsi(7) < 25)"),
        ("oversold", {"length": 20}, "(rsi(20) < 30)"),
        ("dip", {}, "((rsi(7) < 30) and close < sma(7, '1h'))"),
        ("dip(length=5)", {}, "((rsi(5) < 30) and close < sma(5, '1h'))"),
        ("fast > fast(length=26)", {}, "(ema(12)) > (ema(26))"),
        ("crosses_above(fast, sma(fast, 3))", {}, "crosses_above((ema(12)), sma((ema(12)), 3))"),
        ('close["oversold"] > 1 and oversolds > 5e1', {}, 'close["oversold"] > 1 and oversolds > 5e1'),
        ("close > 1", {}, "close > 1"),
        ("", {}, ""),
    ],
)
def test_text_takes_the_place_of_text(rule, parameters, text):
    assert expand(rule, RULES, parameters).text == text


@pytest.mark.parametrize(
    ("rule", "parameters", "name", "column", "message", "hint"),
    [
        ("rsi({length}) < 30", {}, "", 5, "`length` has no value", "{length=14}"),
        ("rsi({length=14}) < {length=15}", {}, "", 20, "two defaults", "write {length}"),
        ("rsi({}) < 30", {}, "", 5, "no parameter", "for example"),
        ("rsi({1}) < 30", {}, "", 5, "no parameter", "for example"),
        ("rsi({length=close}) < 30", {}, "", 5, "no parameter", "for example"),
        ("rsi({length=14) < 30", {}, "", 5, "no parameter", "for example"),
        ("rsi(length}) < 30", {}, "", 11, "no parameter", "for example"),
        ("rsi(1{length=4}) < 30", {}, "", 6, "whole number or text", "quotes"),
        ("rsi({length=4}5) < 30", {}, "", 5, "whole number or text", "quotes"),
        ("rsi({length=4}{length}) < 30", {}, "", 5, "whole number or text", "quotes"),
        ("rsi(14, \"{frame='15m'}\") < 30", {}, "", 10, "whole number or text", "quotes"),
        ("rsi({length=14}) < 30", {"lenght": 3}, "", 1, "no parameter `lenght`", "`length`"),
        ("close > 1", {"level": 3}, "", 1, "no parameter `level`", "{level}"),
        ("close > 1 and oversold(lenght=7)", {}, "", 15, "`oversold` has no parameter `lenght`", "`length`"),
        ("oversold(7)", {}, "", 10, "given by name", "oversold(length=7"),
        ("oversold(length=7, length=8)", {}, "", 19, "given by name", "oversold(length=7"),
        ("oversold(length=sma(3))", {}, "", 10, "given by name", "oversold(length=7"),
        ("oversold(length=7 level=3)", {}, "", 18, "comma", ""),
        ("oversold(length=7", {}, "", 18, "comma", ""),
        ("oversold(length={n})", {}, "", 17, "`n` has no value", "{n=14}"),
        ("close > 1 and me", {}, "me", 11, "`me` uses itself", "me > me"),
        ("ping", {}, "pong", 5, "`ping` uses itself", "ping > pong > ping"),
        ("deep_0", {}, f"deep_{MOST_NESTED - 1}", 1, f"more than {MOST_NESTED} deep", ""),
        ("bomb_0", {}, "bomb_9", 9, "characters when everything is filled in", "split"),
        ("unfilled and close > 1", {}, "unfilled", 5, "`length` has no value", "{length=14}"),
        ("close > 1 " * 500, {}, "", MOST_CHARACTERS + 1, "at most 2,000 characters", ""),
    ],
)
def test_an_error_names_the_text_that_the_user_wrote_and_the_column_in_it(
    rule, parameters, name, column, message, hint
):
    rules = {
        **RULES,
        "me": "close and me",
        "ping": "pong",
        "pong": "not ping",
        "unfilled": "rsi({length}) < 3",
        **{f"deep_{number}": f"deep_{number + 1}" for number in range(20)},
        **{f"bomb_{number}": f"bomb_{number + 1} or bomb_{number + 1}" for number in range(9)},
        "bomb_9": "close > " + "1" * 300,
    }
    with pytest.raises(TemplateError) as caught:
        expand(rule, rules, parameters)
    error = caught.value
    assert (error.name, error.column) == (name, column)
    assert message in error.message
    assert hint in error.hint
    assert error.text == (rules[name] if name else rule)


def test_every_character_is_known_by_where_it_was_written():
    rule = "close > 1 and dip(length=5) or fast > {level=3}"
    expansion = expand(rule, RULES, {})
    assert expansion.text == "close > 1 and ((rsi(5) < 30) and close < sma(5, '1h')) or (ema(12)) > 3"
    places = {
        "close >": Origin("", 1),
        "((rsi": Origin("", 15),
        "(rsi": Origin("dip", 1),
        "rsi": Origin("oversold", 1),
        "30": Origin("oversold", RULES["oversold"].index("{level") + 1),
        "close < sma": Origin("dip", RULES["dip"].index("close") + 1),
        "'1h'": Origin("dip", RULES["dip"].index("{frame") + 1),
        "or (ema": Origin("", rule.index("or fast") + 1),
        "ema(12": Origin("fast", 1),
        "12))": Origin("fast", RULES["fast"].index("{") + 1),
        "> 3": Origin("", rule.index("> {level") + 1),
    }
    for text, origin in places.items():
        assert expansion.origin(expansion.text.index(text) + 1) == origin, text
    assert expansion.origin(expansion.text.index(") and") + 1) == Origin("oversold", len(RULES["oversold"]) + 1)
    assert expansion.origin(len(expansion.text) + 1) == Origin("", rule.index("{level") + 1)


@pytest.mark.parametrize(
    ("text", "column"),
    [("close >", 8), ("close > \n", 8), ("close > 1)", 11), ("close[1", 8), ("rsi(14 > 1", 1)],
)
def test_a_sub_rule_that_is_no_expression_is_at_fault_itself(text, column):
    expansion = expand("last > 1 and half", {"half": text}, {})
    with pytest.raises(RuleError) as caught:
        parse(expansion.text)
    assert expansion.origin(caught.value.column) == Origin("half", column)


@pytest.mark.parametrize("rule", ["[half", "half and (close > 1", "half and clse > 1"])
def test_what_is_wrong_around_a_sub_rule_is_not_its_fault(rule):
    expansion = expand(rule, {"half": 'close["("] > 1 or any_of(open > 1)'}, {})
    with pytest.raises(RuleError) as caught:
        plan(TraderSpec(name="t", rule=expansion.text))
    assert expansion.origin(caught.value.column).name == ""


PIECES = [
    "oversold", "dip", "me", "fast", "(", ")", ",", "length", "=", "7", "{", "}", "{length=14}", "{length}", " ",
    "'1h'", '"', "'", "and", "close", "\n", "(length=7)", "(length={length})", "\\", "{a='", "é",
]  # fmt: skip


@settings(max_examples=500, deadline=None, database=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.dictionaries(st.sampled_from(["length", "a"]), st.sampled_from([1, -2.5, "1h"])),
)
def test_any_text_is_filled_in_within_bounds_or_refused_with_its_place(rule, own, parameters):
    rules = {**RULES, "me": own}
    try:
        expansion = expand(rule, rules, parameters)
    except TemplateError as error:
        assert error.text == (rules[error.name] if error.name else rule)
        assert 1 <= error.column <= len(error.text) + 1
        return
    assert len(expansion.text) <= MOST_CHARACTERS
    assert "{" not in re.sub(r"'[^']*'|\"[^\"]*\"", "", expansion.text)
    for column in range(1, len(expansion.text) + 2):
        origin = expansion.origin(column)
        assert 1 <= origin.column <= len(rules[origin.name] if origin.name else rule) + 1


@pytest.mark.parametrize("value", [14, -2.5, 0, 1e299, "15m", "binance:BTCUSDT", "", "a b", "x" * 100])
def test_a_value_is_a_number_or_a_short_plain_text(value):
    assert is_value(value)


@pytest.mark.parametrize(
    "value", [True, None, [1], float("nan"), float("inf"), 1e300, 'a"b', "a'b", "a\\b", "a\nb", "{a}", "é", "x" * 101]
)
def test_what_cannot_stand_in_a_rule_is_no_value(value):
    assert not is_value(value)


@pytest.mark.parametrize("name", ["close", "quality", "volume_24h", "rsi", "hour", "any_of", "and", "lambda", "start"])
def test_names_of_the_language_are_taken(name):
    assert is_taken(name)
    assert not is_taken("oversold")
