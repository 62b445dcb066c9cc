"""docs/rules.md names everything the language has, and its examples are valid."""

import re
import tomllib
from pathlib import Path

import pytest

from tickfloor.contracts.intervals import LABELS
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.plan import plan
from tickfloor.traders.language.vocabulary import BAR_FIELDS, FUNCTIONS, MARKET_COLUMNS, QUALITIES

DOCUMENT = (Path(__file__).parents[2] / "docs/rules.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
EXAMPLES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("name", [*MARKET_COLUMNS, *BAR_FIELDS, *FUNCTIONS, *QUALITIES, *LABELS])
def test_every_name_is_described(name):
    assert re.search(rf"`{name}[`(]|\b{name}\(|^### .*\b{name}\b", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid(example):
    condition = example if re.search(r"[<>]|crosses", example) else f"{example} > 0"
    plan(TraderSpec(name="t", rule=condition))


def test_the_rules_file_example_is_valid():
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    (trader,) = tomllib.loads(text)["trader"]
    trader.pop("cooldown")
    plan(TraderSpec(**{**trader, "symbols": tuple(trader["symbols"])}))
