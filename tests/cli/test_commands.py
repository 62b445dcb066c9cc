"""The commands as they are used when all is well."""

import json
import os
import pty
import select
import subprocess
import sys
import tomllib

import pytest

import tickfloor as package
from tests.floor.commands import stored, tickfloor
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.report import build_report
from tickfloor.cli.run_floor import Outcome
from tickfloor.contracts.events import FeedFinished, FeedProblem, FloorStatus
from tickfloor.contracts.signals import Signal


def test_exit_codes_are_what_is_documented():
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "NOT_FOUND": 3,
        "INVALID": 4,
        "TIMEOUT": 5,
        "UNHEALTHY": 6,
        "REFUSED": 7,
        "BUSY": 8,
        "INTERRUPTED": 130,
    }


# Start-up


def test_the_version_is_data(tmp_path):
    finished = tickfloor(tmp_path, "--version")
    assert (finished.code, finished.out, finished.err) == (0, f"tickfloor {package.__version__}\n", "")


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["replay", "--help"]])
def test_starting_loads_nothing_that_it_does_not_need(words):
    program = (
        "import sys\n"
        f"sys.argv[1:] = {words!r}\n"
        "from tickfloor.cli.app import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(finished.stderr.split())
    assert "tickfloor.cli.app" in loaded
    heavy = {
        "sqlalchemy",
        "asyncio",
        "msgspec",
        "numpy",
        "structlog",
        "rich.live",
        "tickfloor.floor",
        "tickfloor.config",
    }
    assert not loaded & heavy


# Doctor, config, signals


def test_the_doctor_looks_at_what_a_floor_needs(tmp_path):
    finished = tickfloor(tmp_path, "doctor")
    assert (finished.code, finished.err) == (0, "")
    for looked_at in ("python", "shared memory", "memory fences", "doorbells", "supervision", "descriptors"):
        assert f"ok       {looked_at}" in finished.out
    found = tickfloor(tmp_path, "doctor", "--json").json
    assert all(finding["healthy"] for finding in found)
    assert len(found) == 6


def test_the_doctor_says_what_is_missing(tmp_path):
    finished = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -n 64; exec {sys.executable} -m tickfloor doctor --json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 6
    [missing] = [finding for finding in json.loads(finished.stdout) if not finding["healthy"]]
    assert missing["what"] == "descriptors"
    assert "raise it with ulimit" in missing["found"]
    assert "cannot run a floor: descriptors" in finished.stderr


def test_checked_settings_can_be_written_to_a_file_and_read_again(tmp_path):
    (tmp_path / "floor.toml").write_text("tape_records = 1024\n")
    finished = tickfloor(tmp_path, "config", "check", "floor.toml", trader_workers=3)
    shown = tomllib.loads(finished.out)
    assert (finished.code, shown["tape_records"], shown["trader_workers"]) == (0, 1024, 3)
    (tmp_path / "again.toml").write_text(finished.out)
    assert tickfloor(tmp_path, "config", "check", "again.toml", "--json").json == shown


def test_a_database_that_is_not_there_is_not_found_and_not_made(tmp_path):
    for words in ([], ["--db", "some.db"], ["--db", f"sqlite:///{tmp_path}/some.db"]):
        finished = tickfloor(tmp_path, "signals", "list", "--json", *words)
        assert (finished.code, finished.out) == (3, "")
        assert "there is no database" in finished.err
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".db"] == []


def test_a_replay_without_rules_and_report_stores_nothing_and_says_what_it_did(tmp_path, small_capture):
    finished = tickfloor(tmp_path, "replay", small_capture)
    assert (finished.code, finished.out) == (0, "")
    assert "4,716 frames" in finished.err
    assert "0 signals in tickfloor.db, 0 problems, 0 lost" in finished.err
    listed = tickfloor(tmp_path, "signals", "list")
    assert (listed.code, listed.out, listed.err) == (0, "", "no signals\n")
    assert tickfloor(tmp_path, "signals", "list", "--json").json == []


def test_a_report_can_be_the_data_on_stdout(tmp_path, small_capture, many_rules):
    finished = tickfloor(tmp_path, "replay", small_capture, "--rules", many_rules, "--report", "-")
    assert finished.code == 0
    report = finished.json
    assert report["frames"] == 4_716
    assert len(report["signals"]) == stored(tmp_path / "tickfloor.db")
    listed = tickfloor(tmp_path, "signals", "list", "--limit", "3", "--trader", "ask heavy")
    assert len(listed.out.splitlines()) == 3
    assert all("  ask heavy  binance:" in line for line in listed.out.splitlines())
    assert listed.err == ""


def test_a_reader_that_goes_away_is_no_drama(tmp_path, small_capture, many_rules):
    assert tickfloor(tmp_path, "replay", small_capture, "--rules", many_rules, "--db", "a.db").code == 0
    command = f"{sys.executable} -m tickfloor signals list --db a.db --limit 100000 | head -1"
    finished = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert len(finished.stdout.splitlines()) == 1
    assert "Traceback" not in finished.stderr


# The report


def test_a_report_has_every_part_in_the_documented_shape():
    signal = Signal(
        id="i",
        source="s",
        trader="t",
        revision=1,
        instrument="binance:BTCUSDT",
        tape="replay",
        tape_sequence=7,
        ts_event=8,
        values={"last": 1.25, "rsi(14)": None},
    )
    feed = FeedFinished(
        head=10,
        frames=9,
        malformed=1,
        complete=True,
        problems=(FeedProblem(file="a.gz", line=3, reason="why"),),
        problem_count=1,
        left_out={},
        figures=b'{"binance:BTCUSDT":{"trades":1,"qty":"0.10"}}',
    )
    status = FloorStatus(
        uptime=1.0,
        workers=(),
        feed=None,
        signals=1,
        stored=1,
        recent=(),
        latency_p50_us=12.5,
        latency_p99_us=None,
        lost=0,
    )
    outcome = Outcome(feed=feed, signals=[signal], status=status, instruments=(), lost=2, interrupted=False)
    assert json.loads(build_report(["a.gz"], outcome)) == {
        "captures": ["a.gz"],
        "frames": 9,
        "instruments": {"binance:BTCUSDT": {"trades": 1, "qty": "0.10"}},
        "signals": [
            {
                "trader": "t",
                "instrument": "binance:BTCUSDT",
                "ts_event": 8,
                "tape_sequence": 7,
                "values": {"last": 1.25, "rsi(14)": None},
            }
        ],
        "latency_us": {"p50": 12.5, "p99": None},
        "lost": 2,
        "left_out": {},
        "problems": [{"file": "a.gz", "line": 3, "reason": "why"}],
        "complete": True,
    }


# The demo


def test_the_demo_without_a_terminal_prints_plain_lines_and_a_summary(tmp_path):
    finished = tickfloor(tmp_path, "demo", "--seconds", "4", "--instruments", "20", "--db", "demo.db")
    assert finished.code == 0, finished
    lines = finished.out.splitlines()
    assert any("instruments 20" in line for line in lines)
    assert any(line.startswith("signal ") for line in lines)
    assert [line.split()[0] for line in lines[-6:]] == ["ran", "market", "quality", "signals", "latency", "lost"]
    assert lines[-1].split() == ["lost", "0"]
    assert "quality      binance: 20 live; 0 trades missing, 0 repaired" in lines
    assert f"signals      {stored(tmp_path / 'demo.db'):,} stored in demo.db" in lines
    assert "\x1b" not in finished.out


def test_the_demo_s_help_names_its_own_database(tmp_path):
    assert "tickfloor-demo.db" in tickfloor(tmp_path, "demo", "--help").out


def test_the_demo_goes_on_when_nobody_reads_it_any_more_and_keeps_its_signals_apart(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "tickfloor", "demo", "--seconds", "3"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert "cannot go on" not in said
    assert "signals go to tickfloor-demo.db" in said
    assert stored(tmp_path / "tickfloor-demo.db") > 0
    assert not (tmp_path / "tickfloor.db").exists()


def on_a_terminal(folder, *words, interrupt_at=None):
    """Run a command on a terminal of its own; return its exit code and what it drew."""
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tickfloor", *words], cwd=folder, stdin=its, stdout=its, stderr=its, env=environment
    )
    os.close(its)
    drawn = bytearray()
    while select.select([ours], [], [], 30)[0]:
        try:
            drawn += os.read(ours, 1 << 16)
        except OSError:
            # Its last descriptor is closed.
            break
        if interrupt_at is not None and interrupt_at in drawn:
            process.send_signal(interrupt_at and 2)
            interrupt_at = None
    os.close(ours)
    return process.wait(30), bytes(drawn)


ENTER, LEAVE, HIDE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h"


def gave_the_terminal_back(drawn):
    return drawn.rfind(LEAVE) > drawn.rfind(ENTER) >= 0 and drawn.rfind(SHOW) > drawn.rfind(HIDE)


def test_the_demo_draws_on_a_terminal_and_gives_it_back(tmp_path):
    code, drawn = on_a_terminal(tmp_path, "demo", "--seconds", "2")
    assert code == 0
    assert gave_the_terminal_back(drawn)
    screen, _, after = drawn.rpartition(LEAVE)
    for shown in (b"ticks/s", b"BTCUSDT", b"trader-1", b"latency p50"):
        assert shown in screen
    assert b"ran " in after
    assert b"lost         0" in after


def test_ctrl_c_ends_the_demo_and_gives_the_terminal_back(tmp_path):
    code, drawn = on_a_terminal(tmp_path, "demo", interrupt_at=b"BTCUSDT")
    assert code == 130
    assert gave_the_terminal_back(drawn)
    assert b"signals " in drawn.rpartition(LEAVE)[2]


def test_a_replay_shows_its_progress_on_a_terminal(tmp_path, small_capture, many_rules):
    words = ["--rules", str(many_rules), "--speed", "100"]
    code, drawn = on_a_terminal(tmp_path, "replay", str(small_capture), *words)
    assert code == 0
    assert b"frames (" in drawn
    assert drawn.rfind(SHOW) > drawn.rfind(HIDE) >= 0
    assert ENTER not in drawn
