"""What a person reads who has written a venue's settings wrongly."""

import pytest

from tests.floor.commands import tickfloor
from tickfloor.config import load
from tickfloor.contracts.errors import ConfigError

VENUE = '[[venues]]\nvenue = "binance"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VENUE + 'stream_url = "ws://127.0.0.1:1"\n', "binance: stream_url stands without rest_url"),
        (VENUE + 'rest_url = "http://127.0.0.1:1"\n', "binance: rest_url stands without stream_url"),
        (VENUE + 'symbol = "BTCUSDT"\n', "binance: unknown setting 'symbol'; there are venue, symbols, quotes, top"),
        (VENUE + 'streams = ["trade"]\n', "no stream 'trade'; there are trades, quotes, book, bars, tickers"),
        (VENUE + 'begins = "2021-04-04T12:00:00Z"\n', "begins is no setting of a venue; put it above the first"),
        (VENUE + "board_depth = 9\n", "board_depth is no setting of a venue; put it above the first [[venues]]"),
        (VENUE + '[[venues]]\nvenue = "kraken"\n' + VENUE, "binance stands twice; put its symbols into one"),
        ('[[venues]]\nname = "binance"\n', "a venue: unknown setting 'name'; there are venue, symbols"),
        ("venues = 3\n", "Expected `array`"),
        ("venues = [3]\n", "Expected `object`"),
    ],
)
def test_a_wrong_setting_is_named_with_what_may_stand_there(tmp_path, text, message):
    path = tmp_path / "floor.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value).startswith(f"{path}: venues")
    assert message in str(caught.value)


def test_a_venue_elsewhere_has_both_its_addresses(tmp_path):
    path = tmp_path / "floor.toml"
    path.write_text(VENUE + 'stream_url = "ws://127.0.0.1:1"\nrest_url = "http://127.0.0.1:2"\n')
    assert load(path, {}).venues[0].rest_url == "http://127.0.0.1:2"


def test_a_binary_file_is_said_to_be_no_text(tmp_path):
    (tmp_path / "floor.toml").write_bytes(b"\x1f\x8b\x08\x00")
    finished = tickfloor(tmp_path, "config", "check", "floor.toml")
    assert finished.code == 4
    assert "is no text file" in finished.err
