"""One connection from its beginning to its end: opened, subscribed, kept alive, ended for a reason."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from ssl import SSLContext
from typing import Final, NamedTuple

from tickfloor.contracts.feeds import ConnectionState
from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.connecting.dial import ConnectError, open_wire
from tickfloor.feeds.live.connecting.message_rate import MessageRate
from tickfloor.feeds.live.connecting.subscriptions import Subscriptions
from tickfloor.feeds.live.connecting.wire import Recorder, Turn, Wire
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.route_out import proxy_of, without_secrets
from tickfloor.feeds.venue import Adapter, Control, Dialect, GoingAway, Resubscribe, StreamKey, TooManyMessages

CONNECT_SECONDS: Final = 10.0
QUIET_NS: Final = 3_000_000_000
"""A connection that is subscribed counts as up after so long, even if nothing was traded."""
DATA_POLL_SECONDS: Final = 0.05
READ_SECONDS: Final = 0.01
PINGS_PER_IDLE: Final = 6
"""A connection is asked for a sign of life when it was silent for this part of the time after which it is dead."""


class Surroundings(NamedTuple):
    """What all connections of a venue share.

    Attributes:
        turn: publishes once per turn of the event loop.
        proxy: URL of a proxy; empty: what the environment says.
        tls: instead of the default context.
        elsewhere: asks anew for streams that an adapter distrusts and another connection has.
        numbers: no two connections of the venue have the same.
        messages: of all connections, where the venue counts them together; None: each has its own rate.
        patience: times how long a connection may be silent before it is taken for dead.
        connect_seconds: for an address to answer, TLS and the handshake together.
        quiet_ns: after which a subscribed connection counts as up without a frame.
    """

    adapter: Adapter
    dialect: Dialect
    clock: ReceiveClock
    turn: Turn
    log: LogPort
    recorder: Recorder | None
    proxy: str
    tls: SSLContext | None
    elsewhere: Callable[[Sequence[StreamKey]], object]
    numbers: Iterator[int]
    messages: MessageRate | None = None
    patience: float = 1.0
    connect_seconds: float = CONNECT_SECONDS
    quiet_ns: int = QUIET_NS


class Connection:
    """One connection. What is wrong with it ends it; what is wrong with a frame does not.

    Attributes:
        ref: what recordings call it; no other connection of the run has it.
        state: how far it has come.
        since_ns: when that state began, ns UTC.
        ready: every stream is accepted or given up, and the market has been heard, or is quiet.
        going_away: the venue has said that it will close it.
        end_reason: why it ended.
        pause_seconds: how long the venue wants to be left alone after that.
    """

    def __init__(
        self,
        ref: str,
        route: str,
        keys: Iterable[StreamKey],
        surroundings: Surroundings,
        changed: Callable[[], None],
    ) -> None:
        """Make one that is not open yet.

        Args:
            changed: called when its state changes.
        """
        self.ref = ref
        self.url = surroundings.dialect.stream_url(route)
        self.state = ConnectionState.CONNECTING
        self.since_ns = surroundings.clock.now()
        self.opened_ns = 0
        self.ready = False
        self.going_away = False
        self.end_reason = ""
        self.pause_seconds = 0.0
        self.subscriptions = Subscriptions(surroundings.dialect, keys)
        self.wire: Wire | None = None
        self._around = surroundings
        self._limits = surroundings.dialect.limits
        self._changed = changed
        self._wake = asyncio.Event()
        self._closing = False
        self._opening: asyncio.Task[None] | None = None
        self._first: list[bytes] = []
        self._pinged_ns = 0
        self._idle_seconds = self._limits.idle_seconds * surroundings.patience
        self._silence_ns = round(self._idle_seconds * 1e9) // PINGS_PER_IDLE
        self._rate = surroundings.messages or MessageRate(self._limits, clock=surroundings.clock.now)
        self._spoken = False

    async def run(self) -> None:
        """Live, until the end; :attr:`end_reason` says why it came.

        Raises:
            Exception: whatever a reader raised that was not a FrameError: a fault of ours.
        """
        try:
            self.end_reason = await self._live()
        finally:
            if self.wire is not None:
                await self.wire.close()
            self.ready = False
            self._become(ConnectionState.CLOSED)
        if self.wire is not None and self.wire.connected:
            await self.wire.failure()
            self.end_reason = self.end_reason or self.wire.end_reason

    def close(self, reason: str) -> None:
        """Begin to end it."""
        self._closing = True
        self.end_reason = reason
        if self._opening is not None:
            self._opening.cancel()
        self._wake.set()

    def add(self, keys: Iterable[StreamKey]) -> None:
        """Want more streams."""
        self.subscriptions.add(keys)
        self._wake.set()

    def remove(self, keys: Iterable[StreamKey]) -> None:
        """Want these no longer."""
        self.subscriptions.remove(keys)
        self._wake.set()

    def renew(self, keys: Iterable[StreamKey]) -> list[StreamKey]:
        """Ask anew for streams, and return those that it has."""
        renewed = self.subscriptions.renew(keys)
        self._wake.set()
        return renewed

    async def _live(self) -> str:
        try:
            await self._open()
        except ConnectError as error:
            self.pause_seconds = error.pause_seconds
            return str(error)
        except asyncio.CancelledError:
            if self._closing:
                return self.end_reason
            raise
        wire = self.wire
        assert wire is not None
        self.opened_ns = self._around.clock.now()
        self._first = list(self._around.dialect.opening())
        self._become(ConnectionState.SUBSCRIBING)
        while not wire.ended.is_set() and not self._closing:
            now = self._around.clock.now()
            self.subscriptions.expire(now)
            if self._why_dead(now, wire):
                # A loop that was held up runs its timers before it reads what came meanwhile.
                await asyncio.sleep(READ_SECONDS)
                if reason := self._why_dead(self._around.clock.now(), wire):
                    return reason
            wait = self._send_due(now, wire)
            self._progress(now, wire)
            await self._sleep(wait)
        return self.end_reason

    async def _open(self) -> None:
        around = self._around
        self.wire = Wire(
            self.ref,
            self.url,
            around.adapter.reader,
            now=around.clock.now,
            turn=around.turn,
            on_control=self._on_control,
            on_end=self._wake.set,
            on_answered_ping=self._rate.take,
            recorder=around.recorder,
            most_bytes=self._limits.frame_bytes,
        )
        self._opening = asyncio.create_task(
            open_wire(
                self.wire,
                self.url,
                seconds=around.connect_seconds,
                most_bytes=self._limits.frame_bytes,
                proxy=proxy_of(self.url, around.proxy),
                tls=around.tls,
            )
        )
        if self._closing:
            self._opening.cancel()
        await self._opening

    def _on_control(self, control: Control) -> None:
        if isinstance(control, GoingAway):
            self.going_away = True
            self._changed()
        elif isinstance(control, Resubscribe):
            mine = self.renew(control.keys)
            if others := [key for key in control.keys if key not in mine]:
                self._around.elsewhere(others)
        else:
            if isinstance(control, TooManyMessages):
                self._pause()
            self.subscriptions.on(control, self._around.clock.now())
        self._wake.set()

    def _pause(self) -> None:
        """Send nothing for a while: every message more would be one too many, too."""
        if seconds := self._rate.pause():
            self._around.log.warning(
                "the venue had too many messages", venue=self._around.dialect.venue, ref=self.ref,
                then=f"nothing is sent for {seconds:.1f} s; what it has left out is asked for again",
            )  # fmt: skip

    def _why_dead(self, now: int, wire: Wire) -> str:
        if now - wire.last_frame_ns >= self._idle_seconds * 1e9:
            return f"nothing received for {self._idle_seconds:g} s"
        if self.subscriptions.nobody_answers and not wire.market_frames:
            return "the venue answers no request"
        if self.subscriptions.unanswered_since_ns() > wire.last_frame_ns:
            return f"no answer within {self._limits.ack_seconds:g} s, and nothing else"
        # Not every server answers pings, as it should: one that never did is given the whole time.
        if wire.pongs and self._pinged_ns > wire.last_frame_ns and now - self._pinged_ns >= self._silence_ns:
            return f"nothing received for {(now - wire.last_frame_ns) / 1e9:.1f} s, and no answer to a ping"
        return ""

    def _send_due(self, now: int, wire: Wire) -> float:
        """Send what may be sent now, and return the seconds until something is to be done."""
        while not (wait := self._rate.wait_seconds(first=not self._spoken)):
            if self._should_ping(now, wire):
                self._ping(now, wire)
            elif (message := self._next_message(now)) is not None:
                wire.send(message)
            else:
                break
            self._rate.take()
            self._spoken = True
        due = min(
            self.subscriptions.due_ns(now),
            wire.last_frame_ns + round(self._idle_seconds * 1e9),
            max(wire.last_frame_ns, self._pinged_ns) + self._silence_ns,
        )
        until_due = max(0.0, (due - now) / 1e9)
        return min(wait, until_due) if wait else until_due

    def _should_ping(self, now: int, wire: Wire) -> bool:
        """Say whether a sign of life is wanted: in silence, and once when all is well, to see if it is given."""
        if self.state is ConnectionState.OPEN and not self._pinged_ns:
            return True
        return now - max(wire.last_frame_ns, self._pinged_ns) >= self._silence_ns

    def _ping(self, now: int, wire: Wire) -> None:
        message = None
        if self._pinged_ns and not wire.pongs:
            message = self._around.dialect.ping(self.subscriptions.next_id())
        self._pinged_ns = now
        if message is None:
            wire.ping()
        else:
            wire.send(message)

    def _next_message(self, now: int) -> bytes | None:
        if self._first:
            return self._first.pop(0)
        return self.subscriptions.take(now)

    def _progress(self, now: int, wire: Wire) -> None:
        if self.state is ConnectionState.SUBSCRIBING and self.subscriptions.settled and not self._first:
            self._become(ConnectionState.OPEN)
        if self.state is ConnectionState.OPEN and not self.ready:
            self.ready = wire.market_frames > 0 or now - self.since_ns >= self._around.quiet_ns
            if self.ready:
                self._changed()

    async def _sleep(self, seconds: float) -> None:
        if self.state is ConnectionState.OPEN and not self.ready:
            seconds = min(seconds, DATA_POLL_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _become(self, state: ConnectionState) -> None:
        self.state = state
        self.since_ns = self._around.clock.now()
        self._around.log.debug("connection", ref=self.ref, url=without_secrets(self.url), state=str(state))
        self._changed()
