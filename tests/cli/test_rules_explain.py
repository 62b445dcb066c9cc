"""`tickfloor rules explain` as a user runs it."""

import re

import pytest

from tests.floor.commands import tickfloor

RULES = """
[rules]
is_low = "rsi({length=14}) < 30"
[[trader]]
name = "oversold"
rule = "is_low(length=7) and quality == 'live'"
[[trader]]
name = "dip\\u001b"
rule = "close < 0.98 * sma(20) and rsi(7) < 50"
when = "close"
"""


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def test_a_rule_is_explained(rules):
    done = tickfloor(rules, "rules", "explain", "rsi(7) < 30 and not close > sma(20)", "--rules", "rules.toml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == 'condition   rsi(7) < 30 and close <= sma(20) and quality == "live"'
    assert lines[1] == "decided at  trades, changes of quality"
    assert lines[2] == "known       in all its parts after 20 1m bars (20 min)"
    assert lines[3:6] == ["indexed     rsi(7) < 30", 'indexed     quality == "live"', "evaluated   close <= sma(20)"]
    table = [re.sub(r" {2,}", "|", line) for line in lines[7:12]]
    assert table[0] == "column|bars|kind|known with|ns|shared with"
    assert re.fullmatch(r"close\|1m\|bar\|1 bar\|–\|oversold, dip\\x1b", table[1])
    assert re.fullmatch(r"rsi\(7\)\|1m\|indicator\|8 bars\|[\d,]+\|oversold, dip\\x1b", table[2])
    assert re.fullmatch(r"sma\(20\)\|1m\|indicator\|20 bars\|[\d,]+\|dip\\x1b", table[3])
    ends = [re.sub(r"[\d,]+ ns", "N ns", line) for line in lines[-3:]]
    assert ends == [
        "2 computed columns: N ns an update on this machine",
        "1 evaluated comparison: N ns when a column of theirs has changed",
        "2 computed columns shared with other traders, which saves N ns",
    ]


def test_a_long_wait_is_said_in_whole_days(rules):
    done = tickfloor(rules, "rules", "explain", 'close > sma(4000, "1d") and close > sma(20)', "--rules", "rules.toml")
    assert "known       in all its parts after 4,000 1d bars (4,000 d)" in done.out.splitlines()


def test_what_is_not_shared_saves_nothing(rules):
    done = tickfloor(rules, "rules", "explain", "rsi(9) < 30", "--rules", "rules.toml")
    assert done.out.splitlines()[-1] == "0 computed columns shared with other traders"


def test_a_trader_of_the_file_is_explained_beside_the_others(rules):
    found = tickfloor(rules, "rules", "explain", "oversold", "--rules", "rules.toml", "--json").json
    assert found["condition"] == 'rsi(7) < 30 and quality == "live"'
    assert {column["text"]: column["shared_with"] for column in found["columns"]} == {
        "close": ["dip\x1b"],
        "rsi(7)": ["dip\x1b"],
        "quality": ["dip\x1b"],
    }


def test_a_rule_uses_the_named_rules_of_the_file(rules):
    words = ("--rules", "rules.toml")
    found = tickfloor(rules, "rules", "explain", "is_low(length=9) or close > 3", *words, "--json").json
    assert found["condition"] == '(rsi(9) < 30 or close > 3) and quality == "live"'
    done = tickfloor(rules, "rules", "explain", "is_lo", *words)
    assert (done.code, done.out) == (4, "")
    assert "unknown column `is_lo`" in done.err
    assert "did you mean 'is_low'?" in done.err
    done = tickfloor(rules, "rules", "explain", "is_low(lenght=9)", *words)
    assert "rule `is_low` has no parameter `lenght`" in done.err


def test_options_change_it(rules):
    found = tickfloor(
        rules, "rules", "explain", "close > {level=5}", "--when", "close", "--interval", "1h", "--json"
    ).json
    assert (found["when"], found["interval"], found["decided_by"]) == ("close", "1h", ["closes of 1h bars"])
    assert (found["compared"], found["known_after_ms"]) == ([], 3_600_000)
    assert "close > 5" in found["condition"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["close > "], 4, "the rule cannot run"),
        (["close > {a}"], 4, "close > {a}"),
        (["close > 1", "--interval", "2m"], 2, "--interval must be one of"),
        (["close > 1", "--rules", "none.toml"], 3, "there is no rules file none.toml"),
        (["close > 1", "--rules", "bad.toml"], 4, "bad.toml:3:9: trader 'x': "),
    ],
)
def test_what_cannot_be_explained_is_said_with_its_code(rules, words, code, message):
    (rules / "bad.toml").write_text('[[trader]]\nname = "x"\nrule = "closs > 1"\n')
    done = tickfloor(rules, "rules", "explain", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
