"""The same captures and rules give the same report, however they are played; and are stored once."""

import json

import pytest

from tests.floor.commands import stored, tickfloor


def bare(folder, name):
    """Return a report's bytes without its timings."""
    text = (folder / name).read_text()
    report = json.loads(text)
    timings = json.dumps(report["latency_us"], separators=(",", ":"))
    assert text.count(timings) == 1
    return text.replace(timings, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_capture, many_rules):
    """A folder with the report of a replay at full speed with one trader worker."""
    folder = tmp_path_factory.mktemp("determinism")
    found = tickfloor(
        folder,
        "replay",
        small_capture,
        "--rules",
        many_rules,
        "--workers",
        "1",
        "--report",
        "first.json",
        "--db",
        "a.db",
    )
    assert found.code == 0
    return folder


@pytest.mark.parametrize(
    ("name", "words", "settings"),
    [
        ("1000 times", ["--speed", "1000", "--workers", "1"], {}),
        ("1000 times, four workers", ["--speed", "1000", "--workers", "4"], {}),
        ("max, four workers", ["--workers", "4"], {}),
        ("the least tape", ["--workers", "4"], {"tape_records": 256}),
    ],
)
def test_the_report_is_the_same_byte_for_byte(folder, small_capture, many_rules, name, words, settings):
    report = f"{name}.json"
    words = [*words, "--report", report, "--db", f"{name}.db"]
    assert tickfloor(folder, "replay", small_capture, "--rules", many_rules, *words, **settings).code == 0
    assert bare(folder, report) == bare(folder, "first.json")
    assert len(json.loads((folder / report).read_text())["signals"]) > 300


def test_a_replay_that_is_run_again_is_stored_once(folder, small_capture, many_rules):
    count = stored(folder / "a.db")
    words = ["--report", "again.json", "--db", "a.db"]
    assert tickfloor(folder, "replay", small_capture, "--rules", many_rules, *words).code == 0
    assert stored(folder / "a.db") == count
    assert bare(folder, "again.json") == bare(folder, "first.json")


def test_a_replay_with_other_rules_adds_its_own_signals(folder, small_capture, tmp_path):
    rules = tmp_path / "other.toml"
    rules.write_text('[[trader]]\nname = "above the open"\nrule = "close > open and last > 0"\n')
    count = stored(folder / "a.db")
    words = ["--report", "other.json", "--db", "a.db"]
    assert tickfloor(folder, "replay", small_capture, "--rules", rules, *words).code == 0
    other = json.loads((folder / "other.json").read_text())["signals"]
    assert len(other) > 10
    assert stored(folder / "a.db") == count + len(other)


def test_the_signals_that_are_listed_are_those_of_the_report(folder):
    reported = json.loads((folder / "first.json").read_text())["signals"]
    listed = tickfloor(folder, "signals", "list", "--json", "--limit", "100000", "--db", "first-only.db")
    assert listed.code == 3
    copies = [path.name for path in folder.glob("max, four workers.db")]
    found = tickfloor(folder, "signals", "list", "--json", "--limit", "100000", "--db", *copies).json
    keys = ("trader", "instrument", "ts_event", "tape_sequence", "values")
    order = ("tape_sequence", "trader", "instrument")
    listed = sorted(({key: each[key] for key in keys} for each in found), key=lambda each: [each[key] for key in order])
    assert listed == reported
    times = [each["ts_event"] for each in found]
    assert times == sorted(times, reverse=True)


def test_captures_given_in_another_order_give_the_same_signals(tmp_path, data, many_rules):
    one = data / "raw" / "binance_spot_4sym_20211012.frames.gz"
    other = data / "raw" / "binance_usdm_4sym_20210722.frames.gz"
    reports = []
    for captures in ([one, other], [other, one]):
        name = f"{len(reports)}.json"
        assert tickfloor(tmp_path, "replay", *captures, "--rules", many_rules, "--report", name).code == 0
        reports.append(json.loads((tmp_path / name).read_text()))
    assert reports[0]["signals"] == reports[1]["signals"]
    assert reports[0]["instruments"] == reports[1]["instruments"]
