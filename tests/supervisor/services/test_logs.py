from tests.supervisor.fakes import FakeProcess
from tickfloor.contracts.events import LogLine
from tickfloor.supervisor.services.logs import LogService


def line(number: int) -> LogLine:
    return LogLine(ts=number, level="info", slot="feed-1", pid=1, event=f"line {number}", fields={})


def events(process: FakeProcess) -> list[str]:
    return [message.event for message in process.heard]


def test_lines_go_to_the_logger():
    logger = FakeProcess("logger-1")
    service = LogService(lambda: logger, [].append)
    service.on_line(FakeProcess("feed-1"), line(1))
    service.emit(line(2))
    assert events(logger) == ["line 1", "line 2"]


def test_without_a_logger_lines_wait_for_one():
    logger = FakeProcess("logger-1")
    service = LogService(lambda: None, [].append)
    for number in range(5):
        service.emit(line(number))
    service.logger_ready(logger)
    assert events(logger) == [f"line {number}" for number in range(5)]


def test_a_thousand_lines_wait_and_what_is_dropped_is_said():
    logger = FakeProcess("logger-1")
    service = LogService(lambda: None, [].append)
    for number in range(1_005):
        service.emit(line(number))
    assert service.dropped == 5
    service.logger_ready(logger)
    assert events(logger) == ["log lines dropped", *(f"line {number}" for number in range(5, 1_005))]
    assert logger.heard[0].fields == {"lines": 5}


def test_a_logger_that_is_behind_is_not_pressed_and_no_line_overtakes_another():
    logger = FakeProcess("logger-1", backlog=1_000)
    service = LogService(lambda: logger, [].append)
    service.emit(line(1))
    service.emit(line(2))
    assert events(logger) == []
    logger.backlog = 0
    service.emit(line(3))
    assert events(logger) == ["line 1", "line 2", "line 3"]


def test_at_the_end_a_logger_that_is_behind_hears_all_of_it():
    logger = FakeProcess("logger-1", backlog=5_000)
    service = LogService(lambda: logger, [].append)
    service.emit(line(1))
    service.flush()
    assert events(logger) == ["line 1"]


def test_every_line_is_shown_to_who_follows_even_those_that_no_logger_takes():
    tail = []
    service = LogService(lambda: None, tail.append)
    service.on_line(FakeProcess("feed-1"), line(1))
    for number in range(2, 1_101):
        service.emit(line(number))
    assert tail == [line(number) for number in range(1, 1_101)]
