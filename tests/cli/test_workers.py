"""``tickfloor workers``, ``debug`` and ``emergency`` against a running floor: what is asked and what is shown."""

import json
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from tests.floor.commands import Command, tickfloor
from tests.supervisor.control.fake_floor import line, served_floor, worker
from tests.waiting import until
from tickfloor.contracts.states import Health
from tickfloor.supervisor.control.replies import TraceStep


@pytest.fixture
def served(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    with served_floor() as floor:
        yield floor


def test_the_list_shows_health_and_memory_trend(tmp_path, served):
    finished = tickfloor(tmp_path, "workers", "list")
    assert (finished.code, finished.err) == (0, "")
    assert [text.split() for text in finished.out.splitlines()] == [
        ["worker", "state", "health", "up", "MiB", "MiB/h", "traders", "restarts"],
        ["trader-1", "ready", "healthy", "1h", "02m", "30.0", "+1.5", "250", "2"],
        ["trader-2", "quarantined", "–", "–", "–", "–", "250", "2"],
    ]
    assert "\x1b" not in finished.out
    first, second = tickfloor(tmp_path, "workers", "list", "--json").json
    assert (first["slot"], first["health"], first["private_trend"]) == ("trader-1", "healthy", 1_572_864.0)
    assert (second["slot_state"], second["quarantine"]) == ("quarantined", "keeps dying: killed by SIGSEGV")


def on_a_terminal(folder, columns, *words):
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "24"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tickfloor", *words], cwd=folder, stdin=its, stdout=its, stderr=its, env=environment
    )
    os.close(its)
    drawn = bytearray()
    while select.select([ours], [], [])[0]:
        try:
            drawn += os.read(ours, 1 << 16)
        except OSError:
            break
    os.close(ours)
    return process.wait(), drawn.decode()


def test_the_list_fits_eighty_columns_of_a_terminal(tmp_path, served):
    served.floor.workers += (
        worker(
            "trader-16", health=Health.STUCK, uptime=90_061.0, memory=1_234 << 20, private_trend=-1234.5 * (1 << 20)
        ),
    )
    code, drawn = on_a_terminal(tmp_path, 80, "workers", "list")
    assert code == 0
    shown = [text for text in drawn.splitlines() if text.strip()]
    assert len(shown) == 4
    assert "…" not in drawn
    assert "\x1b[32mhealthy" in drawn
    assert "\x1b[31mstuck" in drawn


def test_one_worker_is_shown_whole(tmp_path, served):
    finished = tickfloor(tmp_path, "workers", "show", "trader-1")
    assert finished.code == 0
    for label, text in (
        ("worker", "trader-1 (trader)"),
        ("health", "healthy"),
        ("memory", "30.0 MiB, of it 12.0 MiB its own"),
        ("memory trend", "+1.5 MiB/h"),
        ("busy", "25%"),
        ("commands applied", "12,345"),
        ("oldest unacknowledged", "–"),
        ("last pong", "0.5 s ago"),
        ("replacements", "1"),
    ):
        assert f"{label:<24} {text}\n" in finished.out
    assert "quarantine" not in finished.out
    assert "keeps dying: killed by SIGSEGV" in tickfloor(tmp_path, "workers", "show", "trader-2").out
    assert tickfloor(tmp_path, "workers", "show", "trader-1", "--json").json["pid"] == 4_711
    unknown = tickfloor(tmp_path, "workers", "show", "trader-9")
    assert (unknown.code, unknown.out, unknown.err) == (3, "", "tickfloor: there is no worker 'trader-9'\n")


@pytest.mark.parametrize(
    ("words", "asked", "said"),
    [
        (
            ["workers", "replace", "trader-1"],
            ("replace_worker", "trader-1"),
            "trader-1: replaced in 123 ms; incarnation 4 works as process 4712",
        ),
        (
            ["workers", "drain", "trader-1"],
            ("drain_worker", "trader-1"),
            "trader-1: has finished what waited for it, in 10 ms; the tape is read up to 12,345",
        ),
        (
            ["workers", "drain", "storage-1"],
            ("drain_worker", "storage-1"),
            "storage-1: has finished what waited for it, in 10 ms",
        ),
        (
            ["workers", "cleanup", "trader-1"],
            ("cleanup_worker", "trader-1"),
            "trader-1: cleaned up in 50 ms; incarnation 4 works",
        ),
        (
            ["workers", "stop", "trader-1"],
            ("stop_worker", "trader-1"),
            "trader-1: killed, because it did not clean up, (leaked thread poller) in 1,250 ms; its place is empty",
        ),
        (
            ["workers", "scale", "4"],
            ("scale_traders", 4),
            "4 trader workers, 2 before; 100 traders moved in 400 ms",
        ),
        (["emergency", "stop"], ("emergency_stop",), "all effects are stopped"),
        (["emergency", "resume"], ("emergency_resume",), "effects are allowed, as before"),
    ],
)  # fmt: skip
def test_an_action_is_told_when_it_is_acknowledged(tmp_path, served, words, asked, said):
    finished = tickfloor(tmp_path, *words)
    assert (finished.code, finished.out, finished.err) == (0, f"{said}\n", "")
    assert [what[:-1] for what in served.floor.asked] == [asked]
    assert served.floor.asked[0][-1].startswith("control-")
    again = tickfloor(tmp_path, *words, "--json")
    assert again.code == 0
    assert again.json["correlation_id"] == served.floor.asked[-1][-1]


def test_a_count_of_workers_that_cannot_be_is_refused_before_anything_is_asked(tmp_path, served):
    for count in ("0", "17", "many"):
        assert tickfloor(tmp_path, "workers", "scale", count).code == 2
    assert served.floor.asked == []


# Logs


def test_the_last_log_lines_are_shown_of_all_or_of_one_worker(tmp_path, served):
    served.do(lambda: served.floor.logs.note(line(1, event="began", fields={"traders": 3}, correlation_id="demo:7")))
    served.do(lambda: served.floor.logs.note(line(2, slot="feed-1", level="error", event="two\nlines \x1b[2J")))
    finished = tickfloor(tmp_path, "workers", "logs")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines() == [
        "22:13:20.000000 info    trader-1     began traders=3 [demo:7]",
        "22:13:20.000000 error   feed-1       two\\nlines \\x1b[2J",
    ]
    assert tickfloor(tmp_path, "workers", "logs", "feed-1").out.count("\n") == 1
    assert tickfloor(tmp_path, "workers", "logs", "--last", "1").out.count("\n") == 1
    assert [said["event"] for said in tickfloor(tmp_path, "workers", "logs", "--json").json] == [
        "began",
        "two\nlines \x1b[2J",
    ]


def test_followed_lines_come_at_once_until_ctrl_c(tmp_path, served):
    served.do(lambda: served.floor.logs.note(line(1)))
    with Command(tmp_path, "workers", "logs", "trader-1", "-f", "--json") as command:
        until(lambda: served.do(lambda: served.floor.logs.followers), "it follows")
        served.do(lambda: served.floor.logs.note(line(2)))
        first, second = (json.loads(command._process.stdout.readline()) for _ in range(2))
        assert (first["event"], second["event"]) == ("line 1", "line 2")
        command.send(signal.SIGINT)
        finished = command.finish()
    assert (finished.code, finished.out, finished.err) == (130, "", "")
    until(lambda: not served.do(lambda: served.floor.logs.followers), "it follows no more")


def test_a_follower_is_told_that_the_floor_has_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with served_floor() as floor:
        command = Command(tmp_path, "workers", "logs", "-f")
        until(lambda: floor.do(lambda: floor.floor.logs.followers), "it follows")
    with command:
        finished = command.finish()
    assert finished.code == 1
    assert "the floor is ending" in finished.err


# Debug and emergency


def step(**changes):
    values = {
        "ts": 1_700_000_000_123_456_000,
        "slot": "trader-1",
        "incarnation": 2,
        "direction": "in",
        "message": "SignalsRaised",
        "correlation_id": "trader-1:7",
        "text": "up binance:BTCUSDT (demo:7)",
    }
    return TraceStep(**(values | changes))


def test_a_trace_shows_the_path(tmp_path, served):
    served.floor.steps = (step(), step(slot="storage-1", incarnation=1, direction="out", message="StoreSignals"))
    finished = tickfloor(tmp_path, "debug", "trace", "demo:7")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines() == [
        "time (UTC)       way                  message        says",
        "22:13:20.123456  trader-1.2 → floor   SignalsRaised  up binance:BTCUSDT (demo:7)",
        "22:13:20.123456  floor → storage-1.1  StoreSignals   up binance:BTCUSDT (demo:7)",
    ]
    assert [found["message"] for found in tickfloor(tmp_path, "debug", "trace", "demo:7", "--json").json] == [
        "SignalsRaised",
        "StoreSignals",
    ]


def test_a_trace_of_nothing_is_not_found(tmp_path, served):
    finished = tickfloor(tmp_path, "debug", "trace", "demo:8")
    assert (finished.code, finished.out) == (3, "")
    assert "nothing of 'demo:8' is among the last 4,096 messages" in finished.err
    as_json = tickfloor(tmp_path, "debug", "trace", "demo:8", "--json")
    assert (as_json.code, as_json.json) == (3, [])


def test_statistics_are_shown_part_by_part(tmp_path, served):
    finished = tickfloor(tmp_path, "debug", "statistics")
    assert finished.code == 0
    assert finished.out == "router\n  routed    12,345\n  coverage  0.988\nlifecycle\n  last  ready\n"
    assert tickfloor(tmp_path, "debug", "statistics", "--json").json["router"]["routed"] == 12_345


def test_a_recovery_says_what_came_back_and_what_did_not(tmp_path, served):
    finished = tickfloor(tmp_path, "emergency", "recover")
    assert finished.code == 6
    assert finished.out == "2 workers restarted in 1.5 s; 2 traders and 0 displays restored\n"
    assert finished.err == "console-1: no terminal\n"


def test_effects_are_stopped_and_allowed_again(tmp_path, served):
    said = [tickfloor(tmp_path, "emergency", word).out for word in ("stop", "stop", "resume")]
    assert said == ["all effects are stopped\n", "all effects are stopped, as before\n", "effects are allowed\n"]
    assert served.floor.effects
