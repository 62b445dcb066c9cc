"""Which of a venue's instruments, and which of its streams, a configuration asks for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

from tickfloor.contracts.errors import ConfigError
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.venue import Channel, Dialect, StreamKey, Traded

NEAR: Final = 5
_SIGNS = "*?[]"


class UnknownSymbolsError(ConfigError):
    """A venue trades nothing of what is asked for.

    Attributes:
        asked: the pattern, or the quote asset.
        near: what comes near it.
    """

    def __init__(self, venue: str, what: str, asked: str, near: Sequence[str]) -> None:
        hint = f"near it are {', '.join(near)}" if near else "nothing comes near it"
        super().__init__(f"{venue}: no instrument that is traded now has the {what} {asked!r}; {hint}")
        self.asked = asked
        self.near = tuple(near)


class UnknownChannelsError(ConfigError):
    """A venue has none of the streams that are asked for."""


def check(settings: VenueSettings, listed: Sequence[Traded]) -> None:
    """Refuse what the venue has nothing for.

    Raises:
        UnknownSymbolsError: a pattern or a quote asset that no traded instrument has, or a pattern that only
            instruments of other quotes have.
    """
    quotes = {each.quote for each in listed}
    for quote in settings.quotes:
        if quote not in quotes:
            raise UnknownSymbolsError(settings.venue, "quote asset", quote, _near(quote, quotes))
    served = [each.symbol for each in listed if not settings.quotes or each.quote in settings.quotes]
    for pattern in settings.symbols:
        if not any(fnmatchcase(symbol, pattern) for symbol in served):
            raise UnknownSymbolsError(settings.venue, "symbol", pattern, _near(pattern, served))


def chosen(
    settings: VenueSettings,
    listed: Iterable[Traded],
    volumes: Mapping[str, float],
    kept: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the symbols to subscribe to, the most traded first.

    Args:
        volumes: 24 h volume in quote currency; only needed for ``settings.top``.
        kept: symbols that stay chosen while they are traded: a change of rank is no reason to resubscribe.
    """
    matching = [
        each.symbol
        for each in listed
        if (not settings.quotes or each.quote in settings.quotes)
        and any(fnmatchcase(each.symbol, pattern) for pattern in settings.symbols)
    ]
    ranked = sorted(dict.fromkeys(matching), key=lambda symbol: (symbol not in kept, -volumes.get(symbol, 0.0), symbol))
    return tuple(ranked[: settings.top] if settings.top else ranked)


def channels(settings: VenueSettings, dialect: Dialect) -> tuple[Channel, ...]:
    """Return the streams of each instrument that are asked for and that the venue has.

    Raises:
        UnknownChannelsError: it has none of them.
    """
    offered = dialect.channels()
    found = tuple(channel for channel in map(Channel, settings.streams) if channel in offered)
    if not found:
        has = ", ".join(sorted(offered))
        asked = ", ".join(settings.streams)
        raise UnknownChannelsError(f"{settings.venue} has no stream of what is asked for: {asked}; it has {has}")
    return found


def keys_of(symbols: Iterable[str], wanted: Iterable[Channel]) -> list[StreamKey]:
    """Return every stream of every symbol."""
    wanted = tuple(wanted)
    return [StreamKey(channel, symbol) for symbol in symbols for channel in wanted]


def _near(asked: str, names: Iterable[str]) -> list[str]:
    plain = "".join(sign for sign in asked if sign not in _SIGNS)
    known = sorted(names)
    by_fold = {name.upper(): name for name in known}
    near = [by_fold[name] for name in get_close_matches(plain.upper(), by_fold, n=NEAR, cutoff=0.5)]
    return near or [name for name in known if plain and plain.upper() in name.upper()][:NEAR]
