"""docs/feeds.md and docs/recording.md say what can be set, and what is read, as it is."""

import re
import tomllib
from pathlib import Path

import msgspec

from tickfloor.contracts.settings import VENUES, VenueSettings, is_venue
from tickfloor.feeds.recording import capture
from tickfloor.feeds.recording.capture_lines import KINDS, WRAPPED
from tickfloor.feeds.venue import Channel

DOCS = Path(__file__).parents[2] / "docs"
FEEDS = (DOCS / "feeds.md").read_text()
RECORDING = (DOCS / "recording.md").read_text()


def table(document, heading):
    """Return the cells of the first table after a line, without its head."""
    rows = re.search(r"^\|.*?(?=^(?!\|)|\Z)", document.split(heading)[1], re.MULTILINE | re.DOTALL)[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def test_every_key_of_a_venue_is_described():
    described = [name for row in table(FEEDS, "One `[[venues]]` for each venue:") for name in row[0].split("`, `")]
    assert described == list(VenueSettings.__struct_fields__)


def test_every_venue_and_every_stream_is_named():
    keys = {row[0]: row[2] for row in table(FEEDS, "One `[[venues]]` for each venue:")}
    assert re.findall(r"[\w-]+", keys["venue"].partition("; `ccxt-")[0].replace(" or", "")) == list(VENUES)
    assert re.findall(r"[\w-]+", keys["streams"].removeprefix("any of")) == list(Channel)
    assert sorted(row[0] for row in table(FEEDS, "The board has a row")) == sorted(Channel)


def test_the_examples_of_settings_are_valid():
    settings = [tomllib.loads(example) for example in re.findall(r"```toml\n(.*?)```", FEEDS, re.DOTALL)]
    venues = [venue for each in settings for venue in msgspec.convert(each["venues"], list[VenueSettings])]
    assert [venue.venue for venue in venues if is_venue(venue.venue)] == ["binance", "binance-usdm", "ccxt-okx"]


def test_every_kind_of_line_is_described():
    kinds = [row[0] for row in table(RECORDING, "kind, ref, payload.")]
    assert sorted(kinds) == sorted([*KINDS.values(), WRAPPED.decode()])


def test_every_capture_that_can_be_read_is_described():
    rows = table(RECORDING, "Their first line needs")
    assert {(exchange, market): venue for exchange, market, venue in rows} == capture.VENUES
