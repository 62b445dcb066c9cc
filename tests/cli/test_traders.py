"""``tickfloor traders`` against a running floor."""

import msgspec
import pytest
import typer

from tests.floor.commands import tickfloor
from tests.supervisor.control.fake_floor import STRATEGY, report, served_floor
from tickfloor.cli.trader_figures import rank_traders, show_trader
from tickfloor.cli.traders import list_traders, reload_traders
from tickfloor.contracts.commands import Measure, RuleProblem
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control.replies import TraderDetails


@pytest.fixture
def served(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    with served_floor() as floor:
        yield floor


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[trader]]\nname = "one"\nrule = "close > open"\ninterval = "5m"\n'
        '[[trader]]\nname = "two"\nrule = "close < open"\ncooldown = "30s"\n'
    )
    return path


def asked(served, what):
    return [words[1] for words in served.floor.asked if words[0] == what]


def test_traders_are_listed_with_their_place_and_state(tmp_path, served):
    finished = tickfloor(tmp_path, "traders", "list")
    assert (finished.code, finished.err) == (0, "bad: hung twice\n")
    assert finished.out.splitlines() == [
        "trader  worker    state        when     symbols  rule",
        "up      trader-1  running      tick 1m  *        close > open",
        "bad     –         quarantined  tick 1m  *        /home/me/my.py:Bad",
    ]
    first, second = tickfloor(tmp_path, "traders", "list", "--json").json
    assert (first["spec"]["rule"], second["quarantine"]) == ("close > open", "hung twice")


def test_no_traders_are_none(tmp_path, served):
    served.floor.traders.clear()
    assert tickfloor(tmp_path, "traders", "list").err == "no traders\n"
    assert tickfloor(tmp_path, "traders", "list", "--json").json == []


def test_a_trader_is_added_as_the_options_describe_it(tmp_path, served):
    finished = tickfloor(tmp_path, "traders", "add", "new", "--rule", "rsi(14) < 30")
    assert (finished.code, finished.out) == (0, "trader 'new': added, revision 1, in trader-1\n")
    words = ["--rule", "close > 1", "--symbols", "*USDT", "--symbols", "BTC*", "--interval", "5m"]
    words += ["--when", "close", "--cooldown", "1.5m", "--json"]
    finished = tickfloor(tmp_path, "traders", "add", "newer", *words)
    assert [placed["trader"] for placed in finished.json] == ["newer"]
    assert asked(served, "add_trader") == [
        TraderSpec(name="new", rule="rsi(14) < 30"),
        TraderSpec(
            name="newer",
            rule="close > 1",
            symbols=("*USDT", "BTC*"),
            interval="5m",
            when="close",
            cooldown_ns=90_000_000_000,
        ),
    ]


def test_traders_are_added_from_a_rules_file_all_or_one(tmp_path, served, rules):
    finished = tickfloor(tmp_path, "traders", "add", "--rules", rules)
    assert finished.out == (
        "trader 'one': added, revision 1, in trader-1\ntrader 'two': added, revision 1, in trader-1\n"
    )
    assert tickfloor(tmp_path, "traders", "add", "two", "--rules", rules).code == 0
    one, two = (
        TraderSpec(name="one", rule="close > open", interval="5m"),
        TraderSpec(name="two", rule="close < open", cooldown_ns=30_000_000_000),
    )
    assert asked(served, "add_trader") == [one, two, two]
    assert tickfloor(tmp_path, "traders", "update", "--rules", rules).code == 0
    assert asked(served, "update_trader") == [one, two]


def test_a_trader_is_updated_in_what_the_options_say(tmp_path, served):
    finished = tickfloor(tmp_path, "traders", "update", "up", "--cooldown", "5s")
    assert (finished.code, finished.out) == (0, "trader 'up': updated, revision 2, in trader-1\n")
    finished = tickfloor(tmp_path, "traders", "update", "up", "--when", "close", "--symbols", "BTCUSDT")
    assert finished.code == 0
    assert asked(served, "update_trader") == [
        TraderSpec(name="up", rule="close > open", cooldown_ns=5_000_000_000),
        TraderSpec(name="up", rule="close > open", when="close", symbols=("BTCUSDT",)),
    ]
    unknown = tickfloor(tmp_path, "traders", "update", "down", "--when", "close")
    assert (unknown.code, unknown.err) == (3, "tickfloor: there is no trader 'down'\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["add"], 2, "name the trader and give it a --rule, or give --rules FILE"),
        (["add", "x"], 2, "give it a --rule"),
        (["update"], 2, "name the trader, or give --rules FILE"),
        (["update", "up"], 2, "say what to change"),
        (["add", "x", "--rule", "close > 1", "--interval", "7x"], 2, "--interval must be one of 1m, "),
        (["add", "x", "--rule", "close > 1", "--cooldown", "soon"], 2, "--cooldown: 'soon' is not a duration"),
        (["add", "x", "--rule", "close > 1", "--when", "never"], 2, "never"),
        (["add", "x", "--rule", "close > 1", "--quote", "*USDT"], 2, "--quote must be one asset, for example USDT"),
        (["add", "--rules", "rules.toml", "--even-if-not-live"], 2, "--rules describes the traders"),
        (["list", "--top", "1001"], 2, "--top"),
        (["add", "--rules", "none.toml"], 3, "there is no rules file none.toml"),
        (["add", "--rules", "rules.toml", "--when", "close"], 2, "--rules describes the traders"),
        (["add", "three", "--rules", "rules.toml"], 3, "rules.toml: has no trader 'three'"),
        (["add", "x", "--rule", "x", *["--symbols", "x" * 100_000] * 3], 4, "too much for one request"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(tmp_path, served, rules, words, code, said):
    finished = tickfloor(tmp_path, "traders", *words)
    assert (finished.code, finished.out) == (code, "")
    assert said in finished.err
    assert "Traceback" not in finished.err
    assert served.floor.asked == []


def test_a_strategy_is_not_given_to_a_running_floor(tmp_path, served):
    (tmp_path / "my.py").write_text("class Momentum: ...\n")
    (tmp_path / "strategies.toml").write_text('[[trader]]\nname = "m"\nstrategy = "my.py:Momentum"\n')
    for word in ("add", "update"):
        finished = tickfloor(tmp_path, "traders", word, "--rules", "strategies.toml")
        assert (finished.code, finished.out) == (7, "")
        assert "a running floor takes rules only: start a floor with this file" in finished.err
    changed = tickfloor(tmp_path, "traders", "update", "bad", "--interval", "5m")
    assert changed.code == 7
    assert asked(served, "update_trader") == []


def test_traders_are_removed_pardoned_and_run(tmp_path, served):
    assert tickfloor(tmp_path, "traders", "remove", "up").out == "trader 'up': removed\n"
    assert tickfloor(tmp_path, "traders", "pardon", "bad").out == "trader 'bad': pardoned, revision 1, in trader-2\n"
    run = tickfloor(tmp_path, "traders", "run", "up", "bad")
    assert (run.code, run.out) == (0, "up: binance:BTCUSDT, binance:ETHUSDT\n")
    assert run.err == "1,234 evaluations, 2 matched\n"
    assert tickfloor(tmp_path, "traders", "run", "--json").json["evaluations"] == 1_234
    assert asked(served, "remove_trader") == ["up"]
    assert asked(served, "pardon_trader") == ["bad"]
    assert asked(served, "run_traders") == [("up", "bad"), ()]
    for word in ("remove", "pardon"):
        assert tickfloor(tmp_path, "traders", word, "up", "--json").json["trader"] == "up"


def done(capsys, command, *words):
    """Return exit code, output and errors of a command."""
    code = 0
    try:
        command(*words)
    except typer.Exit as end:
        code = end.exit_code
    return code, *capsys.readouterr()


def reloaded(capsys, *words):
    return done(capsys, reload_traders, *words)


def test_a_trader_is_shown_with_what_it_has_done(served, capsys):
    code, out, err = done(capsys, show_trader, "up", None, 10.0, False)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "trader             up",
        "state              running",
        "worker             trader-1",
        "revision           1",
        "rule               close > open",
        "symbols            *",
        "interval           1m",
        "when               tick",
        "requires live      yes",
        "columns            close@1m, open@1m",
        "evaluations        12,345",
        "matches            67",
        "signals            8",
        "time               12.5 ms, 25.0% of what its worker's traders took",
    ]
    shown = msgspec.json.decode(done(capsys, show_trader, "up", None, 10.0, True)[1])
    assert (shown["trader"]["spec"]["rule"], shown["report"]["signals"]) == ("close > open", 8)
    assert asked(served, "show_trader") == ["up", "up"]


def test_a_strategy_is_shown_with_its_calls_and_rules(served, capsys):
    spec = TraderSpec(
        name="mine", strategy="/home/me/my.py:Mine", symbols=("BTC*", "ETH*"), exclude=("*UP*",), quote="USDT"
    )
    served.floor.traders["mine"] = TraderDetails(spec=spec, worker="trader-2", quarantine="")
    served.floor.reports["mine"] = report("mine", busy_seconds=12.0, strategy=STRATEGY)
    lines = done(capsys, show_trader, "mine", None, 10.0, False)[1].splitlines()
    assert lines[4:9] == [
        "strategy           /home/me/my.py:Mine",
        "symbols            BTC* ETH*",
        "excluded           *UP*",
        "quote              USDT",
        "interval           1m",
    ]
    assert lines[-7:] == [
        "time               12.0 s, 25.0% of what its worker's traders took",
        "calls              1,000, 12.5 us each on the mean, 1 too long",
        "failures           2",
        "held back          3",
        "memory kept        3.0 MiB",
        "last failure       ValueError: no",
        "rule up            close > open (1 evaluation, 0 matched)",
    ]


def test_a_trader_without_figures_says_why_it_has_none(served, capsys):
    lines = done(capsys, show_trader, "bad", None, 10.0, False)[1].splitlines()
    assert lines[1:3] == ["state              quarantined: hung twice", "worker             –"]
    assert lines[-1] == "figures            none: it does not run"
    del served.floor.reports["up"]
    lines = done(capsys, show_trader, "up", None, 10.0, False)[1].splitlines()
    assert lines[-1] == "figures            none: its worker does not answer"


def test_a_name_that_there_is_not_gives_the_nearest_one(tmp_path, served, capsys):
    finished = tickfloor(tmp_path, "traders", "show", "bd")
    assert (finished.code, finished.out) == (3, "")
    assert finished.err == "tickfloor: there is no trader 'bd'; did you mean 'bad'?\n"
    code, _, err = done(capsys, show_trader, "nothing like it", None, 10.0, False)
    assert (code, err) == (3, "tickfloor: there is no trader 'nothing like it'\n")


def test_the_first_traders_are_listed_with_what_they_have_done(tmp_path, served, capsys):
    finished = tickfloor(tmp_path, "traders", "list", "--top", "7", "--by", "signals")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines() == [
        "trader  worker    evaluations  matches  signals     time  share  rule",
        "up      trader-1       12,345       67        8  12.5 ms  25.0%  close > open",
    ]
    served.floor.silent = ("trader-2",)
    (ranked,) = msgspec.json.decode(done(capsys, rank_traders, Measure.TIME, 1, None, 10.0, True)[1])
    assert (ranked["trader"]["worker"], ranked["report"]["matches"]) == ("trader-1", 67)
    served.floor.reports.clear()
    _, _, err = done(capsys, list_traders, 3, None, None, 10.0, False)
    assert err == "trader-2: no answer; the traders there are left out\n"
    served.floor.silent = ()
    assert done(capsys, list_traders, 3, None, None, 10.0, False)[2] == "no traders\n"
    measures = [words[1:3] for words in served.floor.asked if words[0] == "rank_traders"]
    assert measures == [(Measure.SIGNALS, 7), (Measure.TIME, 1), (Measure.TIME, 3), (Measure.TIME, 3)]


def test_a_measure_without_a_number_is_refused(served, capsys):
    code, _, err = done(capsys, list_traders, None, "time", None, 10.0, False)
    assert (code, err) == (2, "tickfloor: --by ranks the traders of --top N; give both\n")
    assert served.floor.asked == []


def test_instruments_and_liveness_are_chosen_and_taken_back(tmp_path, served):
    words = ["--exclude", "*UP*", "--exclude", "*DOWN*", "--quote", "USDT", "--even-if-not-live"]
    assert tickfloor(tmp_path, "traders", "add", "new", "--rule", "close > 1", *words).code == 0
    chosen = {"exclude": ("*UP*", "*DOWN*"), "quote": "USDT", "requires_live": False}
    assert asked(served, "add_trader") == [TraderSpec(name="new", rule="close > 1", **chosen)]
    spec = TraderSpec(name="up", rule="close > open", **chosen)
    served.floor.traders["up"] = TraderDetails(spec=spec, worker="trader-1", quarantine="")
    words = ["--exclude", "", "--quote", "", "--requires-live"]
    assert tickfloor(tmp_path, "traders", "update", "up", *words).code == 0
    assert tickfloor(tmp_path, "traders", "update", "up", "--even-if-not-live").code == 0
    assert asked(served, "update_trader") == [TraderSpec(name="up", rule="close > open"), spec]


def test_strategies_are_reloaded_one_or_all(served, capsys):
    code, out, err = reloaded(capsys, "bad", False, None, 10.0, False)
    assert (code, out, err) == (0, "trader 'bad': reloaded, revision 2, in trader-1\n", "")
    spec = TraderSpec(name="good", strategy="/home/me/my.py:Good")
    served.floor.traders["good"] = TraderDetails(spec=spec, worker="trader-2", quarantine="")
    code, out, _ = reloaded(capsys, None, True, None, 10.0, True)
    assert code == 0
    assert [each["trader"] for each in msgspec.json.decode(out)] == ["bad", "good"]
    assert asked(served, "reload_trader") == ["bad", "bad", "good"]
    served.floor.traders.clear()
    assert reloaded(capsys, None, True, None, 10.0, False) == (0, "", "no strategies\n")


def test_a_strategy_that_cannot_be_reloaded_is_shown_with_a_caret(served, capsys):
    problem = RuleProblem(trader="bad", text="emaa(12)", column=1, message="unknown function", hint="did you mean")
    served.floor.broken["bad"] = (problem,)
    code, out, err = reloaded(capsys, None, True, None, 10.0, False)
    assert (code, out) == (4, "")
    assert err.splitlines() == [
        "trader 'bad': unknown function",
        "    emaa(12)",
        "    ^",
        "    did you mean",
        "tickfloor: trader 'bad' cannot run",
    ]


@pytest.mark.parametrize(("name", "every"), [(None, False), ("bad", True)])
def test_what_to_reload_has_to_be_said(served, capsys, name, every):
    code, _, err = reloaded(capsys, name, every, None, 10.0, False)
    assert (code, err) == (2, "tickfloor: name a strategy, or give --all\n")
    assert served.floor.asked == []
