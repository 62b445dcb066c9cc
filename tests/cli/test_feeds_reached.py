"""What is said before a floor connects to its exchanges."""

import pytest
import typer

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.feeds_reached import say_where
from tickfloor.config import Config
from tickfloor.contracts.settings import VenueSettings


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def said(capsys, *venues: VenueSettings) -> list[str]:
    say_where(Config(venues=venues))
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_each_venue_is_said_with_the_hosts_of_its_streams_and_of_rest(capsys):
    assert said(capsys, VenueSettings(venue="binance"), VenueSettings(venue="kraken")) == [
        "connecting to binance at stream.binance.com:9443 and api.binance.com",
        "connecting to kraken at ws.kraken.com and api.kraken.com",
    ]


def test_addresses_of_the_settings_are_said_without_what_is_secret_in_them(capsys):
    venue = VenueSettings(venue="binance-usdm", stream_url="ws://me:secret@mine:1", rest_url="http://me:secret@mine:2")
    assert said(capsys, venue) == ["connecting to binance-usdm at mine:1 and mine:2"]


def test_an_exchange_of_ccxt_has_addresses_of_its_own(capsys):
    assert said(capsys, VenueSettings(venue="ccxt-okx")) == ["connecting to ccxt-okx at the addresses that ccxt knows"]


def test_a_proxy_is_said(capsys, monkeypatch):
    through = "connecting to kraken at ws.kraken.com and api.kraken.com, through the proxy http://mine:3128"
    monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
    assert said(capsys, VenueSettings(venue="kraken", proxy="http://me:secret@mine:3128")) == [through]
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@mine:3128")
    assert said(capsys, VenueSettings(venue="kraken")) == [through]


def test_a_socks_proxy_ends_the_command_before_anything_starts(capsys, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://mine:1080")
    with pytest.raises(typer.Exit) as ended:
        say_where(Config(venues=(VenueSettings(venue="kraken"),)))
    assert ended.value.exit_code == ExitCode.INVALID
    assert "use an HTTP one" in capsys.readouterr().err
