"""A place for a connection, which is kept filled: reconnected when it breaks, replaced before it would."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tickfloor.contracts.feeds import ConnectionReport, ConnectionState
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.connecting.connect_budget import ConnectBudget
from tickfloor.feeds.live.connecting.connection import Connection, Surroundings
from tickfloor.feeds.live.connecting.wire import Wire
from tickfloor.feeds.live.route_out import without_secrets
from tickfloor.feeds.venue import StreamKey

EARLIEST, LATEST = 0.85, 0.95
"""A connection is replaced at a random moment between these shares of the life that the venue gives it."""
OVERLAP_SECONDS: Final = 0.5
"""How long an old connection goes on beside its replacement: what is under way on it still arrives."""
SAID_EVERY: Final = 10
"""Of attempts that fail for the same reason so many are one warning."""
SOON_SECONDS: Final = 0.05
CLOSED, REPLACED = "closed by us", "replaced"
PLANNED: Final = (CLOSED, REPLACED)


class Line:
    """Carries a set of streams of one route over one connection after the other.

    A replacement is opened with the same streams before the old connection is closed, and both run until the new
    one has proved itself. What comes twice falls by its id. If no replacement can be had, the old one stays until it
    dies.

    Attributes:
        name: for example ``market-1``.
        route: which kind of connection it is.
        reconnects: connections after the first, planned ones too; -1 before it.
    """

    def __init__(
        self,
        name: str,
        route: str,
        keys: Iterable[StreamKey],
        surroundings: Surroundings,
        budget: ConnectBudget,
        *,
        on_covered: Callable[["Line", bool], None],
        overlap_seconds: float = OVERLAP_SECONDS,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Make one that is not open yet.

        Args:
            budget: of the venue.
            on_covered: told when its streams are carried, and when they are not any more.
            overlap_seconds: how long an old connection and its replacement run together.
            uniform: draws a number between two.
        """
        self.name = name
        self.route = route
        self.reconnects = -1
        self._keys = dict.fromkeys(keys)
        self._around = surroundings
        self._budget = budget
        self._on_covered = on_covered
        self._overlap_seconds = overlap_seconds
        self._uniform = uniform
        self._backoff = Backoff(uniform=uniform)
        self._sockets: list[Connection] = []
        self._current: Connection | None = None
        self._wake = asyncio.Event()
        self._closing = False
        self._asked_to_replace = False
        self._covered = False
        self._attempts = 0
        self._failures = 0
        self._newest_end = ""
        self._earliest_ns = 0
        self._past_frames = 0
        self._past_bytes = 0
        self._past_malformed = 0
        self._newest_problem = ""
        self._last_frame_ns = 0

    @property
    def keys(self) -> tuple[StreamKey, ...]:
        """The streams that it is to carry."""
        return tuple(self._keys)

    @property
    def covered(self) -> bool:
        """Whether a connection carries its streams, as far as the venue accepts them."""
        return self._covered

    def unserved(self, heard: Mapping[StreamKey, int]) -> set[str]:
        """Return the symbols that have a stream which is neither carried nor given up.

        While no connection stands, the newest serves those already of which all streams are accepted or given up, and
        one has been heard; ``heard`` says when, ns UTC.
        """
        if self._covered:
            return set() if self._current is None else _symbols(self._current.subscriptions.outstanding())
        newest = next(
            (socket for socket in reversed(self._sockets) if socket.opened_ns and not socket.end_reason), None
        )
        if newest is None:
            return _symbols(self._keys)
        speaking = _symbols(key for key in self._keys if heard.get(key, 0) > newest.opened_ns)
        return _symbols(self._keys) - speaking | _symbols(newest.subscriptions.outstanding())

    def accepted(self) -> dict[StreamKey, int]:
        """Return the streams that the venue has accepted on the current connection, with the time of it."""
        current = self._current
        return {} if current is None or not self._covered else current.subscriptions.accepted()

    def refused(self) -> dict[StreamKey, str]:
        """Return the streams that were given up on the current connection, with the reason."""
        return {} if self._current is None else self._current.subscriptions.refused()

    def add(self, keys: Iterable[StreamKey]) -> None:
        """Carry more streams."""
        fresh = [key for key in keys if key not in self._keys]
        self._keys.update(dict.fromkeys(fresh))
        for socket in self._sockets:
            socket.add(fresh)

    def remove(self, keys: Iterable[StreamKey]) -> None:
        """Carry these no longer."""
        gone = [key for key in keys if key in self._keys]
        for key in gone:
            del self._keys[key]
        for socket in self._sockets:
            socket.remove(gone)

    def renew(self, keys: Iterable[StreamKey]) -> None:
        """Ask anew for streams that the venue sends already."""
        keys = tuple(keys)
        for socket in self._sockets:
            socket.renew(keys)

    def reconnect(self) -> None:
        """Replace the connection as soon as the venue's budget allows it; one that is being made is new enough."""
        self._asked_to_replace = self._current is not None and self._current.opened_ns > 0
        self._wake.set()

    def hurry(self) -> None:
        """Wait no longer before the next attempt, unless the venue wants it."""
        self._earliest_ns = 0
        self._wake.set()

    async def run(self) -> None:
        """Keep a connection until :meth:`close`.

        Raises:
            ExceptionGroup: a reader raised something that is not a FrameError.
        """
        async with asyncio.TaskGroup() as group:
            while await self._may_connect():
                self._asked_to_replace = False
                self._current = self._open(group)
                await self._keep(self._current, group)
                self._current = None

    def close(self) -> None:
        """Begin to end it; :meth:`run` then returns."""
        self._closing = True
        self._wake.set()
        for socket in self._sockets:
            socket.close(CLOSED)

    @property
    def frames(self) -> int:
        """Whole messages received on all its connections so far."""
        return self._past_frames + sum(wire.frames for wire in self._wires)

    @property
    def malformed(self) -> int:
        """Those of them that could not be read."""
        return self._past_malformed + sum(wire.malformed for wire in self._wires)

    @property
    def newest_problem(self) -> str:
        """What was wrong with the newest message that could not be read."""
        return next((wire.newest_problem for wire in self._wires if wire.newest_problem), self._newest_problem)

    def statistics(self, silent: int) -> ConnectionReport:
        """Return how it stands; counts are of all its connections so far.

        Args:
            silent: accepted streams that say nothing.
        """
        now = self._around.clock.now()
        current = self._current
        last_frame_ns = max((wire.last_frame_ns for wire in self._wires if wire.frames), default=self._last_frame_ns)
        return ConnectionReport(
            name=self.name,
            route=self.route,
            url=without_secrets(self._around.dialect.stream_url(self.route)),
            state=ConnectionState.WAITING if current is None else current.state,
            age=(now - current.opened_ns) / 1e9 if current is not None and current.opened_ns else None,
            streams=len(self._keys),
            silent=silent,
            refused={f"{key.channel} {key.symbol}": reason for key, reason in self.refused().items()},
            frames=self.frames,
            bytes=self._past_bytes + sum(wire.payload_bytes for wire in self._wires),
            malformed=self.malformed,
            quiet=(now - last_frame_ns) / 1e9 if last_frame_ns else None,
            attempts=self._attempts,
            reason=self._newest_end,
        )

    @property
    def _wires(self) -> list[Wire]:
        return [socket.wire for socket in self._sockets if socket.wire is not None]

    async def _may_connect(self) -> bool:
        """Wait until a connection may be made, and say whether it is still wanted."""
        while await self._hold_back():
            await self._budget.take()
            # Another line may have been told to wait meanwhile.
            if self._held_seconds() <= 0:
                break
        return not self._closing

    async def _hold_back(self) -> bool:
        """Wait as long as the newest end of a connection, or the venue, wants it; say whether one is still wanted."""
        while not self._closing and (seconds := self._held_seconds()) > 0:
            await self._sleep(seconds)
        return not self._closing

    def _held_seconds(self) -> float:
        return (max(self._earliest_ns, self._budget.barred_until_ns) - self._around.clock.now()) / 1e9

    def _open(self, group: asyncio.TaskGroup) -> Connection:
        self.reconnects += 1
        self._attempts += 1
        ref = f"{self.name}#{next(self._around.numbers)}"
        socket = Connection(ref, self.route, self._keys, self._around, self._on_changed)
        self._sockets.append(socket)
        group.create_task(self._run(socket), name=ref)
        return socket

    async def _run(self, socket: Connection) -> None:
        try:
            await socket.run()
        finally:
            self._sockets.remove(socket)
            self._remember(socket)
            self._on_changed()

    def _remember(self, socket: Connection) -> None:
        # One that was cancelled had no time to say why.
        before, self._newest_end = self._newest_end, socket.end_reason or CLOSED
        self._failures = 0 if socket.opened_ns else self._failures + 1
        wire = socket.wire
        if wire is not None:
            self._past_frames += wire.frames
            self._past_bytes += wire.payload_bytes
            self._past_malformed += wire.malformed
            self._newest_problem = wire.newest_problem or self._newest_problem
            self._last_frame_ns = max(self._last_frame_ns, wire.last_frame_ns if wire.frames else 0)
        venue, reason = self._around.dialect.venue, self._newest_end
        if reason in PLANNED:
            self._around.log.info("connection ended", venue=venue, line=self.name, ref=socket.ref, reason=reason)
            return
        self._slow_down(socket)
        if socket.pause_seconds:
            self._budget.bar(socket.pause_seconds)
        # An outage is attempt after attempt with the same end.
        news = self._failures <= 1 or self._failures % SAID_EVERY == 0 or reason != before
        seconds = max(0.0, self._held_seconds())
        (self._around.log.warning if news else self._around.log.info)(
            "connection ended" if socket.opened_ns else "no connection",
            venue=venue, line=self.name, ref=socket.ref, url=without_secrets(socket.url), reason=reason,
            streams=len(self._keys),
            then="tried again at once" if seconds < SOON_SECONDS else f"tried again in {seconds:.1f} s",
        )  # fmt: skip

    def _on_changed(self) -> None:
        covered = any(socket.ready for socket in self._sockets)
        if any(socket.opened_ns for socket in self._sockets):
            self._attempts = 0
        if covered != self._covered:
            self._covered = covered
            self._on_covered(self, covered)
        self._wake.set()

    async def _keep(self, current: Connection, group: asyncio.TaskGroup) -> None:
        """Return when no connection is left."""
        life_ns = self._life_ns()
        while current in self._sockets:
            now = self._around.clock.now()
            due = current.opened_ns + life_ns if current.opened_ns and life_ns else 0
            wanted = self._asked_to_replace or current.going_away or (due and now >= due)
            if current.opened_ns and wanted and not self._closing:
                new = await self._replace(group, current)
                if new is not None:
                    current, life_ns = new, self._life_ns()
                continue
            await self._sleep((due - now) / 1e9 if due else None)

    async def _replace(self, group: asyncio.TaskGroup, old: Connection) -> Connection | None:
        """Put another connection in the place of one that still runs, and return it; None if it cannot be had."""
        if not await self._may_connect() or old not in self._sockets:
            return None
        new = self._open(group)
        while new in self._sockets and not new.ready:
            await self._sleep(None)
        if new not in self._sockets:
            return None
        self._asked_to_replace = False
        # Where every server says goodbye at once, the next one will, too.
        self._slow_down(old)
        self._current = new
        await self._linger(old)
        old.close(REPLACED)
        return new

    async def _linger(self, old: Connection) -> None:
        """Let an old connection run on for a moment, unless it ends by itself."""
        until = self._around.clock.now() + round(self._overlap_seconds * 1e9)
        while old in self._sockets and not self._closing and (left := until - self._around.clock.now()) > 0:
            await self._sleep(left / 1e9)

    def _slow_down(self, ended: Connection) -> None:
        """Put off the next attempt by the life that a connection had: a venue in trouble is not stormed."""
        now = self._around.clock.now()
        lived_ns = now - ended.opened_ns if ended.opened_ns else 0
        self._earliest_ns = now + round(self._backoff.seconds(lived_ns / 1e9) * 1e9)

    async def _sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(None if seconds is None else max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _life_ns(self) -> int:
        life_seconds = self._around.dialect.limits.life_seconds
        return round(life_seconds * self._uniform(EARLIEST, LATEST) * 1e9)


def _symbols(keys: Iterable[StreamKey]) -> set[str]:
    return {key.symbol for key in keys}
