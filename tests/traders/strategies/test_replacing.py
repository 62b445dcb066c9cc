"""A strategy's file changes while it runs: the new one goes on where the old one was, or the old one goes on."""

from pathlib import Path

import pytest

from tests.traders.strategies.hosting import Hosting
from tests.traders.tapes import Tape, engine, trader
from tickfloor.contracts.traders import TraderSpec, code_digest
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.plans import TradersRefusedError

CODE = """
from tickfloor.traders.strategies.strategy import Strategy

CALLS = __import__("tests.traders.strategies.witness").traders.strategies.witness.seen


class Mine(Strategy):
    rules = {{"dear": "last > {limit}", "any": "last > 0"}}

    def on_start(self, context):
        CALLS.append(("start", {version}))
        self.ticks = 0

    def on_tick(self, tick):
        self.ticks += 1
        self.signal(tick.instrument, version={version}, ticks=self.ticks)

    def on_signal(self, signal):
        CALLS.append((signal.rule, {version}))

    def on_stop(self):
        CALLS.append(("stop", {version}))

    def save(self):
        return {{"ticks": self.ticks}}

    def restore(self, state):
        self.ticks = state["ticks"]
"""


class File:
    """A strategy's file, and the trader that runs it as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.revision = 0

    def write(self, text: str = CODE, **how) -> TraderSpec:
        self.path.write_text(text.format(**{"version": 1, "limit": 100} | how))
        self.revision += 1
        return TraderSpec(
            name="s",
            strategy=f"{self.path}:Mine",
            strategy_digest=code_digest(self.path.read_bytes()),
            revision=self.revision,
            requires_live=False,
        )


@pytest.fixture
def file(tmp_path):
    return File(tmp_path / "my.py")


@pytest.fixture
def calls():
    from tests.traders.strategies import witness

    witness.seen.clear()
    return witness.seen


class Market:
    """A tape and a group that is given it, trade by trade."""

    def __init__(self, *specs: TraderSpec, hosting: Hosting | None = None) -> None:
        self.tape = Tape()
        self.hosting = hosting or Hosting()
        self.group = TraderGroup(engine(), self.hosting.host())
        assert self.group.sync(specs, revision=1) == {}

    def trade(self, price: float):
        self.tape.trade(len(self.tape.records), price)
        return [
            (signal.trader, signal.revision, signal.values)
            for signal in self.group.process(self.tape.records[-1])
            if signal.trader == "s"
        ]


def test_the_new_one_is_started_first_and_goes_on_from_what_the_old_one_has_kept(file, calls):
    market = Market(file.write())
    assert market.trade(1.0) == [("s", 1, {"version": 1.0, "ticks": 1.0})]
    market.group.put(file.write(version=2), revision=2)
    assert calls == [("start", 1), ("any", 1), ("start", 2), ("stop", 1)]
    assert market.trade(1.0) == [("s", 2, {"version": 2.0, "ticks": 2.0})]


def test_rules_that_stay_are_not_disturbed_and_those_that_change_begin(file, calls):
    market = Market(file.write(), trader("last > 1", "t"))
    market.trade(200.0)
    calls.clear()
    market.group.put(file.write(version=2, limit=150), revision=2)
    market.trade(200.0)
    # What matches already is no news of the rule that stays, and it is of the one that has changed.
    assert calls == [("start", 2), ("stop", 1), ("dear", 2)]
    assert market.group._engine.statistics().traders == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = (", ":1: '(' was never closed"),
        ("import no_such_module", "No module named 'no_such_module'"),
        (CODE.replace("class Mine", "class Yours"), "there is no class 'Mine' in it"),
        (CODE.replace("last > 0", "lastt > 0"), "unknown"),
        (CODE.replace("self.ticks = 0", "self.ticks = 1 / 0"), "cannot start: ZeroDivisionError"),
        (CODE.replace('state["ticks"]', 'state["tocks"]'), "cannot start: KeyError: 'tocks'"),
    ],
)
def test_a_file_that_cannot_run_leaves_the_old_one_running(file, calls, text, reason):
    market = Market(file.write())
    market.trade(1.0)
    held = market.group.held
    with pytest.raises(TradersRefusedError) as caught:
        market.group.put(file.write(text, version=2), revision=2)
    assert reason in caught.value.refused["s"]
    assert market.group.held == held
    assert ("stop", 1) not in calls
    assert market.trade(200.0) == [("s", 1, {"version": 1.0, "ticks": 2.0})]
    assert calls[-1] == ("dear", 1)
    assert not [line for line in market.hosting.log.lines if line[0] == "error"]


def test_a_file_that_changes_once_more_is_not_run(file):
    spec = file.write()
    market = Market(spec)
    newer = file.write(version=2)
    file.write(version=3)
    with pytest.raises(TradersRefusedError, match="has changed since it was read"):
        market.group.put(newer, revision=2)
    assert market.trade(1.0) == [("s", 1, {"version": 1.0, "ticks": 1.0})]


def test_one_that_was_stopped_for_good_is_replaced_by_one_that_runs(file, calls):
    broken = CODE.replace("self.ticks += 1", "self.ticks += 1 / 0")
    market = Market(file.write(broken))
    for _ in range(11):  # what the first one makes a rule say is taken
        market.trade(1.0)
    assert market.group.held.count == 0
    market.group.put(file.write(version=2), revision=2)
    assert market.group.held.count == 1
    assert market.trade(1.0) == [("s", 2, {"version": 2.0, "ticks": 1.0})]


def test_while_effects_are_stopped_the_new_one_waits_with_the_old_one_s_state(file, calls):
    hosting = Hosting()
    market = Market(file.write(), hosting=hosting)
    market.trade(1.0)
    market.group.checkpoint()
    calls.clear()
    hosting.effects.allowed = False
    market.group.put(file.write(version=2), revision=2)
    assert market.trade(1.0) == []
    assert calls == []
    hosting.effects.allowed = True
    assert market.trade(1.0) == [("s", 2, {"version": 2.0, "ticks": 2.0})]


def test_a_worker_that_dies_before_its_next_checkpoint_goes_on_with_the_new_one(file):
    market = Market(file.write())
    market.trade(1.0)
    saved = market.group.checkpoint()
    successor = Market(file.write(version=2))
    successor.group.restore([saved])
    successor.tape = market.tape
    assert successor.trade(1.0) == [("s", 2, {"version": 2.0, "ticks": 2.0})]


def test_a_rule_may_take_the_place_of_a_strategy_and_the_other_way_round(file, calls):
    spec = file.write()
    market = Market(spec)
    market.group.put(trader("last > 1", "s"), revision=2)
    assert calls[-1] == ("stop", 1)
    assert market.group._engine.statistics().traders == 1
    market.group.put(spec, revision=3)
    assert market.group._engine.statistics().traders == 2
    assert market.group.held.count == 1
