"""One client's socket."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.face import BeatingSession, Session, WireLimits
from tickfloor.simulator.framing import text_frame


class Owner(Protocol):
    """The server that a connection belongs to, with what it allows; see SimulatorSettings."""

    conditions: Conditions
    unflushed: list["Connection"]
    ping_seconds: float
    life_seconds: float
    backlog_bytes: int
    enforce_limits: bool
    too_slow: int

    def joined(self, connection: "Connection") -> None:
        """Keep a connection that was opened."""

    def left(self, connection: "Connection") -> None:
        """Forget a connection that has ended."""


class Connection(WSListener):
    """Collects frames and writes many at once; keeps its client to the venue's rules.

    Attributes:
        number: counts all connections from 1.
        muted: half-open: nothing is sent or heard any more, and the socket stays open.
    """

    def __init__(self, server: Owner, number: int, venue: str, limits: WireLimits) -> None:
        self.number = number
        self.venue = venue
        self.muted = False
        self.session: Session | None = None
        self.stuck_since: float | None = None
        self._server = server
        self._limits = limits
        self._pending: list[bytes] = []
        self._quiet = True
        self._transport: WSTransport | None = None
        self._heard: deque[float] = deque(maxlen=max(1, limits.messages_per_second))
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # Sending

    def send(self, payload: bytes) -> None:
        """Send a text message with the next flush."""
        self.send_frame(text_frame(payload))

    def send_frame(self, frame: bytes) -> None:  # hot path
        """Send a message that is framed already, with the next flush."""
        pending = self._pending
        if not pending:
            self._server.unflushed.append(self)
        pending.append(frame)

    def flush(self) -> None:
        """Write what was collected; drop the connection if its client has not taken what was written before."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        self._quiet = False
        transport = self._transport
        if transport is None or self.muted or transport.is_close_frame_sent or transport.is_disconnected:
            return
        if self.backlog() > self._server.backlog_bytes:
            self._server.too_slow += 1
            self.drop()
            return
        transport.underlying_transport.write(b"".join(pending))

    def backlog(self) -> int:
        """Return how many bytes the client has not taken yet."""
        if self._transport is None or self._transport.is_disconnected:
            return 0
        return self._transport.underlying_transport.get_write_buffer_size()

    def close(self, code: WSCloseCode, reason: str) -> None:
        """Close as the protocol wants it, after what was collected."""
        if self._transport is None or self.muted:
            return
        self.flush()
        self._transport.send_close(code, reason.encode())
        self._transport.disconnect()

    def drop(self) -> None:
        """Cut the line without a word."""
        if self._transport is not None:
            self._transport.underlying_transport.abort()

    # Of the socket

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        self._server.joined(self)
        if self.session is not None:
            self.session.opened()
            self.flush()
        if isinstance(self.session, BeatingSession):
            self._later("beat", self.session.beat_seconds, partial(self._beat, self.session))
        ping_seconds = self._server.ping_seconds or self._limits.ping_seconds
        if ping_seconds:
            self._later("ping", ping_seconds, self._ping)
        self._later("life", self._server.life_seconds, self._expire)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take in a client's frame."""
        if self.muted:
            return
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        if not self._allowed():
            self.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
            return
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.PONG:
            self._cancel("pong")
        elif self.session is not None:
            self.session.message(frame.get_payload_as_bytes())
            self.flush()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End."""
        del transport
        for name in list(self._timers):
            self._cancel(name)
        self._pending.clear()
        self._server.left(self)
        self._transport = None

    def pause_writing(self) -> None:
        """Do nothing: what a client may leave unread has a bound of its own."""

    def resume_writing(self) -> None:
        """Do nothing."""

    # Rules

    def _allowed(self) -> bool:
        if not self._server.enforce_limits or not self._limits.messages_per_second:
            return True
        now = self._server.conditions.clock()
        heard = self._heard
        breach = len(heard) == heard.maxlen and now - heard[0] < 1.0
        heard.append(now)
        return not breach

    def _beat(self, session: BeatingSession) -> None:
        stays = session.beat(quiet=self._quiet)
        self.flush()
        self._quiet = True
        if stays:
            self._later("beat", session.beat_seconds, partial(self._beat, session))
        else:
            self.close(WSCloseCode.POLICY_VIOLATION, "")

    def _ping(self) -> None:
        if self._transport is None:
            return
        if not self.muted:
            self.flush()
            self._transport.send_ping(b"%d" % int(self._server.conditions.clock() * 1000))
            if "pong" not in self._timers:
                self._later("pong", self._limits.pong_seconds, self._no_pong)
        self._later("ping", self._server.ping_seconds or self._limits.ping_seconds, self._ping)

    def _no_pong(self) -> None:
        self.drop()

    def _expire(self) -> None:
        self.close(WSCloseCode.OK, "")

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, call)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
