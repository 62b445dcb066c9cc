"""The way out to a venue: through a proxy or not, and what of an address may be shown."""

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from tickfloor.contracts.errors import ConfigError

ANY_URL: Final = "https://venue.invalid"


class SocksProxyError(ConfigError):
    """A venue would be reached through a SOCKS proxy, which no REST request can go through."""

    def __init__(self, venue: str, proxy: str, *, configured: bool) -> None:
        named = "the setting proxy" if configured else "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
        besides = "" if configured else ", or name the venue's hosts in NO_PROXY"
        super().__init__(
            f"{venue}: {named} names {without_secrets(proxy)}, and REST requests cannot go through a SOCKS proxy; "
            f"use an HTTP one, http://HOST:PORT, which carries streams and REST{besides}"
        )


def check_proxy(venue: str, urls: Sequence[str], configured: str) -> None:
    """Refuse a proxy that could not serve all of a venue's addresses.

    Args:
        urls: of the venue; none: they are not known.
        configured: URL of the proxy in the settings; empty: what the environment says.

    Raises:
        SocksProxyError: it is a SOCKS proxy.
    """
    for url in urls or (ANY_URL,):
        proxy = proxy_of(url, configured)
        if proxy is not None and urlsplit(proxy).scheme.lower().startswith("socks"):
            raise SocksProxyError(venue, proxy, configured=bool(configured))


def proxy_of(url: str, configured: str) -> str | None:
    """Return the proxy for an address: the configured one, else what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.

    This machine itself is never asked for through a proxy of the environment.
    """
    if configured:
        return configured
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_here(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get("https" if parts.scheme in ("wss", "https") else "http") or proxies.get("all")


def without_secrets(url: str) -> str:
    """Return an address without its user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
