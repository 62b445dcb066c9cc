"""All connections of a venue: which streams are on which, and which instruments a lost one makes stale."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.feeds import ConnectionReport
from tickfloor.feeds.live.connecting.connect_budget import ConnectBudget
from tickfloor.feeds.live.connecting.connection import Surroundings
from tickfloor.feeds.live.connecting.line import Line
from tickfloor.feeds.live.connecting.shards import Shards
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.venue import Channel, StreamKey

MARKET: Final = frozenset({Channel.TRADES, Channel.QUOTES, Channel.BOOK})
REFUSED: Final = "refused"


class UnknownConnectionError(TickfloorError):
    """A venue has no connection of that name."""


class Lines:
    """Opens as many lines as the streams need, and closes those that have none left."""

    def __init__(
        self,
        surroundings: Surroundings,
        staleness: Staleness,
        group: asyncio.TaskGroup,
        *,
        on_regained: Callable[[Iterable[StreamKey]], None],
    ) -> None:
        """Begin without streams.

        Args:
            group: in which the lines run.
            on_regained: told which streams are carried again after a connection was lost.
        """
        limits = surroundings.dialect.limits
        self._around = surroundings
        self._staleness = staleness
        self._group = group
        self._on_regained = on_regained
        self._shards = Shards(surroundings.dialect)
        self._budget = ConnectBudget(limits.connections, limits.connections_seconds, clock=surroundings.clock.now)
        self._lines: dict[str, Line] = {}
        self._past_frames = 0
        self._past_malformed = 0
        self._refused: set[StreamKey] = set()

    @property
    def keys(self) -> list[StreamKey]:
        """Every stream that is wanted."""
        return [key for line in self._lines.values() for key in line.keys]

    @property
    def frames(self) -> int:
        """Whole messages received so far."""
        return self._past_frames + sum(line.frames for line in self._lines.values())

    @property
    def malformed(self) -> int:
        """Those of them that could not be read."""
        return self._past_malformed + sum(line.malformed for line in self._lines.values())

    def of(self, key: StreamKey) -> Line | None:
        """Return the line of a stream."""
        return self._lines.get(self._shards.of(key) or "")

    def all(self) -> tuple[Line, ...]:
        """Return every line."""
        return tuple(self._lines.values())

    def add(self, keys: Iterable[StreamKey], *, avoid: str = "") -> None:
        """Subscribe to streams, on no line of the name ``avoid``."""
        for name, added in self._shards.add(keys, avoid=avoid).items():
            line = self._lines.get(name)
            if line is None:
                self._lines[name] = line = Line(
                    name,
                    self._around.dialect.route(added[0]),
                    added,
                    self._around,
                    self._budget,
                    on_covered=self._on_covered,
                )
                self._group.create_task(self._run(line), name=name)
            else:
                line.add(added)

    def remove(self, keys: Iterable[StreamKey]) -> None:
        """Unsubscribe from streams."""
        now = self._around.clock.now()
        for name, removed in self._shards.remove(keys).items():
            line = self._lines[name]
            line.remove(removed)
            left = {key.symbol for key in line.keys}
            self._staleness.remove({key.symbol for key in removed} - left, name, now)
            if not line.keys:
                self._forget(line)
                line.close()

    def move(self, key: StreamKey) -> None:
        """Carry a stream over another connection from now on."""
        name = self._shards.of(key)
        if name is not None:
            self.remove([key])
            self.add([key], avoid=name)

    def renew(self, keys: Iterable[StreamKey]) -> None:
        """Ask anew for streams that the venue sends already."""
        by_line: dict[str, list[StreamKey]] = {}
        for key in keys:
            if (name := self._shards.of(key)) is not None:
                by_line.setdefault(name, []).append(key)
        for name, renewed in by_line.items():
            self._lines[name].renew(renewed)

    def accepted(self) -> dict[StreamKey, int]:
        """Return the streams that are accepted on a line that stands, and since when, ns UTC."""
        found: dict[StreamKey, int] = {}
        for line in self._lines.values():
            found.update(line.accepted())
        return found

    def unserved(self) -> set[str]:
        """Return the symbols that have a stream which is neither carried nor given up."""
        heard = self._around.adapter.heard
        found: set[str] = set()
        for line in self._lines.values():
            found |= line.unserved(heard)
        return found

    def reconnect(self, name: str) -> tuple[str, ...]:
        """Replace a connection, or all with an empty name, and return their names.

        What waits connects as soon as the venue's budget allows it, even if the venue has asked for a pause.

        Raises:
            UnknownConnectionError: there is none of that name.
        """
        if name and name not in self._lines:
            raise UnknownConnectionError(f"there is no connection {name!r}; there are {', '.join(self._lines)}")
        names = (name,) if name else tuple(self._lines)
        self._budget.lift()
        for each in names:
            self._lines[each].reconnect()
            self._lines[each].hurry()
        return names

    def catch_up(self, now: int) -> None:
        """Mark what is not received now, and take the mark from what a new connection has brought already."""
        heard = self._around.adapter.heard
        for line in self._lines.values():
            if line.covered:
                continue
            unserved = line.unserved(heard)
            self._staleness.add(unserved, line.name, now)
            self._staleness.remove({key.symbol for key in line.keys} - unserved, line.name, now)
        self._staleness.catch_up(now)

    def statistics(self, dead: Iterable[StreamKey]) -> tuple[ConnectionReport, ...]:
        """Return how every line stands; ``dead`` are streams that are accepted and say nothing."""
        silent: dict[str, int] = {}
        for key in dead:
            name = self._shards.of(key) or ""
            silent[name] = silent.get(name, 0) + 1
        return tuple(line.statistics(silent.get(line.name, 0)) for line in self._lines.values())

    def mark_refused(self, now: int) -> None:
        """Mark instruments of which the venue does not give a stream that makes their market."""
        refused = {key for line in self._lines.values() for key in line.refused() if key.channel in MARKET}
        for key in refused - self._refused:
            self._staleness.add([key.symbol], (REFUSED, key), now)
        for key in self._refused - refused:
            self._staleness.remove([key.symbol], (REFUSED, key), now)
        self._refused = refused

    async def _run(self, line: Line) -> None:
        try:
            await line.run()
        finally:
            self._forget(line)
            self._past_frames += line.frames
            self._past_malformed += line.malformed

    def _forget(self, line: Line) -> None:
        if self._lines.get(line.name) is line:
            del self._lines[line.name]

    def _on_covered(self, line: Line, covered: bool) -> None:
        symbols = {key.symbol for key in line.keys}
        now = self._around.clock.now()
        if covered:
            self.mark_refused(now)
            self._staleness.remove(symbols, line.name, now)
            if line.reconnects > 0:
                self._on_regained(line.keys)
        elif self._lines.get(line.name) is line:
            self._staleness.add(symbols, line.name, now)
