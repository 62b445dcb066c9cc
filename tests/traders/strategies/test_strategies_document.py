"""docs/strategies.md: its example works, and it names everything that a strategy has."""

import dataclasses
import math
import re
from pathlib import Path

import pytest

from tests.traders.strategies.hosting import FakeColumns, Hosting, one, sequences
from tests.traders.tapes import Tape, engine
from tickfloor.cli.rules_file import RulesFile
from tickfloor.traders.check import check_traders
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.strategies.budget import SLOW_CALLS, WINDOW, Budget
from tickfloor.traders.strategies.declared import MOST_DECLARED
from tickfloor.traders.strategies.kept_memory import MOST_OBJECTS
from tickfloor.traders.strategies.raised_signals import MAX_SIGNALS
from tickfloor.traders.strategies.running import MAX_FAILURES_IN_ROW
from tickfloor.traders.strategies.said import MAX_VALUES
from tickfloor.traders.strategies.saved_state import MAX_SAVED
from tickfloor.traders.strategies.strategy import Strategy, StrategyContext
from tickfloor.traders.strategies.ticks import ClosedBar, Quote, RuleSignal, Trade

DOCUMENT = (Path(__file__).parents[3] / "docs/strategies.md").read_text()
METHODS = [name for name in vars(Strategy) if not name.startswith("_") and name != "attach"]
FIELDS = [name for struct in (Trade, Quote, ClosedBar, RuleSignal) for name in struct.__struct_fields__]
FIELDS += [field.name for field in dataclasses.fields(StrategyContext) if field.name != "read"]


@pytest.fixture
def specs(tmp_path):
    """The examples, written down as the document says: one trader each."""
    for text in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL):
        (tmp_path / re.match(r'"""(\w+\.py)"""', text)[1]).write_text(text)
    (tmp_path / "rules.toml").write_text("".join(re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)))
    return {spec.name: spec for spec in RulesFile(tmp_path / "rules.toml").specs}


def test_the_examples_pass_their_check(specs):
    assert check_traders(list(specs.values())).problems == ()
    assert len(specs) == 2


def test_the_first_example_signals_as_it_says_and_goes_on_in_another_worker(specs):
    spec = specs["momentum"]
    tape = Tape()
    tape.minutes([10.0, 11.0, 12.0, 13.0])
    tape.close(240, "1m")
    tape.quote(240, 14.0, 15.0)
    tape.trade(241, 12.5)
    handover = len(tape.records)
    tape.trade(242, 14.0)
    tape.trade(243, 15.0)
    hosting = Hosting()
    host, successor = hosting.host(spec), hosting.host(spec)
    assert host.process(b"".join(tape.records[:handover])) == []
    successor.restore([host.checkpoint()])
    for each in (host, successor):
        (signal,) = each.process(tape.bytes())
        assert sequences([signal]) == [handover]
        assert (signal.trader, signal.values) == ("momentum", {"price": 14.0, "close": 13.0})
        assert one(each).failures == 0


@pytest.mark.parametrize(("slow", "signals"), [(90.0, 1), (110.0, 0), (math.nan, 0)])
def test_the_second_example_signals_as_it_says(specs, slow, signals):
    tape = Tape()
    tape.quality(0, "live")
    for minute in range(20):  # falls, and rises again
        close = 100.0 - minute if minute < 17 else 90.0 + minute
        tape.trade(60 * minute, close - 0.5 if minute >= 17 else close + 0.5)
        tape.trade(60 * minute + 30, close)
        tape.close(60 * minute + 60, "1m")
    hosting = Hosting()
    hosting.columns = FakeColumns(lambda name, row, column: {"fast": 100.0, "slow": slow}[column])
    group = TraderGroup(engine(), hosting.host())
    assert group.sync([specs["dip"]], revision=1) == {}
    raised = group.process(tape.bytes())
    assert [(signal.trader, signal.values) for signal in raised] == signals * [("dip", {"close": 107.0})]
    # It was told either way: its rule is not what says no.
    assert one(group._strategies).calls == 20 + 1
    assert one(group._strategies).failures == 0


@pytest.mark.parametrize("name", [*METHODS, *FIELDS, "ts_start"])
def test_every_name_is_described(name):
    assert re.search(rf"`(self\.)?{name}[`(]", DOCUMENT)


def test_the_bounds_are_the_real_ones():
    assert f"{MAX_SIGNALS} times" in DOCUMENT
    assert f"at most {MAX_VALUES};" in DOCUMENT
    assert MAX_SAVED == 1 << 20
    assert "at most 1 MiB" in DOCUMENT
    assert MAX_FAILURES_IN_ROW == 10
    assert "ten failures in a row" in DOCUMENT
    for name in Budget.__struct_fields__:
        assert re.search(rf"\| `{name}` \| {getattr(Budget(), name):,g} \|", DOCUMENT)
    assert f"the third call in {WINDOW:,} that takes more" in DOCUMENT
    assert SLOW_CALLS == 3
    assert f"more than {MOST_OBJECTS:,} objects" in DOCUMENT
    assert f"At most {MOST_DECLARED} of each" in DOCUMENT
