"""``tickfloor feeds`` against a running floor: what is asked and what is shown."""

import pytest

from tests.floor.commands import tickfloor
from tests.supervisor.control.fake_floor import served_floor
from tickfloor.contracts.feeds import ConnectionReport, ConnectionState, NotLive, RepairReport, VenueReport


def connection(name: str, **changes) -> ConnectionReport:
    given = {
        "name": name, "route": "market", "url": "wss://fstream.example/market", "state": ConnectionState.OPEN,
        "age": 61.25, "streams": 40, "silent": 0, "refused": {}, "frames": 12_345, "bytes": 1, "malformed": 0,
        "quiet": 0.04, "attempts": 0, "reason": "",
    }  # fmt: skip
    return ConnectionReport(**given | changes)


def venue(**changes) -> VenueReport:
    repairs = {
        "waiting": 2, "in_flight": 1, "answered": 7, "failed": 0, "used_weight": 120, "weight_limit": 2400,
        "held_seconds": 0.0, "held_reason": "",
    }  # fmt: skip
    given = {
        "venue": "binance-usdm", "instruments": {"live": 18, "repairing": 1, "gap": 1},
        "connections": (
            connection("market-1"),
            connection("public-1", state=ConnectionState.WAITING, age=None, quiet=None, reason="refused: 503",
                       refused={"book of XYZUSDT": "unknown symbol"}),
        ),
        "repairs": RepairReport(**repairs | changes.pop("repairs", {})), "missing_trades": 31,
        "repaired_trades": 1_207, "skipped_trades": 0, "clock_ahead_ms": -12.5, "waits_for": "",
        "not_live": (
            NotLive(symbol="ETHUSDT", mark="repairing", reasons=("4 missing trades, and asked for",), seconds=3.25),
            NotLive(symbol="XRPUSDT", mark="gap", reasons=("trades silent", "1 missing trade"), seconds=None),
        ),
        "left_out": {"duplicate trades (binance-usdm)": 3},
    }  # fmt: skip
    return VenueReport(**given | changes)


@pytest.fixture
def served(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    with served_floor() as serving:
        serving.floor.venues = (venue(),)
        yield serving


def test_the_list_says_how_far_data_can_be_trusted_and_what_is_repaired(tmp_path, served):
    finished = tickfloor(tmp_path, "feeds", "list")
    assert [line.split() for line in finished.out.splitlines()] == [
        ["venue", "live", "stale", "repairing", "gap", "open", "frames", "missing", "repaired", "requests", "weight"],
        ["binance-usdm", "18", "0", "1", "1", "1/2", "24,690", "31", "1,207", "3", "120/2,400"],
    ]
    [found] = tickfloor(tmp_path, "feeds", "list", "--json").json
    assert (found["venue"], found["connections"][0]["state"]) == ("binance-usdm", "open")
    assert found["not_live"][1] == {
        "symbol": "XRPUSDT", "mark": "gap", "reasons": ["trades silent", "1 missing trade"], "seconds": None
    }  # fmt: skip


def test_a_venue_that_wants_to_hear_nothing_is_said_so(tmp_path, served):
    served.floor.venues = (venue(repairs={"held_seconds": 119.6, "held_reason": "418: the address is banned"}),)
    said = tickfloor(tmp_path, "feeds", "list").err
    assert "binance-usdm: no REST request for 120 s: 418: the address is banned" in said


def test_a_venue_is_shown_with_its_connections_and_refusals(tmp_path, served):
    finished = tickfloor(tmp_path, "feeds", "show", "binance-usdm")
    assert finished.code == 0
    for part in (
        "18 live, 1 repairing, 1 gap", "repaired trades    1,207", "2 waiting, 1 under way, 7 answered, 0 failed",
        "12.5 ms behind ours", "market-1", "61.2 s",
    ):  # fmt: skip
        assert part in finished.out
    assert "public-1: the venue refuses book of XYZUSDT: unknown symbol" in finished.err
    assert "public-1: waiting; the last connection ended: refused: 503" in finished.err


def test_what_is_not_live_is_named_with_its_mark_since_when_and_why(tmp_path, served):
    out = tickfloor(tmp_path, "feeds", "show", "binance-usdm").out
    assert ["ETHUSDT", "repairing", "3.2", "s", "4", "missing", "trades,", "and", "asked", "for"] in [
        line.split() for line in out.splitlines()
    ]
    assert "trades silent; 1 missing trade" in out
    assert "more" not in out


def test_of_many_that_are_not_live_the_rest_is_counted(tmp_path, served):
    served.floor.venues = (venue(instruments={"live": 1, "stale": 1_500, "gap": 2}),)
    assert "and 1,500 more\n" in tickfloor(tmp_path, "feeds", "show", "binance-usdm").out


def test_a_venue_that_has_not_said_what_it_trades_is_said_so(tmp_path, served):
    served.floor.venues = (venue(instruments={}, connections=(), not_live=(), waits_for="its list: no answer"),)
    for words in (("list",), ("show", "binance-usdm")):
        assert "binance-usdm: its list: no answer" in tickfloor(tmp_path, "feeds", *words).err
    assert "instruments        none yet" in tickfloor(tmp_path, "feeds", "show", "binance-usdm").out


@pytest.mark.parametrize("connections", [(), (connection("market-1"),)])
def test_an_unknown_venue_or_connection_is_not_found(tmp_path, served, connections):
    served.floor.venues = (venue(connections=connections),)
    for words in (("show", "okx"), ("reconnect", "okx"), ("reconnect", "binance-usdm", "market-9")):
        finished = tickfloor(tmp_path, "feeds", *words)
        assert finished.code == 3
        assert words[-1] in finished.err
    assert all(call[0] != "reconnect_feed" for call in served.floor.asked)


def test_a_floor_that_replays_has_no_feeds(tmp_path, served):
    served.floor.venues = ()
    finished = tickfloor(tmp_path, "feeds", "list")
    assert (finished.code, finished.out) == (3, "")
    assert "replays" in finished.err


def test_reconnecting_names_the_connections(tmp_path, served):
    finished = tickfloor(tmp_path, "feeds", "reconnect", "binance-usdm")
    assert finished.out == "binance-usdm: replacing 2 connections (market-1, public-1)\n"
    finished = tickfloor(tmp_path, "feeds", "reconnect", "binance-usdm", "public-1")
    assert finished.out == "binance-usdm: replacing 1 connection (public-1)\n"
