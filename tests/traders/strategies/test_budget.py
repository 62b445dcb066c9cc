"""Calls are measured by clocks that the test turns."""

import pytest

from tests.traders.strategies import witness
from tests.traders.strategies.hosting import Hosting, one, sample
from tests.traders.tapes import Tape
from tickfloor.traders.strategies.budget import SLOW_CALLS, WINDOW, Budget, CallMeter, Clocks
from tickfloor.traders.strategies.statistics import StrategyState

MS = 1_000_000


class Time:
    """A clock and a processor's time."""

    def __init__(self):
        self.wall = self.cpu = 0

    def run(self, ms):
        """Use the processor."""
        self.wall += int(ms * MS)
        self.cpu += int(ms * MS)

    def wait(self, ms):
        """Do without it."""
        self.wall += int(ms * MS)


@pytest.fixture
def time():
    return Time()


def meter(time, **budget):
    return CallMeter(Budget(**budget), Clocks(lambda: time.wall, lambda: time.cpu))


def call(made, action):
    made.begin()
    action()
    return made.end()


def test_the_third_slow_call_of_a_window_is_too_many(time):
    made = meter(time)
    said = [call(made, lambda: time.run(51)) for _ in range(SLOW_CALLS)]
    assert said[:-1] == ["", ""]
    assert said[-1] == (
        "3 of 3 calls took too long, the last one 51 ms of processor time in 51 ms; "
        "its budget is 50 ms, or 10 times that by the clock"
    )
    assert (made.calls, made.slow, made.spent_ns) == (3, 3, 153 * MS)


def test_slow_calls_that_are_far_apart_are_no_breach(time):
    made = meter(time)
    for number in range(10 * WINDOW):
        assert call(made, lambda: time.run(60 if number % (WINDOW // 2) == 0 else 0.1)) == ""  # noqa: B023
    assert made.slow == 20


def test_a_call_that_did_not_get_the_processor_is_not_slow(time):
    made = meter(time)
    for _ in range(10):
        assert call(made, lambda: (time.run(0.5), time.wait(400))) == ""
    assert (made.slow, made.spent_ns) == (0, 5 * MS)


def test_a_call_that_waits_ten_times_as_long_is_slow(time):
    made = meter(time)
    assert [call(made, lambda: time.wait(501)) != "" for _ in range(3)] == [False, False, True]


def test_what_others_use_between_calls_is_not_the_call_s(time):
    made = meter(time)
    for _ in range(100):
        assert call(made, lambda: time.run(10)) == ""
        time.run(0.9)
    assert made.spent_ns == 1_000 * MS


def test_a_mean_above_the_budget_is_said_when_its_window_is_full(time):
    made = meter(time, max_mean_us=200)
    said = [call(made, lambda: time.run(0.25)) for _ in range(WINDOW)]
    assert not any(said[:-1])
    assert said[-1] == "1,000 calls took 250 us each on the mean; its budget is 200 us"


def test_a_mean_within_the_budget_is_not_carried_over(time):
    made = meter(time, max_mean_us=200)
    for number in range(5 * WINDOW):
        assert call(made, lambda: time.run(0.39 if number % 2 else 0.0)) == ""  # noqa: B023


# In a host


@pytest.fixture
def hosting():
    witness.seen.clear()
    witness.do.clear()
    return Hosting()


def ticks(count):
    tape = Tape()
    for second in range(count):
        tape.trade(second, 1.0)
    return tape


def test_a_strategy_that_breaks_its_budget_is_stopped_for_good_and_its_signals_stand(hosting):
    def slow(tick):
        next(each for name, each in witness.seen if name == "strategy").signal(tick.instrument)
        hosting.wall_ns += 60 * MS
        hosting.cpu_ns += 60 * MS

    witness.do["tick"] = slow
    host = hosting.host(sample("Witness"), sample("Silent", name="other"))
    assert len(host.process(ticks(5).bytes())) == SLOW_CALLS
    other, slow_one = host.statistics().strategies
    assert (slow_one.state, slow_one.calls, slow_one.slow_calls) == (StrategyState.FAILED, 3, 3)
    assert host.roster.failed() == {"s": slow_one.last_failure}
    assert slow_one.last_failure.startswith("3 of 3 calls took too long, the last one 60 ms")
    assert other.state is StrategyState.RUNNING
    assert hosting.log.lines == [
        ("error", "a strategy is stopped for good", {"trader": "s", "error": host.roster.failed()["s"]})
    ]
    successor = hosting.host(sample("Witness"), sample("Silent", name="other"))
    successor.restore([host.checkpoint()])
    assert successor.roster.failed() == host.roster.failed()


def test_saving_counts_as_a_call(hosting):
    def slow(_):
        hosting.wall_ns += 60 * MS
        hosting.cpu_ns += 60 * MS

    witness.do["save"] = slow
    host = hosting.host(sample("Witness"))
    tape = ticks(3)
    for record in tape.records:
        host.process(record)
        host.checkpoint()
    assert "took too long" in one(host).last_failure


WITH_BUDGET = """
from tickfloor.traders.strategies.budget import Budget
from tickfloor.traders.strategies.strategy import Strategy

SEEN = []


class Mine(Strategy):
    budget = {budget}

    def on_tick(self, tick):
        SEEN.append(bytearray(1 << 18))
"""


def test_a_strategy_s_own_budget_of_memory_is_looked_at_every_ten_seconds(hosting, tmp_path):
    path = tmp_path / "my.py"
    path.write_text(WITH_BUDGET.format(budget="Budget(max_memory_mib=1)"))
    host = hosting.host(sample("Mine", strategy=f"{path}:Mine"))
    host.checkpoint()
    tape = ticks(5)
    host.process(tape.bytes())
    host.checkpoint()
    assert one(host).state is StrategyState.RUNNING
    hosting.wall_ns = 10_000_000_000
    blamed = len(hosting.vitals.entered)
    saved = host.checkpoint()
    assert len(hosting.vitals.entered) > blamed
    assert one(host).last_failure == "keeps some 1.3 MiB of memory; its budget is 1 MiB"
    assert one(host).kept_bytes == pytest.approx(5 << 18, rel=0.05)
    successor = hosting.host(sample("Mine", strategy=f"{path}:Mine"))
    successor.restore([saved])
    assert successor.roster.failed() == host.roster.failed()


def test_a_budget_that_is_none_is_said(hosting, tmp_path):
    path = tmp_path / "my.py"
    path.write_text(WITH_BUDGET.format(budget="{'max_memory_mib': 1}"))
    host = hosting.host(sample("Mine", strategy=f"{path}:Mine"))
    assert one(host).last_failure == "cannot start: StrategyError: Mine.budget must be a Budget, not dict"
