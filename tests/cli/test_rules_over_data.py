"""`tickfloor rules test` as a user runs it."""

import gzip
import os
import pty
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.feeds.recorded import data_directory
from tests.floor.commands import tickfloor

DAY_MS = 1_699_920_000_000
CANDLES = "start_ms,open,high,low,close,volume\n" + "".join(
    f"{DAY_MS + minute * 60_000},10,13,9,{10 + minute % 3},{minute % 4}\n" for minute in range(13)
)
TRADES = "ts_us,price,qty,side,id\n" + "".join(
    f"{(DAY_MS + at * 1000) * 1000},{10 + at % 3},1,buy,{at}\n" for at in range(200)
)
RULES = """
[[trader]]
name = "up"
rule = "close > 11"
when = "close"
[[trader]]
name = "down"
strategy = "down.py:Down"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "candles.csv").write_text(CANDLES)
    (tmp_path / "trades.csv.gz").write_bytes(gzip.compress(TRADES.encode()))
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "down.py").write_text("")
    return tmp_path


def test_a_rule_over_candles(folder):
    done = tickfloor(folder, "rules", "test", "close > 11 and volume > 1", "--data", "candles.csv")
    assert done.code == 0
    assert done.err == "candles: 4 candles without a trade left out: there, a floor has no bar\n"
    assert done.out.splitlines() == [
        "time UTC             price  close  volume",
        "2023-11-14 00:03:00     12     12       2",
        "2023-11-14 00:12:00     12     12       3",
        (
            "candles: true at 2 of 9 1m bars (22.22 %) from 2023-11-14 00:02:00 to 2023-11-14 00:12:00; "
            "2 signals, first 2023-11-14 00:03:00, last 2023-11-14 00:12:00"
        ),
    ]


def test_a_rule_over_trades_for_a_program(folder):
    done = tickfloor(folder, "rules", "test", "last > 11", "--json", "--limit", "1", "--data", "trades.csv.gz")
    [found] = done.json
    assert found.pop("signals") == [
        {"ts_event": (DAY_MS + 2000) * 1_000_000, "price": 12.0, "values": {"last": 12.0}},
    ]
    assert found == {
        "instrument": "trades",
        "files": ["trades.csv.gz"],
        "rule": "last > 11",
        "when": "tick",
        "interval": "1m",
        "decided": 200,
        "matched": 66,
        "from": DAY_MS * 1_000_000,
        "to": (DAY_MS + 199_000) * 1_000_000,
        "late_trades": 0,
        "notes": [],
        "signal_count": 66,
    }


def test_several_files_are_several_instruments_or_one_by_name(folder):
    (folder / "more.csv").write_text(CANDLES.splitlines()[0] + f"\n{DAY_MS + 1_800_000},10,13,9,12,1\n")
    done = tickfloor(folder, "rules", "test", "close > 11", "--json", "--data", "candles.csv", "trades.csv.gz")
    assert [(found["instrument"], found["when"]) for found in done.json] == [("candles", "close"), ("trades", "tick")]
    words = ("--symbol", "BTCUSDT", "--data", "candles.csv", "--data", "more.csv")
    [found] = tickfloor(folder, "rules", "test", "close > 11", "--json", *words).json
    assert (found["instrument"], found["decided"], found["to"]) == ("BTCUSDT", 10, (DAY_MS + 1_860_000) * 1_000_000)


def test_a_trader_of_a_rules_file_is_decided_as_it_says(folder):
    words = ("--rules", "rules.toml", "--json", "--data", "trades.csv.gz")
    [found] = tickfloor(folder, "rules", "test", "up", *words).json
    assert (found["rule"], found["when"], found["decided"]) == ("close > 11", "close", 3)
    [found] = tickfloor(folder, "rules", "test", "up", *words, "--when", "tick").json
    assert (found["when"], found["decided"]) == ("tick", 200)


def test_a_rule_uses_the_named_rules_of_the_file(folder):
    (folder / "named.toml").write_text('[rules]\nis_up = "close > {level=11}"\n' + RULES)
    words = ("--rules", "named.toml", "--json", "--data", "candles.csv")
    [found] = tickfloor(folder, "rules", "test", "is_up and volume > 1", *words).json
    assert (found["rule"], found["signal_count"]) == ("(close > 11) and volume > 1", 2)


def test_cooldown_and_interval_are_the_options(folder):
    words = ("--cooldown", "1m", "--interval", "5m", "--json", "--data", "trades.csv.gz")
    [found] = tickfloor(folder, "rules", "test", "last > 11", *words).json
    assert (found["interval"], found["signal_count"]) == ("5m", 4)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["close > 1"], 2, "there is no data; name files with --data"),
        (["close > 1", "--data", "none.csv"], 3, "there is no data file none.csv"),
        (["close >", "--data", "candles.csv"], 4, "  close >\n         ^"),
        (["nonsense", "--data", "candles.csv"], 4, "unknown column `nonsense`"),
        (
            ["upp", "--rules", "rules.toml", "--data", "candles.csv"],
            4,
            "no trader of that name either; did you mean 'up'?",
        ),
        (["down", "--rules", "rules.toml", "--data", "candles.csv"], 1, "trader 'down' is a strategy"),
        (["up", "--rules", "none.toml", "--data", "candles.csv"], 3, "there is no rules file none.toml"),
        (["close > 1", "--when", "tick", "--data", "candles.csv"], 1, "decide it at the close"),
        (['close > close("1m")', "--interval", "7m", "--data", "candles.csv"], 2, "--interval must be one of 1m, 5m"),
        (["close > 1", "--cooldown", "soon", "--data", "candles.csv"], 2, "'soon' is not a duration"),
        (["close > 1", "--data", "bad\x1b[31m.csv"], 1, "bad\\x1b[31m.csv:3: close is 'x', which is no number"),
        (["close > 1", "--data", "rules.toml"], 1, "rules.toml:1: the header"),
        (["close > 1", "--svg", "no/a.svg", "--data", "candles.csv"], 3, "no folder for the picture"),
        (["close > 1", "--svg", "a.png", "--data", "candles.csv"], 2, "ends in .svg"),
        (["close > 1", "--svg", "a.svg", "--data", "candles.csv", "trades.csv.gz"], 2, "--svg draws one instrument"),
        (['close > close["ETHUSDT"]', "--data", "trades.csv.gz"], 1, "a history is of one instrument"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(folder, words, code, message):
    rows = CANDLES.splitlines(keepends=True)
    (folder / "bad\x1b[31m.csv").write_text(rows[0] + rows[1] + f"{DAY_MS + 60_000},1,1,1,x,1\n")
    done = tickfloor(folder, "rules", "test", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "\x1b" not in done.err
    assert "Traceback" not in done.err


def test_what_candles_do_not_say_is_named(folder):
    done = tickfloor(folder, "rules", "test", "bid > 1 or delta > 0", "--data", "candles.csv")
    assert "candles do not say bid, delta: unknown, and what is unknown does not match" in done.err
    assert "true at 0 of 9 1m bars" in done.out


def test_what_trades_do_not_say_is_named(folder):
    done = tickfloor(
        folder, "rules", "test", "imbalance > 0 or bid > 1 or quote_volume_24h > 1", "--data", "trades.csv.gz"
    )
    assert done.err == "trades: trades do not say bid, quote_volume_24h: unknown, and what is unknown does not match\n"
    (folder / "sideless.csv").write_text(f"ts_ms,price,qty\n{DAY_MS},10,1\n{DAY_MS + 1},11,1\n")
    done = tickfloor(folder, "rules", "test", "imbalance < 0 or cumulative_delta < 0", "--data", "sideless.csv")
    assert done.err == "sideless: 2 trades without the taker's side count as sold in delta, cumulative_delta\n"
    assert "true at 2 of 2 trades" in done.out
    done = tickfloor(folder, "rules", "test", "close > 1 and volume > 1", "--data", "sideless.csv")
    assert done.err == ""


def test_the_price_is_drawn_with_its_signals(folder):
    done = tickfloor(folder, "rules", "test", "close > 11", "--plot", "--data", "candles.csv", "--limit", "0")
    lines = done.out.splitlines()
    assert lines[0] == "… and 3 more signals; --limit shows more"
    assert lines[1].startswith("            12 ")
    assert lines[14].startswith("            10 ")
    assert lines[15].startswith("       signals ")
    assert lines[15].count("▲") == 3
    assert lines[16].split() == ["UTC", "2023-11-14", "00:02:00", "2023-11-14", "00:12:00"]
    done = tickfloor(folder, "rules", "test", "close > 11", "--svg", "<&>.svg", "--data", "candles.csv")
    assert done.code == 0
    tree = ElementTree.fromstring((folder / "<&>.svg").read_text())
    kinds = [element.tag.rpartition("}")[2] for element in tree]
    assert (kinds.count("path"), kinds.count("polyline")) == (3, 1)
    assert tree.find("{*}text").text == "candles: close > 11"


def test_on_a_terminal_it_shows_how_far_it_is_and_steers_nothing(folder):
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "tickfloor", "rules", "test", "close > 11", "--plot", "--data", "candles.csv"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, cwd=folder, stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    said = bytearray()
    try:
        while chunk := os.read(ours, 1 << 16):
            said += chunk
    except OSError:  # its end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert "reading" in text
    assert "▲" in text
    assert "\x1b" not in text


def test_recorded_candles_and_trades(tmp_path):
    data = data_directory()
    candles = data / "candles" / "btcperp_1m_202201.csv.gz"
    rule = "crosses_above(ema(12), ema(26)) and rsi(14) < 60"
    [found] = tickfloor(tmp_path, "rules", "test", rule, "--json", "--data", candles).json
    assert found["decided"] == 45_031
    assert 100 < found["signal_count"] == found["matched"]
    trades = data / "trades" / "kraken_bcheur_csv_20230101.csv.gz"
    [found] = tickfloor(tmp_path, "rules", "test", "last > 90", "--json", "--data", trades).json
    assert found["decided"] == 148
