"""A strategy's file is loaded once for each trader, and what is wrong with it is said with its line."""

import sys

import pytest

from tests.traders.strategies.hosting import SAMPLES, Blamed, sample
from tickfloor.contracts.commands import RuleProblem
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.traders import TraderSpec, code_digest, trader_number
from tickfloor.traders.check import check_traders
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.loader import LoadedStrategy

GOOD = "from tickfloor.traders.strategies.strategy import Strategy\n\n\nclass Mine(Strategy):\n    pass\n"


@pytest.fixture
def write(tmp_path):
    def write(text, **how):
        path = tmp_path / "my.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return TraderSpec(name="mine", strategy=f"{path}:Mine", **how)

    return write


def loaded_modules():
    return [name for name in sys.modules if name.startswith("tickfloor_strategy_")]


def test_each_trader_has_a_module_of_its_own_until_it_is_unloaded(write):
    before = loaded_modules()
    first, second = LoadedStrategy(write(GOOD)), LoadedStrategy(write(GOOD))
    assert first.make is not second.make
    assert len(loaded_modules()) == len(before) + 2
    first.unload()
    second.unload()
    assert loaded_modules() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Mine(\n", ":1: '(' was never closed"),
        ("x = 1\ny = 1 +\n", ":2: invalid syntax"),
        (b"x = '\xff'\n", ":1: (unicode error) 'utf-8' codec can't decode byte 0xff"),
        (b"x = '\0'\n", ": "),
        (GOOD.replace("Mine", "Yours"), ": there is no class 'Mine' in it"),
        ("class Mine:\n    pass\n", ": Mine is no subclass of tickfloor.traders.strategies.strategy.Strategy"),
        ("Mine = 7\n", ": Mine is no subclass of"),
        ("from tickfloor.traders.strategies.strategy import Strategy as Mine\n", ": Mine is no subclass of"),
        (GOOD.replace("pass", "async def on_bar(self, bar): pass"), ": Mine.on_bar must not be async"),
        ("x = 1\nx / 0\n", ":2: ZeroDivisionError: division by zero"),
        ("import no_such_module\n", ":1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f():\n    raise SystemExit(1)\n\nf()\n", ":2: SystemExit: 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(write, tmp_path, text, message):
    before = loaded_modules()
    with pytest.raises(StrategyError) as caught:
        LoadedStrategy(write(text))
    assert str(caught.value).startswith(f"{tmp_path / 'my.py'}{message}")
    assert loaded_modules() == before


def test_a_file_that_is_not_there_or_has_no_absolute_path_is_refused(tmp_path):
    for path, message in ((f"{tmp_path}/none.py", "there is no strategy file"), ("my.py", "is no absolute path")):
        with pytest.raises(StrategyError, match=message):
            LoadedStrategy(TraderSpec(name="mine", strategy=f"{path}:Mine"))


def test_a_file_that_has_changed_since_it_was_read_is_not_run(write):
    LoadedStrategy(write(GOOD, strategy_digest=code_digest(GOOD.encode()))).unload()
    changed = write("raise AssertionError\n", strategy_digest=code_digest(GOOD.encode()))
    with pytest.raises(StrategyError, match="has changed since it was read; tickfloor traders reload runs it"):
        LoadedStrategy(changed)


# What a class declares

DECLARING = """
from tickfloor.traders.strategies.strategy import Strategy


class Mine(Strategy):
    {declared}

    def on_signal(self, signal):
        pass
"""


@pytest.mark.parametrize(
    ("declared", "text", "column", "message", "hint"),
    [
        ("columns = {'fast': 'emaa(12)'}", "emaa(12)", 1, "Mine.columns['fast'], column 1: unknown function", "`ema`"),
        ("columns = {'fast': '1 + emaa(12)'}", "1 + emaa(12)", 5, "column 5: unknown function `emaa`", "`ema`"),
        ("columns = {'fast': '  sma(0)'}", "  sma(0)", 7, "the period is from 1 to 5,000", ""),
        ("columns = {'fast': 'sma('}", "sma(", None, "Mine.columns['fast']", ""),
        ("columns = {'fast': ''}", "", 1, "is empty", ""),
        ("columns = {'fast': '1) > 0 or (close'}", "1) > 0 or (close", None, "Mine.columns['fast']", ""),
        ("columns = {'fast': 'close > 3'}", "close > 3", 1, "Mine.columns['fast']", ""),
        ("columns = {'fast': '30'}", "30", 1, "reads no column", ""),
        ("columns = {'fast': 'close.real'}", "close.real", None, "no attributes", ""),
        ("columns = {'fast': 'x' * 2001}", "x" * 2001, 2001, "2,001 characters", ""),
        ("rules = {'low': 'rsi(14) < thirty'}", "rsi(14) < thirty", 11, "Mine.rules['low'], column 11: unknown", ""),
        ("rules = {'low': 'rsi(14)'}", "rsi(14)", 1, "a number where a condition is needed", "rsi(14) > 0"),
    ],
)
def test_what_is_no_column_or_rule_is_shown_with_its_column(write, declared, text, column, message, hint):
    before = loaded_modules()
    spec = write(DECLARING.format(declared=declared))
    vitals = Blamed()
    (problem,) = check_traders([spec], vitals).problems
    assert vitals.now == 0
    assert (problem.trader, problem.text) == ("mine", text)
    assert 1 <= problem.column <= len(text) + 1
    assert column in (None, problem.column)
    assert message in problem.message
    assert hint in problem.hint
    assert loaded_modules() == before
    with pytest.raises(RuleError):
        LoadedStrategy(spec)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("columns = ['ema(12)']", "Mine.columns must be a dict of texts by name, not list"),
        ("columns = {7: 'ema(12)'}", "Mine.columns: 7 is no name"),
        ("columns = {'': 'ema(12)'}", "Mine.columns: '' is no name"),
        ("rules = {'a\\n': 'last > 1'}", "is no name; use 1 to 100 printable characters"),
        ("rules = {'a': 7}", "Mine.rules['a'] must be a text, not int"),
        ("rules = {str(n): 'last > 1' for n in range(101)}", "Mine.rules has 101 entries; at most 100 are kept"),
    ],
)
def test_what_is_declared_in_another_way_is_refused(write, declared, message):
    (problem,) = check_traders([write(DECLARING.format(declared=declared))]).problems
    assert message in problem.message


def test_rules_that_nobody_would_hear_of_are_refused(write):
    declared = "rules = {'low': 'last > 1'}"
    spec = write(DECLARING.format(declared=declared).replace("on_signal", "on_bar"))
    with pytest.raises(StrategyError, match="Mine declares rules and has no on_signal to hear of them"):
        LoadedStrategy(spec)


def test_what_is_declared_is_there_when_the_file_is_loaded(write):
    declared = "rules = {'low': 'rsi(14) < 30'}; columns = {'fast': 'ema(12)'}"
    spec = write(DECLARING.format(declared=declared), symbols=("BTC*",), interval="5m", revision=7)
    loaded = LoadedStrategy(spec)
    loaded.unload()
    assert loaded.declared.columns == {"fast": "ema(12)"}
    assert loaded.declared.rules == {
        "low": TraderSpec(name="mine/low", rule="rsi(14) < 30", symbols=("BTC*",), interval="5m")
    }


# The check of all traders


def test_a_check_says_of_every_strategy_whether_it_can_run(tmp_path):
    rule = TraderSpec(name="rule", rule="last > 1")
    specs = [
        rule,
        sample("Silent", name="good"),
        sample("NotAClass", name="object"),
        sample("Stranger", name="stranger"),
        sample("Silent", name="interval", interval="7m"),
        sample("Silent", name="both", rule="last > 1"),
        TraderSpec(name="missing", strategy=f"{tmp_path}/my.py:Mine"),
        TraderSpec(name="neither"),
    ]
    checked = check_traders(specs)
    assert checked.columns == {"rule": (), "good": ()}
    said = {problem.trader: problem.message for problem in checked.problems}
    assert said.keys() == {"object", "stranger", "interval", "both", "missing", "neither"}
    assert said["interval"] == 'interval "7m" is none of 1m, 5m, 15m, 1h, 4h, 1d'
    assert said["both"] == "it has a rule and a strategy; a trader has one of them"
    assert checked.problems[-2] == RuleProblem(
        trader="missing",
        text=f"{tmp_path}/my.py:Mine",
        column=1,
        message=f"there is no strategy file {tmp_path}/my.py",
        hint="",
    )
    assert f"{SAMPLES}: NotAClass is no subclass" in said["object"]


def test_a_strategy_needs_the_columns_of_all_that_it_declares(write):
    declared = "rules = {'low': 'rsi(14) < 30 and close > 1'}; columns = {'fast': 'ema(12) - ema(26, \"1h\")'}"
    checked = check_traders([write(DECLARING.format(declared=declared), interval="5m")])
    assert checked.problems == ()
    assert checked.columns == {"mine": ("close@1h", "close@5m", "ema(12)@5m", "ema(26)@1h", "rsi(14)@5m")}


def test_a_check_blames_the_trader_whose_file_is_run():
    vitals = Blamed()
    specs = [sample("Silent", name="a"), sample("Nobody", name="b"), TraderSpec(name="c", rule="last > 1")]
    check_traders(specs, vitals)
    assert vitals.entered == [trader_number("a"), trader_number("b")]
    assert vitals.now == 0
