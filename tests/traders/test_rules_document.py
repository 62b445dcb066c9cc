"""docs/rules.md and its pages name everything the language has, with examples that are valid."""

import re
from pathlib import Path

import pytest

from tickfloor.cli.rules_file import RulesFile
from tickfloor.contracts.intervals import LABELS
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language import vocabulary
from tickfloor.traders.language.cost import INDICATOR
from tickfloor.traders.language.functions import FUNCTIONS
from tickfloor.traders.language.plan import plan
from tickfloor.traders.language.templates import MOST_NESTED
from tickfloor.traders.language.vocabulary import MARKET_COLUMNS, NAMED_FIELDS, QUALITIES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "rules.md", *sorted((DOCS / "rules").glob("*.md"))]
TEXTS = {page.relative_to(DOCS).as_posix(): page.read_text() for page in PAGES}
DOCUMENT = "\n".join(TEXTS.values())
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
EXAMPLES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
FILES = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize("name", [*MARKET_COLUMNS, *NAMED_FIELDS, *FUNCTIONS, *QUALITIES, *LABELS])
def test_every_name_is_described(name):
    assert re.search(rf"`{name}[`(]|^### .*\b{name}\b", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("name", [*MARKET_COLUMNS, *NAMED_FIELDS, *FUNCTIONS])
def test_every_name_has_an_example(name):
    assert any(re.search(rf"\b{name}\b", example) for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid(example):
    plan(TraderSpec(name="t", rule=example))


@pytest.mark.parametrize("text", FILES)
def test_every_rules_file_is_valid(text, tmp_path):
    (tmp_path / "rules.toml").write_text(text)
    specs = RulesFile(tmp_path / "rules.toml").specs
    for spec in specs:
        plan(spec)
    assert specs


def test_every_key_of_a_trader_is_shown():
    shown = set(re.findall(r"^(\w+) = ", FILES[0] + FILES[1], re.MULTILINE))
    assert {"name", "rule", "requires_live", "parameters", *TraderSpec.__struct_fields__} - shown == {
        "strategy", "strategy_digest", "cooldown_ns", "revision",
    }  # fmt: skip


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_heading(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", TEXTS[page]):
        linked = ((DOCS / page).parent / target).resolve() if target else DOCS / page
        assert linked.is_file(), target
        headings = re.findall(r"^#+ (.*)", linked.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors


@pytest.mark.parametrize(
    "limit", ["MOST_CHARACTERS", "MOST_NODES", "MOST_DEPTH", "DEEPEST_HISTORY", "MOST_BARS", "MOST_COST"]
)
def test_the_limits_are_those_of_the_language(limit):
    assert re.search(rf"\| {getattr(vocabulary, limit):,}[ ,]", TEXTS["rules/semantics.md"])


def test_other_numbers_are_those_of_the_language():
    assert MOST_NESTED == 10
    assert "up to ten deep" in TEXTS["rules/templates.md"]
    assert f"{INDICATOR} for most indicators" in TEXTS["rules/semantics.md"]
