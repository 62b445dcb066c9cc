import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.cli.rules_file import RulesFile, parse_duration
from tickfloor.cli.rules_text import Place
from tickfloor.contracts.errors import ConfigError
from tickfloor.contracts.traders import TraderSpec, code_digest


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "rules.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path):
    with pytest.raises(ConfigError) as caught:
        RulesFile(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def test_a_trader_has_defaults(write):
    file = RulesFile(write('[[trader]]\nname = "a"\nrule = "last > 1"\n'))
    assert file.specs == (
        TraderSpec(name="a", rule="last > 1", symbols=("*",), when="tick", interval="1m", cooldown_ns=0),
    )


def test_every_key_is_read(write):
    file = RulesFile(
        write(
            '[[trader]]\nname = "a"\nrule = "last > 1"\nsymbols = ["*USDT", "BTCEUR"]\nwhen = "close"\n'
            'interval = "15m"\ncooldown = "1.5h"\nexclude = ["*UP*"]\nquote = "USDT"\nrequires_live = false\n'
            '[[trader]]\nname = "b"\nrule = "last < 1"\n'
        )
    )
    assert file.specs[0] == TraderSpec(
        name="a", rule="last > 1", symbols=("*USDT", "BTCEUR"), when="close", interval="15m", cooldown_ns=5_400 * 10**9,
        exclude=("*UP*",), quote="USDT", requires_live=False,
    )  # fmt: skip
    assert [spec.name for spec in file.specs] == ["a", "b"]


GOOD = 'name = "a"\nrule = "last > 1"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": holds no [[trader]]"),
        ("# nothing\n", ": holds no [[trader]]"),
        ("[[trader]\n", ": Expected ']]' at the end of an array declaration (at line 1"),
        ('[[trader]]\nname = "a\n', ": Illegal character '\\n' (at line 2"),
        (f"[[trader]]\n{GOOD}{GOOD}", ": Cannot overwrite a value (at line 4"),
        (f"[trader]\n{GOOD}", ": write [[trader]], with two brackets, for each trader"),
        (f"[[traders]]\n{GOOD}", ": unknown table 'traders'; a rules file holds [[trader]] tables"),
        (f"[[trader]]\n{GOOD}\n[[trader]]\n{GOOD}", ":5: trader 2: is named 'a', as trader 1 is; a name is unique"),
        ('\n\n[[trader]]\nname = "a"\n', ":3: trader 1: has no rule and no strategy; write one of them"),
        ('[[trader]]\nrule = "last > 1"\n', ":1: trader 1: has no name"),
        (
            f'[[trader]]\n{GOOD}\n[[trader]]\nnmae = "b"',
            ":5: trader 2: unknown key 'nmae'; there are cooldown, exclude, interval",
        ),
        ("[[trader]]\nname = 7\nrule = 'x'", ":1: trader 1: name must be a text in quotes, not 7"),
        ("[[trader]]\nname = ' '\nrule = 'x'", ":1: trader 1: name must have between 1 and 200 characters"),
        (f"[[trader]]\n{GOOD}symbols = 'BTC'", ":1: trader 1 ('a'): symbols must be a list of patterns"),
        (f"[[trader]]\n{GOOD}symbols = []", ":1: trader 1 ('a'): symbols must be a list of patterns"),
        (f"[[trader]]\n{GOOD}symbols = [7]", ":1: trader 1 ('a'): symbols must be a list of patterns"),
        (f"[[trader]]\n{GOOD}exclude = 'BTC'", ":1: trader 1 ('a'): exclude must be a list of patterns"),
        (f"[[trader]]\n{GOOD}quote = ['USDT']", ":1: trader 1: quote must be a text in quotes, not ['USDT']"),
        (f"[[trader]]\n{GOOD}quote = '*USDT'", ":1: trader 1 ('a'): quote must be one asset, for example \"USDT\""),
        (f"[[trader]]\n{GOOD}requires_live = 1", ":1: trader 1 ('a'): requires_live must be true or false, not 1"),
        (
            f"[[trader]]\n{GOOD}parameters = 1",
            ":1: trader 1 ('a'): parameters must be a table, for example {length = 14}",
        ),
        (
            f"[[trader]]\n{GOOD}parameters = {{a = [1]}}",
            ":1: trader 1 ('a'): parameter a must be a number or a short text",
        ),
        (f"[[trader]]\n{GOOD}parameters = {{a = 1}}", ":3:9: trader 1 ('a'): the rule has no parameter `a`; write {a}"),
        (f"rules = 3\n[[trader]]\n{GOOD}", ': write [rules], with one bracket, and under it name = "rule"'),
        (f"[rules]\nRSI = 'a'\n[[trader]]\n{GOOD}", ":2: rule 'RSI': is named in small letters, digits and _"),
        (f"[rules]\nx = 'a'\nrsi = 'a'\n[[trader]]\n{GOOD}", ":3: rule 'rsi': the rule language has that name already"),
        (f"[rules]\nx = 3\n[[trader]]\n{GOOD}", ":1: rule 'x': must be a text in quotes, not 3"),
        (f"[rules]\nx = ' '\n[[trader]]\n{GOOD}", ":2: rule 'x': must be a text in quotes, not ' '"),
        (
            "[rules]\nx = 'x > 1'\n[[trader]]\nrule = 'last > 1 and x'\nname = 'a'",
            ":2:6: trader 1 ('a'): rule `x` uses itself; x > x",
        ),
        (
            "[rules]\nx = 'y'\n[[trader]]\nname = 'a'\nrule = 'last > {n}'",
            ":5:16: trader 1 ('a'): parameter `n` has no value; write a default",
        ),
        (f"[[trader]]\n{GOOD}when = 'never'", ":1: trader 1 ('a'): when must be \"tick\" or \"close\", not 'never'"),
        (f"[[trader]]\n{GOOD}interval = '2m'", ":1: trader 1 ('a'): interval must be one of 1m, 5m, 15m, 1h, 4h, 1d"),
        (
            f"[[trader]]\n{GOOD}cooldown = '3'",
            ":1: trader 1 ('a'): cooldown: '3' is not a duration; write, for example",
        ),
        (f"[[trader]]\n{GOOD}cooldown = 3", ":1: trader 1: cooldown must be a text in quotes, not 3"),
        (b"[[trader]]\nname = '\xff'", ": is not UTF-8 text (byte 19)"),
        (b"x = " + b"[" * 100_000, ": "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(write, text, message):
    assert refused(write(text)).startswith(message)


# Strategies


@pytest.mark.parametrize("place", ["my.py", "./my.py", "{folder}/my.py"])
def test_a_strategy_s_file_is_beside_the_rules_file_and_is_pinned(write, tmp_path, monkeypatch, place):
    monkeypatch.chdir("/")
    (tmp_path / "my.py").write_bytes(b"# code\n")
    strategy = place.format(folder=tmp_path)
    file = RulesFile(
        write(f'[[trader]]\nname = "a"\nstrategy = "{strategy}:Momentum"\nsymbols = ["BTC*"]\ninterval = "5m"\n')
    )
    assert file.specs == (
        TraderSpec(
            name="a",
            strategy=f"{tmp_path}/my.py:Momentum",
            strategy_digest=code_digest(b"# code\n"),
            symbols=("BTC*",),
            interval="5m",
        ),
    )


EXAMPLE = 'for example "my.py:Momentum"'
STRATEGY = '[[trader]]\nname = "a"\nstrategy = "my.py:Momentum"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (STRATEGY + "rule = 'last > 1'", ":1: trader 1 ('a'): has a rule and a strategy; a trader has one of them"),
        (STRATEGY + "when = 'close'", ":1: trader 1 ('a'): when is for rules; a strategy decides by itself"),
        (STRATEGY + "cooldown = '3s'", ":1: trader 1 ('a'): cooldown is for rules; a strategy decides by itself"),
        (STRATEGY + "interval = '2m'", ":1: trader 1 ('a'): interval must be one of 1m"),
        (STRATEGY.replace("my.py", "no.py"), ":1: trader 1 ('a'): there is no strategy file {folder}/no.py"),
        (STRATEGY.replace("my.py", "https://a/b.py"), ":1: trader 1 ('a'): there is no strategy file {folder}/https:/"),
        (STRATEGY.replace("my.py", "\\u0000.py"), ":1: trader 1 ('a'): "),
        (STRATEGY.replace('"my.py:Momentum"', "7"), ":1: trader 1: strategy must be a text in quotes, not 7"),
        *(
            (
                STRATEGY.replace("my.py:Momentum", wrong),
                f":1: trader 1 ('a'): strategy must be a Python file and a class in it, {EXAMPLE}, not '{wrong}'",
            )
            for wrong in ("", "my.py", "my.py:", "my:Momentum", "my.py:1st", "my.py:A.B", ":A", ".py:A")
        ),
    ],
)
def test_what_is_wrong_with_a_strategy_is_said_with_its_place(write, tmp_path, text, message):
    (tmp_path / "my.py").write_text("")
    assert refused(write(text)).startswith(message.replace("{folder}", str(tmp_path)))


def test_a_strategy_s_place_is_where_its_text_begins(write, tmp_path):
    (tmp_path / "my.py").write_text("")
    file = RulesFile(write(STRATEGY + GOOD.replace('"a"', '"b"').join(["[[trader]]\n", ""])))
    assert file.place_of("a", 1) == Place(3, 13)
    # The column is one of a text in the strategy's own file.
    assert file.place_of("a", 40) == Place(3, 13)
    assert file.place_of("b", 1) == Place(6, 9)


@pytest.mark.parametrize("key", ["requires_live = false", "parameters = {a = 1}"])
def test_what_is_for_rules_is_refused_for_a_strategy(write, tmp_path, key):
    (tmp_path / "my.py").write_text("")
    name = key.split()[0]
    assert refused(write(STRATEGY + key)).startswith(f":1: trader 1 ('a'): {name} is for rules; a strategy decides")


def test_a_strategy_has_instruments_like_a_rule(write, tmp_path):
    (tmp_path / "my.py").write_text("")
    (spec,) = RulesFile(write(STRATEGY + 'exclude = ["*UP*"]\nquote = "EUR"')).specs
    assert (spec.exclude, spec.quote) == (("*UP*",), "EUR")


# Named rules and parameters


SHARED = """
[[trader]]
name = "before"
rule = "oversold"
parameters = {length = 20}

[rules]
oversold = "rsi({length=14}) < {level=30}"
"dip" = '''
oversold(length=7) and
  clse < sma({length=50}, {frame="1h"})'''

[[trader]]
name = "it"
rule = "close > 1 and\\n dip(length=5) and not oversold"
parameters = {frame = "15m", level = 25.5}
"""


def test_named_rules_and_parameters_are_filled_in(write):
    before, it = RulesFile(write(SHARED)).specs
    assert before == TraderSpec(name="before", rule="(rsi(20) < 30)")
    assert it.rule == 'close > 1 and\n ((rsi(7) < 25.5) and\n  clse < sma(5, "15m")) and not (rsi(14) < 25.5)'


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("close > 1", Place(15, 9)),
        ("rsi(7", Place(8, 13)),
        ("25.5", Place(8, 32)),
        ("clse", Place(11, 3)),
        ("5, ", Place(11, 14)),
        ("and not", Place(15, 39)),
        ("rsi(14", Place(8, 13)),
    ],
)
def test_a_column_of_what_was_filled_in_is_found_where_it_was_written(write, word, place):
    file = RulesFile(write(SHARED))
    assert file.place_of("it", file.specs[1].rule.index(word) + 1) == place


def test_its_named_rules_are_there_as_they_are_written(write):
    assert RulesFile(write(SHARED)).rules["oversold"] == "rsi({length=14}) < {level=30}"
    assert RulesFile(write(f"[[trader]]\n{GOOD}")).rules == {}


def test_a_named_rule_that_ends_too_early_is_found_at_its_end(write):
    file = RulesFile(write('[rules]\nhalf = "close >"\n[[trader]]\nname = "a"\nrule = "half and last > 1"\n'))
    assert file.place_of("a", file.specs[0].rule.index(")") + 1) == Place(2, 16)


# Files


def test_a_file_that_is_too_large_is_not_read(write):
    assert "at most 10 MiB" in refused(write(b"#" * (10 << 20) + b"\n"))


def test_a_folder_is_no_rules_file(tmp_path):
    assert refused(tmp_path) == ": cannot be read: Is a directory"


def test_a_file_that_is_not_there_is_another_matter(tmp_path):
    with pytest.raises(FileNotFoundError):
        RulesFile(tmp_path / "none.toml")


def test_many_traders_are_read_in_no_time(write):
    text = "".join(f'[[trader]]\nname = "t{number}"\nrule = "last > {number}"\n' for number in range(10_000))
    assert len(RulesFile(write(text)).specs) == 10_000


# Where a rule's column stands


RULE = 'rsi(14, "1h") < 30 and\n  close > 2'


@pytest.mark.parametrize(
    "literal",
    [
        '"rsi(14, \\"1h\\") < 30 and\\n  close > 2"',
        '"rsi(14, \\u00221h\\U00000022) < 30 and\\n\\u0020 close > 2"',
        "'''rsi(14, \"1h\") < 30 and\n  close > 2'''",
        "'''\nrsi(14, \"1h\") < 30 and\n  close > 2'''",
        '"""rsi(14, "1h") < 30 and\n  close > 2"""',
        '"""\nrsi(14, "1h") < 30 and\n  close > 2"""',
        '"""\nrsi(14, "1h") \\\n     < 30 and\n  close > 2"""',
    ],
    ids=["escapes", "code points", "literal", "literal, next line", "basic", "basic, next line", "joined line"],
)
@pytest.mark.parametrize("word", ["rsi", "14", "1h", "<", "30", "and", "close", "> 2"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("key", ["rule = ", "rule=", '  "rule"  =  '])
def test_a_column_of_a_rule_is_found_in_the_file(write, literal, word, newline, key):
    text = (
        f'# a comment with a line separator\u2028 and [[trader]]\n[[trader]]\nname = "before"\nrule = "last > 1"\n\n'
        f'  [[trader]]\nname = "it"\n{key}{literal}\n\n[[trader]]\nname = "after"\nrule = "last > 2"\n'
    )
    file = RulesFile(write(text.replace("\n", newline)))
    assert file.specs[1].rule == RULE
    place = file.place_of("it", RULE.index(word) + 1)
    assert text.split("\n")[place.line - 1][place.column - 1 :].startswith(word)


def test_a_place_in_a_table_that_is_written_in_one_line_is_the_file_s_beginning(write):
    file = RulesFile(write("trader = [{name = 'a', rule = 'lats > 1'}]\n"))
    assert file.place_of("a", 1) == Place(1, 1)


def test_a_trader_with_its_keys_in_any_order_is_found(write):
    file = RulesFile(write("[[trader]]\nrule = 'lats > 1'\nname = 'a'\n"))
    assert file.place_of("a", 3) == Place(2, 11)


# Durations


@pytest.mark.parametrize(
    ("text", "ns"), [("250ms", 250e6), ("30s", 30e9), ("1.5h", 5400e9), (" 5 m ", 300e9), ("0s", 0), ("0.001ms", 1e3)]
)
def test_a_duration_is_a_number_and_a_unit(text, ns):
    assert parse_duration(text) == ns


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1d", "1e3s", "1 s s", "١s1", "1_000s", "inf s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration; write, for example, 30s"):
        parse_duration(text)


@given(st.text(max_size=20))
def test_no_text_is_a_duration_by_accident(text):
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert "is not a duration" in str(error)
