"""What traders have done, found a piece at a time, is what the engine and the host say of them."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traders.strategies.hosting import Hosting, sample
from tests.traders.tapes import Tape, engine, trader
from tickfloor.contracts.commands import Measure, OwnRuleReport, RankTraders, ReportTrader
from tickfloor.traders import survey as pieces
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.surveys import Surveys

RULES = ("last > 100", "close > sma(3)", "close > open and sma(3) > sma(5)", "rsi(2) < 30 or close > 1.01 * sma(3)")


def trades(seed, count=40):
    random, market = Random(seed), Tape()
    for second in range(count):
        market.trade(second, random.uniform(99, 101), row=random.randrange(2))
    return market.bytes()


class Worker:
    """A group with its engine and host."""

    def __init__(self, *specs):
        self.engine = engine()
        self.hosting = Hosting()
        self.group = TraderGroup(self.engine, self.hosting.host())
        assert self.group.sync(specs, revision=1) == {}

    def surveyed(self):
        found = self.group.survey()
        while found.step():
            pass
        return found


@pytest.fixture(params=[1, 3, 100])
def piece(request, monkeypatch):
    monkeypatch.setattr(pieces, "_PIECE", request.param)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(RULES), max_size=8), st.integers(0, 1000), st.integers(1, 9))
def test_it_is_what_the_engine_says_of_every_rule(rules, seed, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_PIECE", size)
        worker = Worker(*(trader(rule, f"t{number}") for number, rule in enumerate(rules)))
        worker.group.process(trades(seed))
        found = worker.surveyed()
    engine = worker.engine
    expected = {name: engine.tally(name) for name in engine.names}
    works = {name: engine.work(name) for name in engine.names}
    reports = {each.name: each for each in found.first(Measure.TIME, 100)}
    assert reports.keys() == expected.keys()
    for name, report in reports.items():
        assert (report.evaluations, report.matches, report.signals) == expected[name]
        share = works[name] / sum(works.values())
        assert report.busy_seconds == pytest.approx(share * engine.busy_ns / 1e9, abs=2e-9)
        assert found.report(name) == report
    assert sum(report.share for report in reports.values()) == pytest.approx(1.0 if rules else 0.0)


def test_counts_are_those_of_the_tape(piece):
    market = Tape()
    for second, price in enumerate([99.0, 101.0, 102.0, 98.0, 103.0]):
        market.trade(second, price)
    worker = Worker(trader("last > 100", "t"), trader("last > 100", "cool", cooldown_ns=10**12))
    worker.group.process(market.bytes())
    found = worker.surveyed()
    report = found.report("t")
    assert (report.evaluations, report.matches, report.signals, report.strategy) == (5, 2, 2, None)
    assert found.report("cool").signals == 1
    assert found.report("nobody") is None


def test_the_first_by_each_measure_come_first_and_equal_ones_as_they_came(piece):
    market = Tape()
    for second, price in enumerate([99.0, 101.0, 99.0, 101.0, 103.0]):
        market.trade(second, price)
    slow = trader("sma(3) > sma(5) and sma(7) > sma(9) and sma(2) > 1e9", "slow")
    once = trader("last > 102", "once")
    cooled = trader("last > 100", "cooled", cooldown_ns=10**12)
    twice = trader("last > 100", "twice")
    worker = Worker(once, slow, cooled, twice)
    worker.group.process(market.bytes())
    found = worker.surveyed()

    def names(by, most=4):
        return [each.name for each in found.first(by, most)]

    assert names(Measure.MATCHES) == ["cooled", "twice", "once", "slow"]
    assert names(Measure.SIGNALS) == ["twice", "once", "cooled", "slow"]
    assert names(Measure.TIME, 1) == ["slow"]
    assert names(Measure.SIGNALS, 2) == ["twice", "once"]


def test_a_strategy_has_its_calls_and_its_rules_figures(piece):
    worker = Worker(sample("Listening", "s"), trader("last > 100", "t"))
    market = Tape()
    for second, price in enumerate([99.0, 101.0, 102.0, 98.0, 103.0]):
        market.trade(second, price)
    worker.group.process(market.bytes())
    found = worker.surveyed()
    assert [each.name for each in found.first(Measure.MATCHES, 9)] == ["s", "t"]
    report = found.report("s")
    assert (report.evaluations, report.matches, report.signals) == (10, 2, 2)
    done = report.strategy
    assert (done.state, done.calls, done.failures, done.held_back, done.mean_us) == ("running", 7, 0, 0, 0.0)
    assert done.rules == (
        OwnRuleReport(name="dear", rule="last > 100", evaluations=5, matches=2),
        OwnRuleReport(name="rising", rule="close > sma(3)", evaluations=5, matches=0),
    )
    assert found.report("s/dear") is None
    other = found.report("t")
    assert report.busy_seconds > other.busy_seconds
    assert report.share + other.share == pytest.approx(1.0)


def test_a_strategy_s_mean_is_of_its_calls_in_this_worker():
    worker = Worker(sample("Listening", "s"))
    worker.group.process(trades(1, 5))
    successor = Worker(sample("Listening", "s"))
    successor.group.restore([worker.group.checkpoint()])
    (running,) = successor.group._strategies.roster
    market = trades(1, 7)
    successor.group.process(market[len(market) // 7 * 5 :])
    assert running.statistics().calls > running._meter.calls > 0
    running._meter.spent_ns = 1_500 * running._meter.calls
    assert successor.surveyed().report("s").strategy.mean_us == pytest.approx(1.5)


def test_a_strategy_that_is_stopped_for_good_says_why(piece):
    worker = Worker(sample("Failing", "s"))
    market = Tape()
    for second in range(10):
        market.trade(second, 101.0)
    worker.group.process(market.bytes())
    done = worker.surveyed().report("s").strategy
    assert (done.state, done.failures) == ("failed", 10)
    assert "failed 10 times in a row" in done.last_failure


def test_traders_may_go_and_come_while_it_goes_on(monkeypatch):
    monkeypatch.setattr(pieces, "_PIECE", 1)
    listening = sample("Listening", "s")
    specs = [trader(rule, f"t{number}") for number, rule in enumerate(RULES)]
    worker = Worker(*specs, listening)
    worker.group.process(trades(3))
    found = worker.group.survey()
    assert found.step()
    assert worker.group.sync([specs[0], trader("last > 3", "new")], revision=2) == {}
    while found.step():
        pass
    assert found.report("new") is None
    assert found.report("t0").evaluations > 0
    assert found.report("s").strategy is None
    assert {each.name for each in found.first(Measure.TIME, 9)} == {"t0", "t1", "t2", "t3", "s"}


def test_without_traders_there_is_nothing():
    assert Worker().surveyed().first(Measure.TIME, 9) == ()


def test_what_is_asked_for_is_answered_in_order_a_piece_at_each_step(monkeypatch):
    monkeypatch.setattr(pieces, "_PIECE", 2)
    worker = Worker(*(trader(rule, f"t{number}") for number, rule in enumerate(RULES)))
    worker.group.process(trades(4))
    answers = []
    surveys = Surveys(worker.group, lambda *answer: answers.append(answer))
    assert not surveys
    surveys.ask(1, ReportTrader(name="t1"))
    surveys.ask(2, ReportTrader(name="nobody"))
    surveys.ask(3, RankTraders(by=Measure.MATCHES, most=2))
    steps = 0
    while surveys:
        surveys.step()
        steps += 1
        assert len(answers) == steps // 2
    assert [sequence for sequence, _, _ in answers] == [1, 2, 3]
    (_, one, _), (_, none, error), (_, ranked, _) = answers
    assert [each.name for each in one.reports] == ["t1"]
    assert (none, error) == (None, "no trader nobody runs here; ask for one that does")
    assert len(ranked.reports) == 2
