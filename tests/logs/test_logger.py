"""The logger worker's lines, written by the real worker in a process of its own."""

import json
import re

import pytest

from tests.supervisor.supervised import run, supervised
from tickfloor.contracts.commands import Begin
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.settings import LoggerSettings
from tickfloor.supervisor.outbox import CommandError

ENTRY = "tickfloor.logs.worker:make"


def line(event="feed ready", level="info", **fields):
    return LogLine(
        ts=1_700_000_000_123_456_789,
        level=level,
        slot="feed-1",
        pid=42,
        event=event,
        fields=fields,
        correlation_id=fields.pop("correlation_id", ""),
    )


def logged(settings, *lines):
    """Send lines to a logger and end it, so that all of them are written."""

    async def scenario():
        async with supervised() as floor:
            process = await floor.start(ENTRY, settings=settings)
            for each in lines:
                process.send(each)

    run(scenario())


def settings(path, *, level="debug", form="text"):
    return LoggerSettings(level=level, form=form, path=str(path))


def test_a_json_line_has_every_part_of_it(tmp_path):
    path = tmp_path / "floor.log"
    logged(settings(path, form="json"), line(ms=1.5, worker="trader-1", none=None, correlation_id="tape:7"))
    [written] = map(json.loads, path.read_text().splitlines())
    assert written == {
        "timestamp": "2023-11-14T22:13:20.123Z",
        "level": "info",
        "event": "feed ready",
        "slot": "feed-1",
        "pid": 42,
        "correlation_id": "tape:7",
        "ms": 1.5,
        "worker": "trader-1",
        "none": None,
    }


def test_a_text_line_is_for_people_and_has_no_colours_in_a_file(tmp_path):
    path = tmp_path / "floor.log"
    logged(settings(path), line(ms=1.5, worker="trader-1"))
    written = path.read_text()
    assert re.fullmatch(
        r"2023-11-14T22:13:20\.123Z \[info +\] feed ready +ms=1\.5 pid=42 slot=feed-1 worker=trader-1\n", written
    )
    assert "\x1b" not in written


def test_a_field_cannot_forge_a_line(tmp_path):
    path = tmp_path / "floor.log"
    logged(settings(path, form="json"), line(reason='x"}\n{"event": "forged"}'))
    assert len(path.read_text().splitlines()) == 1


def test_lines_below_the_level_are_not_written(tmp_path):
    path = tmp_path / "floor.log"
    levels = ("debug", "info", "warning", "error")
    logged(settings(path, level="warning", form="json"), *(line(level=level) for level in levels))
    assert [json.loads(each)["level"] for each in path.read_text().splitlines()] == ["warning", "error"]


def test_a_log_is_appended_to_and_keeps_its_order(tmp_path):
    path = tmp_path / "floor.log"
    path.write_text("from before\n")
    logged(settings(path, form="json"), *(line(f"line {number}") for number in range(3_000)))
    first, *rest = path.read_text().splitlines()
    assert first == "from before"
    assert [json.loads(each)["event"] for each in rest] == [f"line {number}" for number in range(3_000)]


def test_a_log_file_that_cannot_be_written_is_named(tmp_path):
    async def scenario():
        async with supervised() as floor:
            with pytest.raises(WorkerError, match=f"the log file {tmp_path} cannot be written: Is a directory"):
                await floor.start(ENTRY, settings=settings(tmp_path))

    run(scenario())


def test_a_logger_refuses_what_is_not_for_it_and_goes_on(tmp_path):
    path = tmp_path / "floor.log"

    async def scenario():
        async with supervised() as floor:
            process = await floor.start(ENTRY, settings=settings(path))
            with pytest.raises(CommandError, match="a logger worker does not know Begin"):
                await process.command(Begin())
            process.send(line("after all"))

    run(scenario())
    assert "after all" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]
