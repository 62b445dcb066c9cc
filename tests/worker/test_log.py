import math
import os

import pytest

from tests.worker.clocks import VirtualClock
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.ports import LogPort
from tickfloor.worker.log import Log

LEVELS = ["debug", "info", "warning", "error"]


class Logged:
    """A log and its lines."""

    def __init__(self, **settings) -> None:
        self.clock = VirtualClock()
        self.lines: list[LogLine] = []
        self.log = Log("feed-1", self.lines.append, clock=self.clock, now=lambda: 1_700_000_000_000_000_000, **settings)

    @property
    def events(self) -> list[str]:
        return [line.event for line in self.lines]

    def say(self, level: str, times: int = 1) -> None:
        for _ in range(times):
            getattr(self.log, level)(level)


def test_it_is_what_domain_code_asks_for():
    port: LogPort = Logged().log
    port.info("feed ready")


def test_a_line_says_who_when_and_what():
    logged = Logged()
    logged.log.info("feed ready", correlation_id="tape:7", frames=3)
    assert logged.lines == [
        LogLine(
            ts=1_700_000_000_000_000_000,
            level="info",
            slot="feed-1",
            pid=os.getpid(),
            event="feed ready",
            fields={"frames": 3},
            correlation_id="tape:7",
        )
    ]


@pytest.mark.parametrize("least", LEVELS)
def test_lines_below_the_least_level_are_not_said(least):
    logged = Logged(least=least)
    for level in LEVELS:
        logged.say(level)
    assert logged.events == LEVELS[LEVELS.index(least) :]
    assert logged.log.suppressed == 0


def test_the_least_level_can_be_changed():
    logged = Logged()
    logged.say("info")
    logged.log.set_level("error")
    logged.say("warning")
    logged.log.set_level("debug")
    logged.say("debug")
    assert logged.events == ["info", "debug"]
    assert logged.log.level == "debug"


def test_lines_that_are_not_said_use_up_no_allowance():
    logged = Logged(least="info")
    logged.say("debug", 5_000)
    logged.say("info", 1_000)
    assert len(logged.lines) == 1_000
    assert logged.log.suppressed == 0


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_a_storm_is_cut_and_owned_up_to(level):
    logged = Logged()
    logged.say(level, 1_500)
    assert len(logged.lines) == 1_000
    logged.clock.advance(1.0)
    logged.log.flush_if_due()
    assert (logged.events[-1], logged.lines[-1].level) == ("log lines suppressed", "warning")
    assert logged.lines[-1].fields == {level: 500}
    logged.say(level)
    assert (len(logged.lines), logged.log.suppressed) == (1_002, 500)


def test_the_next_line_owns_up_to_those_before_it():
    logged = Logged()
    logged.say("info", 1_003)
    logged.clock.advance(1.0)
    logged.say("info")
    assert logged.events[-2:] == ["log lines suppressed", "info"]
    assert logged.lines[-2].fields == {"info": 3}


def test_a_storm_that_goes_on_is_owned_up_to_once_a_second_and_every_line_is_said_or_counted():
    logged = Logged()
    for number in range(20_000):
        logged.say("debug" if number % 2 else "info")
        logged.clock.advance(0.001)
    logged.log.flush()
    confessions = [line for line in logged.lines if line.event == "log lines suppressed"]
    said = len(logged.lines) - len(confessions)
    owned_up = sum(sum(line.fields.values()) for line in confessions)
    assert said + owned_up == 20_000
    assert owned_up == logged.log.suppressed
    assert said == 1_000 + 20 * 200 - 1
    assert len(confessions) <= 20


def test_a_storm_of_lesser_lines_hides_no_warning_and_nothing_hides_an_error():
    logged = Logged()
    logged.say("debug", 2_000)
    logged.say("warning", 2_000)
    logged.say("error", 2_000)
    assert [logged.events.count(level) for level in LEVELS] == [1_000, 0, 1_000, 2_000]


def test_the_loop_is_told_when_there_is_something_to_own_up_to():
    logged = Logged()
    logged.say("info", 1_000)
    assert logged.log.due_in() == math.inf
    logged.say("info")
    assert logged.log.due_in() == 1.0
    logged.log.flush()
    logged.log.flush()
    assert logged.log.due_in() == math.inf
    assert logged.events.count("log lines suppressed") == 1


def test_what_was_cut_is_owned_up_to_even_when_only_errors_are_said():
    logged = Logged()
    logged.say("info", 1_001)
    logged.log.set_level("error")
    logged.log.flush()
    assert logged.events[-1] == "log lines suppressed"
