"""``tickfloor simulate`` as a process."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import typer

from tests.feeds.recorded import capture_path
from tickfloor.cli import simulate

CODE = """
import json, sys, typer
from pathlib import Path
from tickfloor.cli.simulate import run_simulate
asked = json.loads(sys.argv[1])
scenario = asked["scenario"] and Path(asked["scenario"])
captures = [Path(path) for path in asked["captures"]]
try:
    run_simulate(
        None, 3, 500.0, 7, asked["speed"], captures, scenario, 0, 0, asked["seconds"], asked["as_json"],
    )
except typer.Exit as error:
    sys.exit(error.exit_code)
"""


def start(**asked):
    """Start the command as its own process."""
    asked = {"captures": [], "scenario": None, "seconds": 0.0, "as_json": True, "speed": "1"} | asked
    command = [sys.executable, "-W", "error", "-c", CODE, json.dumps(asked, default=str)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_says_in_one_line_where_it_is_and_ends_with_a_summary():
    with start() as process:
        urls = json.loads(process.stdout.readline())
        assert set(urls) == {"stream_url", "rest_url"}
        with urllib.request.urlopen(urls["rest_url"] + "/api/v3/exchangeInfo") as answer:
            assert len(json.load(answer)["symbols"]) == 3
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert errors == "0 frames sent over 0 connections\n"


def test_it_says_when_trouble_begins():
    with start() as process:
        urls = json.loads(process.stdout.readline())
        asked = urllib.request.Request(urls["rest_url"] + "/simulator/hostility", data=b'{"do": "cut"}', method="POST")
        with urllib.request.urlopen(asked) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert "trouble: cut: 0 connections\n" in errors


def test_it_ends_by_itself_after_the_asked_time_and_says_its_addresses_in_words():
    with start(seconds=0.01, as_json=False) as process:
        out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["streams", "REST", "hostility"]
    assert out.count("[[venues]]") == 2


@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        ({"captures": ["nowhere.frames"]}, 3, "there is no file nowhere.frames"),
        ({"speed": "fast"}, 2, "--speed must be a number above 0, or max"),
    ],
)
def test_wrong_arguments_end_it_with_the_reason(settings, code, reason):
    with start(**settings) as process:
        _, errors = process.communicate()
    assert process.returncode == code
    assert reason in errors


def test_a_wrong_scenario_ends_it_before_it_serves(tmp_path):
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[step]]\nat = 1\ndo = "kindness"\n')
    with start(scenario=scenario) as process:
        out, errors = process.communicate()
    assert (process.returncode, out) == (4, "")
    assert "there is no hostility 'kindness'; there are banned, burst" in errors


def test_a_port_that_another_one_has_ends_it_with_the_reason_in_plain_words(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for ports in ((port, 0), (0, port)):
            with pytest.raises(typer.Exit) as caught:
                simulate.run_simulate(None, 1, 500.0, 7, "1", None, None, *ports, 0, True)
            assert caught.value.exit_code == 4
            assert (
                f"tickfloor: port {port} cannot be listened on: Address already in use; another"
                in capsys.readouterr().err
            )


def test_a_capture_is_served():
    with start(captures=[capture_path("binance_spot_4sym_20211012")]) as process:
        urls = json.loads(process.stdout.readline())
        with urllib.request.urlopen(urls["rest_url"] + "/api/v3/depth?symbol=NKNUSDT") as answer:
            assert json.load(answer)["lastUpdateId"] == 499869752
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert errors.startswith("reading 1 capture\n")


def test_ctrl_c_ends_the_reading_of_a_capture(monkeypatch):
    def interrupted(settings, progress, trouble):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "Simulator", interrupted)
    with pytest.raises(typer.Exit) as caught:
        simulate.run_simulate(None, 3, 500.0, 7, "1", [capture_path("binance_spot_4sym_20211012")], None, 0, 0, 0, True)
    assert caught.value.exit_code == 130
