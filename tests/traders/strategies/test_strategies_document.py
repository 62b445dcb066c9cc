"""docs/strategies.md: its example works, and it names everything that a strategy has."""

import re
from pathlib import Path

import pytest

from tests.traders.strategies.hosting import Hosting, one, sequences
from tests.traders.tapes import Tape
from tickfloor.cli.rules_file import RulesFile
from tickfloor.traders.check import check_traders
from tickfloor.traders.strategies.running import MAX_FAILURES_IN_ROW, MAX_SAVED, MAX_SIGNALS
from tickfloor.traders.strategies.said import MAX_VALUES
from tickfloor.traders.strategies.strategy import Strategy, StrategyContext
from tickfloor.traders.strategies.ticks import ClosedBar, Quote, Trade

DOCUMENT = (Path(__file__).parents[3] / "docs/strategies.md").read_text()
METHODS = [name for name in vars(Strategy) if not name.startswith("_") and name != "attach"]
FIELDS = [name for struct in (StrategyContext, Trade, Quote, ClosedBar) for name in struct.__struct_fields__]


@pytest.fixture
def spec(tmp_path):
    """The example's files, written down as the document says."""
    for kind, name in (("python", "my.py"), ("toml", "rules.toml")):
        (text,) = re.findall(rf"```{kind}\n(.*?)```", DOCUMENT, re.DOTALL)
        (tmp_path / name).write_text(text)
    (spec,) = RulesFile(tmp_path / "rules.toml").specs
    return spec


def test_the_example_passes_its_check(spec):
    assert check_traders([spec]).problems == ()


def test_the_example_signals_as_it_says_and_goes_on_in_another_worker(spec):
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
