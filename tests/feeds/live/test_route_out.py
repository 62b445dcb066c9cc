"""Proxies, and what of an address may be shown."""

import pytest

from tickfloor.feeds.live.route_out import SocksProxyError, check_proxy, proxy_of, without_secrets

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_any_setting_there_is_no_proxy():
    assert proxy_of("wss://venue.example/ws", "") is None


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("wss://venue.example/ws", "http://secure:1"),
        ("https://venue.example", "http://secure:1"),
        ("ws://venue.example/ws", "http://plain:1"),
        ("wss://inside.example:9443/ws", None),
        ("ws://127.0.0.1:8080/ws", None),
        ("ws://[::1]:8080/ws", None),
        ("wss://localhost/ws", None),
    ],
)
def test_the_environment_says_which_proxy_and_never_one_for_this_machine(monkeypatch, url, proxy):
    monkeypatch.setenv("HTTPS_PROXY", "http://secure:1")
    monkeypatch.setenv("HTTP_PROXY", "http://plain:1")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert proxy_of(url, "") == proxy


def test_a_proxy_of_the_settings_is_used_for_everything(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_of("ws://127.0.0.1:1", "http://mine:3128") == "http://mine:3128"


URLS = ["wss://stream.venue.example:9443/ws", "https://venue.example"]


@pytest.mark.parametrize("proxy", ["socks5://me:secret@mine:1080", "socks4://mine:1080", "SOCKS5H://mine:1080"])
def test_a_socks_proxy_of_the_settings_is_refused_with_what_works(proxy):
    with pytest.raises(SocksProxyError, match=r"fake: the setting proxy names .*use an HTTP one") as refused:
        check_proxy("fake", URLS, proxy)
    assert "secret" not in str(refused.value)


def test_a_socks_proxy_of_the_environment_is_refused_where_it_would_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://mine:1080")
    with pytest.raises(SocksProxyError, match=r"HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names .* in NO_PROXY"):
        check_proxy("fake", URLS, "")
    with pytest.raises(SocksProxyError):
        check_proxy("ccxt-okx", [], "")
    check_proxy("fake", ["ws://127.0.0.1:1", "http://localhost:1"], "")
    check_proxy("fake", URLS, "http://mine:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://mine:3128")
    check_proxy("fake", URLS, "")
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("NO_PROXY", "venue.example")
    check_proxy("fake", URLS, "")


def test_user_password_and_query_are_not_shown():
    assert without_secrets("wss://me:secret@venue.example:9443/ws?listenKey=secret") == "wss://venue.example:9443/ws"
