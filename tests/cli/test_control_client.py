"""Finding the floor that a command is for, and what is said when there is none, or it does not answer."""

import os
import socket
import threading

import pytest

from tests.floor.commands import tickfloor
from tests.supervisor.control.fake_floor import served_floor
from tickfloor.contracts.commands import RuleProblem
from tickfloor.supervisor.control.floor_control import ControlRefusedError
from tickfloor.supervisor.control.framing import framed
from tickfloor.supervisor.control.replies import RefusalKind


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    """A folder for control sockets that no other floor uses."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


COMMANDS = [
    ["workers", "list"],
    ["workers", "show", "trader-1"],
    ["workers", "replace", "trader-1"],
    ["workers", "drain", "trader-1"],
    ["workers", "cleanup", "trader-1"],
    ["workers", "stop", "trader-1"],
    ["workers", "scale", "3"],
    ["workers", "logs", "-f"],
    ["traders", "list"],
    ["traders", "add", "up", "--rule", "close > open"],
    ["traders", "update", "up", "--rule", "close > open"],
    ["traders", "remove", "up"],
    ["traders", "run"],
    ["traders", "pardon", "up"],
    ["debug", "trace", "demo:7"],
    ["debug", "statistics"],
    ["emergency", "stop"],
    ["emergency", "resume"],
    ["emergency", "recover"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_floor_every_command_says_how_to_start_one(tmp_path, words):
    finished = tickfloor(tmp_path, *words)
    assert (finished.code, finished.out) == (3, "")
    assert finished.err == "tickfloor: no floor is running; start one with tickfloor demo, or tickfloor run\n"


def test_the_only_floor_is_found_and_one_can_be_named(tmp_path):
    with served_floor() as served:
        for choice in ([], ["--floor", str(os.getpid())], ["--floor", str(served.path)]):
            assert tickfloor(tmp_path, "workers", "list", *choice).code == 0
        assert tickfloor(tmp_path, "workers", "list", control_socket=served.path).code == 0
        other = tickfloor(tmp_path, "workers", "list", "--floor", "1")
        assert other.code == 3
        assert "no floor runs as process 1; there are:\n" in other.err
        assert str(served.path) in other.err


def test_of_several_floors_one_has_to_be_named(tmp_path):
    with served_floor() as one, served_floor() as other:
        finished = tickfloor(tmp_path, "workers", "list")
        assert (finished.code, finished.out) == (2, "")
        assert "several floors are running; choose one with --floor" in finished.err
        for path in (one.path, other.path):
            assert f"  {os.getpid()}  {path}\n" in finished.err
        assert tickfloor(tmp_path, "emergency", "stop", "--floor", other.path).code == 0
        assert one.floor.effects
        assert not other.floor.effects


def test_a_dead_floors_socket_is_none(tmp_path, runtime):
    (runtime / "tickfloor").mkdir()
    left = runtime / "tickfloor" / "1-dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    assert "no floor is running" in tickfloor(tmp_path, "workers", "list").err
    named = tickfloor(tmp_path, "workers", "list", "--floor", left)
    assert (named.code, named.err) == (3, f"tickfloor: no floor listens at {left}\n")


def test_a_path_that_is_too_long_says_so(tmp_path):
    finished = tickfloor(tmp_path, "workers", "list", "--floor", f"/{'x' * 200}")
    assert finished.code == 3
    assert "may have 107 bytes" in finished.err


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RefusalKind.NOT_FOUND, 3),
        (RefusalKind.INVALID, 4),
        (RefusalKind.REFUSED, 7),
        (RefusalKind.BUSY, 8),
        (RefusalKind.FAILED, 1),
        (RefusalKind.TIMEOUT, 5),
    ],
)
def test_a_refusal_is_told_and_has_its_exit_code(tmp_path, kind, code):
    with served_floor() as served:
        served.floor.failing = ControlRefusedError("because of this", kind)
        finished = tickfloor(tmp_path, "workers", "replace", "trader-1", "--json")
        told = f" [{served.floor.asked[0][-1]}]" if kind in (RefusalKind.FAILED, RefusalKind.TIMEOUT) else ""
        assert (finished.code, finished.out, finished.err) == (code, "", f"tickfloor: because of this{told}\n")


def test_a_rule_that_cannot_run_is_shown_with_a_caret(tmp_path):
    problem = RuleProblem(
        trader="up", text="clos > 1", column=1, message="there is no clos", hint="did you mean close?"
    )
    with served_floor() as served:
        served.floor.failing = ControlRefusedError("trader 'up' cannot run", RefusalKind.INVALID, [problem])
        finished = tickfloor(tmp_path, "traders", "add", "up", "--rule", "clos > 1")
    assert finished.code == 4
    assert "trader 'up': there is no clos\n    clos > 1\n    ^" in finished.err
    assert "did you mean close?" in finished.err
    assert finished.err.endswith("tickfloor: trader 'up' cannot run\n")


def answering(path, *answers):
    """Listen at a path and give one client these bytes, then hang up."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            for answer in answers:
                connection.sendall(answer)
        listening.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "has gone: it hung up; what was asked may have been done"),
        (b"\x00\x00\x00\x09{", "has gone"),
        (framed(b"nonsense"), "use the tickfloor that it was started with"),
        (
            framed(b'{"correlation_id": "x", "reply": {"type": "Unheard"}}'),
            "use the tickfloor that it was started with",
        ),
        (
            framed(b'{"correlation_id": "x", "reply": {"type": "TraderRemoved", "trader": "t"}}'),
            "the floor replied with TraderRemoved",
        ),
        (b"\xff\xff\xff\xff", "what answers there is no floor"),
    ],
)
def test_an_answer_that_is_none_is_told(tmp_path, runtime, answer, said):
    thread = answering(runtime / "odd.sock", answer)
    finished = tickfloor(tmp_path, "workers", "list", "--floor", runtime / "odd.sock")
    thread.join()
    assert (finished.code, finished.out) == (1, "")
    assert said in finished.err
    assert "Traceback" not in finished.err


def test_a_floor_that_does_not_answer_in_time_is_told(tmp_path, runtime):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runtime / "silent.sock"))
        listening.listen()
        words = ["emergency", "stop", "--floor", runtime / "silent.sock", "--timeout", "0.2"]
        finished = tickfloor(tmp_path, *words)
    assert (finished.code, finished.out) == (5, "")
    assert "has not answered within 0.2 s; what was asked may still be done" in finished.err
