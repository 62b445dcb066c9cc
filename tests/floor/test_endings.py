"""However a floor ends, nothing is left: no process, no memory, no temporary file, no signal lost or half stored."""

import json
import os
import signal
import sqlite3
import time

import pytest

from tests.floor.commands import Command, stored, tickfloor
from tests.waiting import until, until_dead
from tickfloor.contracts.signals import signal_id

ENOUGH = 40


@pytest.fixture
def replaying(tmp_path, small_capture, many_rules):
    """A replay at ten times real time, which would take nine seconds."""
    words = ["--rules", many_rules, "--speed", "10", "--workers", "2", "--db", "floor.db", "--report", "report.json"]
    with Command(tmp_path, "replay", small_capture, *words, restart_period=0.01, restart_intensity=1_000) as command:
        yield command


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small_capture, many_rules):
    """The signals of the whole replay, by id."""
    folder = tmp_path_factory.mktemp("whole")
    assert tickfloor(folder, "replay", small_capture, "--rules", many_rules, "--db", "floor.db").code == 0
    return contents(folder / "floor.db")


def contents(database):
    connection = sqlite3.connect(database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = ("id", "source", "trader", "revision", "instrument", "tape", "tape_sequence", "ts_event", "values")
        columns = ", ".join(f'"{name}"' for name in names)
        rows = [dict(zip(names, row, strict=True)) for row in connection.execute(f"SELECT {columns} FROM signals")]
    finally:
        connection.close()
    for row in rows:
        named = ("source", "trader", "revision", "instrument", "tape", "tape_sequence")
        assert row["id"] == signal_id(*(row[name] for name in named))
    return {row["id"]: row for row in rows}


def until_it_has_signals(command, folder, count=ENOUGH):
    until(lambda: stored(folder / "floor.db") >= count or not command.running, f"{count} signals are stored")
    assert command.running, command.finish()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_ends_in_order_with_every_signal_stored(replaying, tmp_path, whole, number):
    until_it_has_signals(replaying, tmp_path)
    replaying.send(number)
    finished = replaying.finish()
    replaying.until_nothing_is_left()
    report = json.loads((tmp_path / "report.json").read_text())
    assert finished.code == 130, finished
    assert "interrupted" in finished.err
    assert (report["complete"], report["lost"]) == (False, 0)
    found = contents(tmp_path / "floor.db")
    assert ENOUGH <= len(found) < len(whole)
    assert found.items() <= whole.items()
    assert len(report["signals"]) == len(found)
    # All that the part of the tape that was read has given, and nothing else.
    last = max(row["tape_sequence"] for row in found.values())
    assert found.keys() == {key for key, row in whole.items() if row["tape_sequence"] <= last}


def test_a_replay_interrupted_while_it_starts_ends_in_order(tmp_path, small_capture, many_rules):
    with Command(tmp_path, "replay", small_capture, "--rules", many_rules, "--speed", "10") as command:
        command.worker("logger-1")
        command.send(signal.SIGINT)
        finished = command.finish()
        command.until_nothing_is_left()
    assert finished.code == 130, finished


def test_a_second_interrupt_ends_at_once(replaying, tmp_path, whole):
    until_it_has_signals(replaying, tmp_path)
    # The end waits for this worker, which will not move.
    os.kill(replaying.worker("trader-1"), signal.SIGSTOP)
    feed = replaying.worker("feed-1")

    def interrupted_to_death():
        # Two that come before the first is heard are one, as signals are.
        if replaying.running:
            replaying.send(signal.SIGINT)
        return not replaying.running

    until(interrupted_to_death, "interrupts end it at once, long before the worker's time is over", within=5.0)
    finished = replaying.finish()
    until_dead(feed)
    replaying.until_nothing_is_left()
    assert finished.code == 130
    assert "stopped at once" in finished.err
    assert contents(tmp_path / "floor.db").items() <= whole.items()


@pytest.mark.parametrize("slot", ["trader-1", "feed-1", "storage-1"])
def test_a_worker_that_does_not_move_is_killed_within_the_budget(tmp_path, small_capture, many_rules, whole, slot):
    words = ["--rules", many_rules, "--speed", "10", "--db", "floor.db"]
    with Command(tmp_path, "replay", small_capture, *words, shutdown_seconds=2) as command:
        until_it_has_signals(command, tmp_path, 5)
        os.kill(command.worker(slot), signal.SIGSTOP)
        command.send(signal.SIGTERM)
        began = time.monotonic()
        finished = command.finish()
        assert time.monotonic() - began < 5.0
        command.until_nothing_is_left()
    assert finished.code == 5, finished
    assert "the floor did not end within 1 s" in finished.err
    assert "Traceback" not in finished.err
    if slot != "storage-1":
        assert f"{slot} to" in finished.err
    assert contents(tmp_path / "floor.db").items() <= whole.items()


@pytest.mark.parametrize("count", [1, 20, 80])
def test_the_supervisor_killed_leaves_nothing_alive_and_a_sound_database(replaying, tmp_path, whole, count):
    until_it_has_signals(replaying, tmp_path, count)
    others = replaying.processes().keys() - {replaying.pid}
    names = set(replaying.processes().values())
    assert {"feed-1", "trader-1", "trader-2", "storage-1", "logger-1", "console-1"} <= names
    replaying.send(signal.SIGKILL)
    for pid in others:
        until_dead(pid, within=5.0)
    assert replaying.finish().code == -signal.SIGKILL
    replaying.until_nothing_is_left()
    found = contents(tmp_path / "floor.db")
    assert count <= len(found)
    assert found.items() <= whole.items()


def test_a_replay_after_a_killed_one_completes_it(replaying, tmp_path, small_capture, many_rules, whole):
    until_it_has_signals(replaying, tmp_path)
    replaying.send(signal.SIGKILL)
    replaying.finish()
    words = ["--rules", many_rules, "--db", "floor.db", "--report", "report.json"]
    assert tickfloor(tmp_path, "replay", small_capture, *words).code == 0
    assert contents(tmp_path / "floor.db") == whole
    assert len(json.loads((tmp_path / "report.json").read_text())["signals"]) == len(whole)


def test_an_interrupt_while_workers_are_killed_loses_nothing(replaying, tmp_path, whole):
    until_it_has_signals(replaying, tmp_path)
    for slot in ("storage-1", "trader-1", "trader-2"):
        os.kill(replaying.worker(slot), signal.SIGKILL)
    replaying.send(signal.SIGINT)
    finished = replaying.finish()
    replaying.until_nothing_is_left()
    assert finished.code == 130, finished
    found = contents(tmp_path / "floor.db")
    last = max(row["tape_sequence"] for row in found.values())
    assert found.keys() == {key for key, row in whole.items() if row["tape_sequence"] <= last}


def test_a_worker_that_keeps_dying_ends_the_floor_with_a_reason(tmp_path, small_capture, many_rules):
    words = ["--rules", many_rules, "--speed", "10", "--db", "floor.db"]
    settings = {"restart_intensity": 0, "recovery_intensity": 0}
    with Command(tmp_path, "replay", small_capture, *words, **settings) as command:
        until_it_has_signals(command, tmp_path, 5)
        os.kill(command.worker("trader-1"), signal.SIGKILL)
        finished = command.finish()
        command.until_nothing_is_left()
    assert finished.code == 1
    assert "trader-1 keeps dying, last by killed by SIGKILL" in finished.err
    assert "Traceback" not in finished.err
