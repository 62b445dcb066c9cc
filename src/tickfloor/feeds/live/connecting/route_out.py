"""The way out to a venue: through a proxy or not, and what of an address may be shown."""

import ipaddress
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass


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
