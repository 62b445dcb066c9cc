"""Which connection carries which stream."""

from collections.abc import Iterable

from tickfloor.feeds.venue import Dialect, StreamKey, by_route


class Shards:
    """Places streams on connections, which are named by route and number: ``market-1``.

    A stream stays where it is while others come and go. The streams of one symbol that share a route share a
    connection where they fit, so that one lost connection makes few instruments stale.
    """

    def __init__(self, dialect: Dialect) -> None:
        """Begin without streams."""
        self._dialect = dialect
        self._placed: dict[StreamKey, str] = {}
        self._shards: dict[str, dict[str, set[StreamKey]]] = {}
        self._homes: dict[tuple[str, str], str] = {}

    def of(self, key: StreamKey) -> str | None:
        """Return the connection of a stream, or None if it has none."""
        return self._placed.get(key)

    def add(self, keys: Iterable[StreamKey], *, avoid: str = "") -> dict[str, list[StreamKey]]:
        """Place streams that have no place yet, and return the new ones by connection.

        Args:
            avoid: a connection that gets none of them.
        """
        added: dict[str, list[StreamKey]] = {}
        fresh = [key for key in dict.fromkeys(keys) if key not in self._placed]
        for route, routed in by_route(self._dialect, fresh).items():
            most = self._dialect.most_streams(route)
            for together in _by_symbol(routed):
                for part in (together[at : at + most] for at in range(0, len(together), most)):
                    name = self._room(route, part, avoid)
                    self._shards[route][name].update(part)
                    self._placed.update(dict.fromkeys(part, name))
                    added.setdefault(name, []).extend(part)
        return added

    def remove(self, keys: Iterable[StreamKey]) -> dict[str, list[StreamKey]]:
        """Take streams away, and return them by the connection that had them."""
        removed: dict[str, list[StreamKey]] = {}
        for key in keys:
            name = self._placed.pop(key, None)
            if name is not None:
                shard = self._shards[self._dialect.route(key)]
                shard[name].discard(key)
                if not shard[name]:
                    del shard[name]
                removed.setdefault(name, []).append(key)
        return removed

    def _room(self, route: str, keys: list[StreamKey], avoid: str) -> str:
        """Return the connection that streams of one symbol go to: where the symbol is, else the first with room."""
        shards = self._shards.setdefault(route, {})
        home = route, keys[0].symbol
        most = self._dialect.most_streams(route)
        open_to = [name for name, held in shards.items() if name != avoid and len(held) + len(keys) <= most]
        if (name := self._homes.get(home, "")) not in open_to:
            name = open_to[0] if open_to else self._new(route, avoid)
        self._homes[home] = name
        return name

    def _new(self, route: str, avoid: str) -> str:
        shards = self._shards[route]
        number = 1
        while (name := f"{route}-{number}") in shards or name == avoid:
            number += 1
        shards[name] = set()
        return name


def _by_symbol(keys: list[StreamKey]) -> Iterable[list[StreamKey]]:
    found: dict[str, list[StreamKey]] = {}
    for key in keys:
        found.setdefault(key.symbol, []).append(key)
    return found.values()
