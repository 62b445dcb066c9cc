"""Where a floor connects to, said before it does: an exchange that cannot be reached is silent for a while."""

from urllib.parse import urlsplit

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import fail, say
from tickfloor.config import Config
from tickfloor.contracts.errors import ConfigError
from tickfloor.contracts.settings import CCXT, VenueSettings
from tickfloor.feeds.live.route_out import check_proxy, proxy_of, without_secrets
from tickfloor.feeds.venue import Channel, StreamKey
from tickfloor.feeds.venues.table import dialect_of


def say_where(settings: Config) -> None:
    """Say what is connected to, a line for each venue, or end the command if a venue could not be reached at all."""
    for venue in settings.venues:
        urls = addresses(venue)
        try:
            check_proxy(venue.venue, urls, venue.proxy)
        except ConfigError as error:
            fail(str(error), ExitCode.INVALID)
        hosts = " and ".join(dict.fromkeys(urlsplit(without_secrets(url)).netloc for url in urls))
        proxies = dict.fromkeys(proxy for url in urls if (proxy := proxy_of(url, venue.proxy)) is not None)
        through = " and ".join(without_secrets(proxy) for proxy in proxies)
        say(
            f"connecting to {venue.venue} at {hosts or 'the addresses that ccxt knows'}"
            + (f", through the proxy {through}" if through else "")
        )


def addresses(venue: VenueSettings) -> list[str]:
    """Return a venue's URLs: of its streams, then of REST; of an exchange of ccxt only those that are set."""
    if venue.venue.startswith(CCXT):
        return [url for url in (venue.stream_url, venue.rest_url) if url]
    dialect = dialect_of(venue)
    routes = dict.fromkeys(dialect.route(StreamKey(Channel(stream), "")) for stream in venue.streams)
    return [*(dialect.stream_url(route) for route in routes), dialect.rest_url()]
