"""A real floor, seen and steered from outside while it works."""

import re
import signal

import pytest

from tests.floor.commands import Command, stored, tickfloor
from tests.waiting import until


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder / "tickfloor"


@pytest.mark.slow
def test_a_floor_is_seen_and_steered_while_it_works(tmp_path, runtime):
    def ask(*words):
        finished = tickfloor(tmp_path, *words, "--json")
        assert (finished.code, finished.err) == (0, "")
        return finished.json

    with Command(tmp_path, "demo", "--db", "demo.db") as floor:
        until(lambda: stored(tmp_path / "demo.db") > 0, "signals are stored")
        workers = {worker["slot"]: worker for worker in ask("workers", "list")}
        assert {"feed-1", "storage-1", "logger-1", "trader-1", "trader-2"} <= set(workers)
        assert all(worker["health"] == "healthy" for worker in workers.values())
        assert workers["trader-1"]["pid"] == floor.worker("trader-1")

        replaced = ask("workers", "replace", "trader-1")
        assert replaced["incarnation"] == workers["trader-1"]["incarnation"] + 1
        assert replaced["pid"] != workers["trader-1"]["pid"]
        shown = ask("workers", "show", "trader-1")
        assert (shown["pid"], shown["replacements"]) == (replaced["pid"], 1)
        assert ask("workers", "drain", "trader-1")["through"] > 0
        assert ask("workers", "scale", "3")["after"] == 3

        ask("traders", "add", "mine", "--rule", "close > 0")
        assert len(ask("traders", "run", "mine")["matches"]["mine"]) > 1
        assert ask("traders", "update", "mine", "--when", "close")[0]["revision"] == 2
        refused = tickfloor(tmp_path, "traders", "update", "mine", "--rule", "clos > 0")
        assert (refused.code, refused.out) == (4, "")
        assert "    clos > 0\n    ^\n" in refused.err
        ask("traders", "remove", "mine")
        assert "mine" not in {trader["spec"]["name"] for trader in ask("traders", "list")}

        assert ask("emergency", "stop")["changed"]
        assert ask("emergency", "resume")["changed"]
        assert ask("debug", "statistics")["router"]
        assert any(line["event"] == "worker ready" for line in ask("workers", "logs", "trader-1"))

        floor.send(signal.SIGINT)
        finished = floor.finish()
        assert finished.code == 130
        assert re.search(r"^lost +0$", finished.out, re.MULTILINE)
    assert list(runtime.iterdir()) == []
    assert tickfloor(tmp_path, "workers", "list").code == 3


def test_a_tick_is_traced_from_its_signal_to_the_database(tmp_path, runtime):
    with Command(tmp_path, "demo", "--db", "demo.db") as floor:
        tick = ""
        while not tick:
            tick = "".join(re.findall(r"^signal .*\[(demo:\d+)\]$", floor._process.stdout.readline()))
        until(lambda: len(tickfloor(tmp_path, "debug", "trace", tick, "--json").json) >= 4, "it is stored")
        steps = tickfloor(tmp_path, "debug", "trace", tick, "--json").json
        order = list(dict.fromkeys(step["message"] for step in steps))
        assert order == ["SignalsRaised", "StoreSignals", "SignalsStored", "SignalsAccepted"]
        floor.send(signal.SIGKILL)
    # What it left is no floor, and the next removes it.
    assert len(list(runtime.glob("*.sock"))) == 1
    assert tickfloor(tmp_path, "workers", "list").code == 3
    assert tickfloor(tmp_path, "demo", "--seconds", "0.5", "--db", "demo.db").code == 0
    assert list(runtime.iterdir()) == []
