"""What a user may get wrong, and how the command says so: the code, the place, and nothing half done."""

import gzip
import json
import os

import pytest

from tests.floor.commands import tickfloor

RULE = '[[trader]]\nname = "up"\nrule = "close > open"\n'


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULE)
    return path


@pytest.fixture(scope="module")
def text(small_capture):
    """The capture's lines."""
    return gzip.decompress(small_capture.read_bytes()).splitlines(keepends=True)


def replay(folder, capture, *words, **settings):
    """Return how a replay ended, and its report."""
    finished = tickfloor(folder, "replay", capture, "--report", "report.json", *words, **settings)
    assert "Traceback" not in finished.err, finished.err
    report = folder / "report.json"
    return finished, json.loads(report.read_text()) if report.exists() else None


def made_by(folder):
    """Return what a command has left in its folder, besides what was there."""
    return sorted(path.name for path in folder.iterdir() if path.name.endswith((".db", ".json", ".db-wal", ".db-shm")))


# Captures


def test_a_cut_capture_is_used_as_far_as_it_goes(tmp_path, small_capture, rules):
    whole = small_capture.read_bytes()
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    finished, report = replay(tmp_path, "cut.gz", "--rules", rules)
    assert finished.code == 1
    assert 1_000 < report["frames"] < 4_716
    [problem] = report["problems"]
    assert problem["file"] == "cut.gz"
    assert problem["line"] > report["frames"]
    assert "the gzip data is cut off" in problem["reason"]
    assert f"cut.gz:{problem['line']}: the gzip data is cut off" in finished.err
    assert "1 problem," in finished.err
    assert report["signals"] != []


def test_a_damaged_capture_is_used_as_far_as_it_goes(tmp_path, small_capture):
    whole = bytearray(small_capture.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    (tmp_path / "damaged.gz").write_bytes(whole)
    finished, report = replay(tmp_path, "damaged.gz")
    assert finished.code == 1
    # What the damage makes of the text after it are lines like any other: most of them are none of a capture.
    assert report["frames"] > 1_000
    assert report["problems"][0]["line"] > 1_000


def test_a_capture_that_is_plain_text_is_read(tmp_path, text, small_capture):
    (tmp_path / "plain.frames").write_bytes(b"".join(text))
    finished, report = replay(tmp_path, "plain.frames")
    assert (finished.code, report["frames"]) == (0, 4_716)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "no provenance line"),
        (b"hello\n" * 100, "no provenance line"),
        (b"# {this is no json}\n", "the provenance line cannot be read"),
        (b"# " + b"[" * 100_000 + b"\n", "the provenance line cannot be read"),
        (b"\x1f\x8b\x08", "the gzip data is cut off"),
    ],
    ids=["empty", "empty gzip", "a picture", "text", "no json", "deep json", "three bytes"],
)
def test_a_file_that_is_no_capture_is_a_problem_with_its_place(tmp_path, content, reason):
    (tmp_path / "it").write_bytes(content)
    finished, report = replay(tmp_path, "it")
    assert finished.code == 1
    assert (report["frames"], report["instruments"], report["signals"]) == (0, {}, [])
    assert report["problems"][0]["line"] == 1
    assert finished.err.count("it:1: ") == 1
    assert reason in finished.err


def test_malformed_frames_are_left_out_and_counted_with_their_lines(tmp_path, text, rules):
    lines = list(text)
    bad = {
        1_000: b"no tabs at all\n",
        1_500: b'1617566600000000000\tF\t\t{"stream": cut\n',
        2_000: b"never\tF\t\t{}\n",
        2_500: b"1617566600000000000\tX\t\t{}\n",
        3_000: b"1617566600000000000\tF\t\xff\xfe\t{}\n",
        3_500: b"1617566600000000000\tF\t\t" + b"[" * 100_000 + b"\n",
    }
    for number, line in bad.items():
        lines.insert(number - 1, line)
    (tmp_path / "bad.frames").write_bytes(b"".join(lines))
    finished, report = replay(tmp_path, "bad.frames", "--rules", rules)
    assert finished.code == 1
    assert [problem["line"] for problem in report["problems"]] == sorted(bad)
    for number in bad:
        assert f"bad.frames:{number}: " in finished.err
    assert f"{len(bad)} problems" in finished.err
    # All else is as it would be without them.
    (tmp_path / "good.frames").write_bytes(b"".join(text))
    _, good = replay(tmp_path, "good.frames", "--rules", rules)
    assert report["instruments"] == good["instruments"]
    assert report["signals"] == good["signals"]


def test_hundreds_of_problems_are_counted_and_the_first_are_shown(tmp_path, text):
    lines = list(text)
    lines[100:100] = [b"rubbish\n"] * 500
    (tmp_path / "bad.frames").write_bytes(b"".join(lines))
    finished, report = replay(tmp_path, "bad.frames")
    assert finished.code == 1
    assert len(report["problems"]) == 100
    assert finished.err.count("bad.frames:") == 20
    assert "… and 480 more problems" in finished.err
    assert "500 problems" in finished.err


def test_a_venue_that_cannot_be_replayed_is_named_and_the_others_are_used(tmp_path, data, small_capture):
    kraken = data / "raw" / "kraken_v1_10sym_20210417.frames.gz"
    finished, _ = replay(tmp_path, kraken)
    assert finished.code == 1
    assert "cannot be replayed; supported are binance spot, binance usdm, binance coinm" in finished.err
    finished = tickfloor(tmp_path, "replay", kraken, small_capture, "--report", "both.json")
    assert finished.code == 1
    assert json.loads((tmp_path / "both.json").read_text())["frames"] == 4_716


def test_a_missing_capture_is_not_found_and_nothing_is_done(tmp_path, small_capture):
    finished = tickfloor(tmp_path, "replay", small_capture, "none.gz", "--report", "report.json")
    assert (finished.code, finished.out) == (3, "")
    assert "there is no capture none.gz" in finished.err
    assert made_by(tmp_path) == []


# Options


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_is_a_number_above_0_or_max(tmp_path, small_capture, speed):
    finished = tickfloor(tmp_path, "replay", small_capture, "--speed", speed)
    assert finished.code == 2
    assert "--speed must be a number above 0, or max" in finished.err
    assert made_by(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["replay"],
        ["replay", "x", "--workers", "17"],
        ["no-such"],
        ["demo", "--seconds", "-1"],
        ["demo", "--instruments", "134"],
        ["--no-such"],
    ],
)
def test_wrong_usage_is_two(tmp_path, words):
    finished = tickfloor(tmp_path, *words)
    assert finished.code == 2
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    ("report", "message", "code"),
    [("no/such/folder.json", "there is no folder", 3), (".", "it is a folder", 1), ("/proc/report.json", "cannot", 1)],
)
def test_a_report_that_cannot_be_written_is_said_before_the_replay(tmp_path, small_capture, report, message, code):
    finished = tickfloor(tmp_path, "replay", small_capture, "--report", report)
    assert finished.code == code
    assert "the report" in finished.err
    assert message in finished.err
    assert "Traceback" not in finished.err
    if report != "/proc/report.json":
        # The kernel says of /proc that root may write it: that shows only when it is tried.
        assert made_by(tmp_path) == []


# Rules


def test_a_rule_that_cannot_run_is_shown_with_file_line_column_and_caret(tmp_path, small_capture):
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[trader]]\nname = "good"\nrule = "last > 1"\n\n[[trader]]\nname = "bad"\nrule = "last > emaa(5)"\n'
    )
    for words in (["rules", "check", path], ["replay", small_capture, "--rules", path]):
        finished = tickfloor(tmp_path, *words)
        assert (finished.code, finished.out) == (4, "")
        lines = finished.err.splitlines()
        place = next(index for index, line in enumerate(lines) if line.startswith(f"{path}:7:16: trader 'bad': "))
        assert "emaa" in lines[place]
        assert lines[place + 1 : place + 3] == ["    last > emaa(5)", "    " + " " * 7 + "^"]
        assert "ema" in lines[place + 3]
        assert "emaa" not in lines[place + 3]
        assert "cannot run" in lines[-1]
    assert made_by(tmp_path) == []


def test_a_rule_over_several_lines_is_shown_by_its_line(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('[[trader]]\nname = "bad"\nrule = """\nlast > 1\n  and lats > 2\n"""\n')
    finished = tickfloor(tmp_path, "rules", "check", path)
    assert finished.code == 4
    assert f"{path}:5:7: " in finished.err
    assert "      and lats > 2\n          ^\n" in finished.err
    assert "last" in finished.err


def test_problems_of_rules_are_data_for_a_program(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('[[trader]]\nname = "bad"\nrule = "lats > 1"\n[[trader]]\nname = "good"\nrule = "last > 1"\n')
    finished = tickfloor(tmp_path, "rules", "check", path, "--json")
    assert finished.code == 4
    [problem] = finished.json["problems"]
    assert (finished.json["traders"], problem["trader"], problem["line"], problem["column"]) == (2, "bad", 3, 9)
    assert problem["rule"] == "lats > 1"
    assert "last" in problem["hint"]


def test_a_strategy_that_cannot_run_is_shown_with_its_place_and_the_line_of_its_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('[[trader]]\nname = "mine"\nstrategy = "my.py:Mine"\n')
    (tmp_path / "my.py").write_text("x = 1\nclass Mine(\n")
    finished = tickfloor(tmp_path, "rules", "check", path)
    assert (finished.code, finished.out) == (4, "")
    assert f"{path}:3:13: trader 'mine': {tmp_path}/my.py:2: '(' was never closed\n" in finished.err
    assert "^" not in finished.err
    [problem] = tickfloor(tmp_path, "rules", "check", path, "--json").json["problems"]
    assert (problem["trader"], problem["line"], problem["column"]) == ("mine", 3, 13)


def test_good_rules_are_said_to_be_good(tmp_path, rules):
    finished = tickfloor(tmp_path, "rules", "check", rules)
    assert (finished.code, finished.out, finished.err) == (0, f"{rules}: 1 trader, all of them can run\n", "")
    assert tickfloor(tmp_path, "rules", "check", rules, "--json").json["problems"] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (RULE + "rul = 1\n", ":1: trader 1: unknown key 'rul'"),
        ("[[trader]\n", "at line 1"),
        (RULE + RULE, ":4: trader 2: is named 'up'"),
        ("", "holds no [[trader]]"),
    ],
)
def test_a_rules_file_with_an_error_is_invalid_and_nothing_is_done(tmp_path, small_capture, content, message):
    path = tmp_path / "bad.toml"
    path.write_text(content)
    for words in (["replay", small_capture, "--rules", path], ["rules", "check", path]):
        finished = tickfloor(tmp_path, *words)
        assert (finished.code, finished.out) == (4, "")
        assert str(path) in finished.err
        assert message in finished.err
    assert made_by(tmp_path) == []


def test_a_rules_file_that_is_not_there_is_not_found(tmp_path, small_capture):
    for words in (["replay", small_capture, "--rules", "none.toml"], ["rules", "check", "none.toml"]):
        finished = tickfloor(tmp_path, *words)
        assert finished.code == 3
        assert "there is no rules file none.toml" in finished.err


def test_what_leaves_a_trader_without_an_instrument_is_said_with_the_nearest_symbol(tmp_path, small_capture):
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[trader]]\nname = "typo"\nrule = "last > 1"\nsymbols = ["BTCUSTD"]\n'
        '[[trader]]\nname = "venue"\nrule = "last > 1"\nsymbols = ["binnace:ETHUSDT"]\n'
        '[[trader]]\nname = "quoted"\nrule = "last > 1"\nquote = "JPY"\n'
        '[[trader]]\nname = "left"\nrule = "last > 1"\nsymbols = ["btc*"]\nexclude = ["BTC*", "x"]\n'
        '[[trader]]\nname = "both"\nrule = "last > 1"\nquote = "USDT"\nexclude = ["*USDT"]\n'
        '[[trader]]\nname = "far"\nrule = "last > 1"\nsymbols = ["*JPY"]\n'
        '[[trader]]\nname = "good"\nrule = "last > 1"\nsymbols = ["XYZ", "btc*"]\n'
    )
    finished = tickfloor(tmp_path, "replay", small_capture, "--rules", path)
    assert finished.code == 0
    assert "trader 'typo': there was no instrument like 'BTCUSTD'; did you mean 'BTCUSDT'?\n" in finished.err
    assert (
        "trader 'venue': there was no instrument like 'binnace:ETHUSDT'; did you mean 'binance:ETHUSDT'?\n"
        in finished.err
    )
    assert "trader 'far': there was no instrument like '*JPY'\n" in finished.err
    assert "trader 'quoted': no instrument like '*' was quoted in 'JPY'\n" in finished.err
    assert "trader 'left': exclude 'BTC*', 'x' left out every instrument like 'btc*'\n" in finished.err
    assert "trader 'both': exclude '*USDT' left out every instrument like '*' quoted in 'USDT'\n" in finished.err
    assert "'good'" not in finished.err


# Databases and memory


@pytest.mark.parametrize("database", ["no/such/folder/floor.db", "/proc/floor.db", "nonsense://x", "."])
def test_a_database_that_cannot_be_written_ends_it_before_it_begins(tmp_path, small_capture, rules, database):
    finished = tickfloor(
        tmp_path, "replay", small_capture, "--rules", rules, "--report", "report.json", "--db", database
    )
    assert finished.code == 1
    assert finished.err.startswith("tickfloor: storage-1 did not start: StorageError: ")
    assert "Traceback" not in finished.err
    assert made_by(tmp_path) == []


def test_a_file_that_is_no_database_is_left_as_it_was(tmp_path, small_capture):
    path = tmp_path / "notes.txt"
    path.write_text("notes " * 1_000)
    finished = tickfloor(tmp_path, "replay", small_capture, "--db", path)
    assert finished.code == 1
    assert "file is not a database" in finished.err
    assert path.read_text() == "notes " * 1_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_database_in_a_folder_that_may_not_be_written_says_so(tmp_path, small_capture):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    finished = tickfloor(tmp_path, "replay", small_capture, "--db", folder / "floor.db")
    assert finished.code == 1
    assert "unable to open database file" in finished.err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tape_records": 1 << 32}, "make it smaller (tape_records, board_instruments, board_depth) or free memory"),
        ({"board_instruments": 1 << 20, "board_depth": 1 << 20}, "cannot map a segment of"),
    ],
)
def test_too_little_memory_for_the_segments_is_a_clear_message_and_nothing_is_done(
    tmp_path, small_capture, rules, settings, message
):
    finished = tickfloor(tmp_path, "replay", small_capture, "--rules", rules, "--report", "report.json", **settings)
    assert finished.code == 1
    assert "segment" in finished.err
    assert message in finished.err
    assert len(finished.err.splitlines()) == 1
    assert made_by(tmp_path) == []


def test_more_instruments_than_the_board_has_rows_is_a_clear_end(tmp_path, small_capture, rules):
    finished = tickfloor(tmp_path, "replay", small_capture, "--rules", rules, board_instruments=2)
    assert finished.code == 1
    assert "board" in finished.err
    assert "Traceback" not in finished.err


def test_a_report_that_would_overwrite_what_the_replay_uses_is_refused(tmp_path, small_capture, rules):
    (tmp_path / "own.frames.gz").write_bytes(small_capture.read_bytes())
    (tmp_path / "own.toml").write_bytes(rules.read_bytes())
    for target in ("own.frames.gz", "./own.toml"):
        before = (tmp_path / target).read_bytes()
        finished = tickfloor(tmp_path, "replay", "own.frames.gz", "--rules", "own.toml", "--report", target)
        assert finished.code == 2
        assert "would overwrite" in finished.err
        assert (tmp_path / target).read_bytes() == before


# Settings


def test_a_setting_that_is_not_valid_is_invalid(tmp_path, small_capture):
    (tmp_path / "floor.toml").write_text("tape_recrods = 1\n")
    for words in (
        ["replay", small_capture, "--config", "floor.toml"],
        ["config", "check", "floor.toml"],
        ["signals", "list", "--config", "floor.toml"],
    ):
        finished = tickfloor(tmp_path, *words)
        assert (finished.code, finished.out) == (4, "")
        assert "floor.toml: unknown setting 'tape_recrods'" in finished.err
    finished = tickfloor(tmp_path, "config", "check", tape_records=77)
    assert finished.code == 4
    assert "TICKFLOOR_TAPE_RECORDS: " in finished.err


def test_a_settings_file_that_is_not_there_is_not_found(tmp_path):
    finished = tickfloor(tmp_path, "config", "check", "none.toml")
    assert finished.code == 3
    assert "there is no settings file none.toml" in finished.err
