"""One open WebSocket: whole messages in, messages out."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSProtocolError, WSTransport

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Control, Reader

TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
PING, PONG, CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE
CLOSING_SECONDS: Final = 0.3
MOST_PIECES: Final = 1 << 14
"""Of one message: empty ones would come for ever without making it longer."""
FRAMES_A_TURN: Final = 1000
"""After so many, a socket that always has more waits for the loop's next turn: others must be heard, too."""


class Recorder(Protocol):
    """Keeps what goes over the wire, as it is."""

    def frame(self, recv_ns: int, kind: str, ref: str, payload: bytes, /) -> None:
        """Take in a line of a capture: kind ``F`` from the venue, ``S`` to it, ``C`` a connection's URL."""


class Turn:
    """Publishes once for all frames that one turn of the event loop brings."""

    __slots__ = ("_failed", "_flush", "_loop", "_waiting", "due")

    def __init__(self, flush: Callable[[], None]) -> None:
        """Make one for the running loop."""
        self.due = False
        self._flush = flush
        self._waiting: list[Callable[[], object]] = []
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()

    async def failure(self) -> None:
        """Wait, until publishing fails.

        Raises:
            Exception: what it failed of.
        """
        await self._failed

    def begin(self) -> None:
        """Publish at the end of this turn; only to be called if that is not due."""
        self.due = True
        self._loop.call_soon(self._end)

    def after(self, call: Callable[[], object]) -> None:
        """Call something once what this turn has brought is published, and others have had their turn."""
        self._waiting.append(call)

    def _end(self) -> None:
        self.due = False
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            self._loop.call_soon(call)
        try:
            self._flush()
        except Exception as error:  # noqa: BLE001 - the loop would only log it; it is raised where it is waited for
            if not self._failed.done():
                self._failed.set_exception(error)


class Wire(WSListener):
    """Gives every message to the reader in the callback that received it, and answers pings.

    Messages are not compressed: that is never offered to the venue.

    Attributes:
        frames, payload_bytes: whole messages.
        controls: those of them that were not about a market.
        malformed: those that the reader refused.
        last_frame_ns: when anything came last, pings included, ns UTC.
        newest_problem: what was wrong with the newest malformed one.
        pongs: answers to :meth:`ping`.
        ended, end_reason: whether it has, and why.
    """

    # picows makes its listeners in a way that leaves their dictionary slow: a third of a microsecond a frame.
    __slots__ = (
        "_make_reader", "_most_bytes", "_now", "_on_answered_ping", "_on_control", "_on_end", "_pieces",
        "_pieces_bytes", "_reader", "_record", "_ref", "_rest_at", "_transport", "_turn", "_url", "controls",
        "end_reason", "ended", "frames", "last_frame_ns", "malformed", "newest_problem", "payload_bytes", "pongs",
    )  # fmt: skip

    def __init__(
        self,
        ref: str,
        url: str,
        make_reader: Callable[[str], Reader],
        *,
        now: Callable[[], int],
        turn: Turn,
        on_control: Callable[[Control], None],
        on_end: Callable[[], None],
        on_answered_ping: Callable[[], object],
        recorder: Recorder | None,
        most_bytes: int,
    ) -> None:
        self.frames = 0
        self.payload_bytes = 0
        self.controls = 0
        self.malformed = 0
        self.pongs = 0
        self.newest_problem = ""
        self.last_frame_ns = now()
        self.end_reason = ""
        self.ended = asyncio.Event()
        self._ref = ref
        self._url = url
        self._make_reader = make_reader
        self._now = now
        self._turn = turn
        self._on_control = on_control
        self._on_end = on_end
        self._on_answered_ping = on_answered_ping
        self._record = None if recorder is None else recorder.frame
        self._most_bytes = most_bytes
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._rest_at = FRAMES_A_TURN
        self._transport: WSTransport | None = None

    @property
    def connected(self) -> bool:
        """Whether it was ever."""
        return self._transport is not None

    @property
    def market_frames(self) -> int:
        """Messages that were about a market."""
        return self.frames - self.controls - self.malformed

    def send(self, message: bytes) -> None:
        """Send one text message, if the connection is still there."""
        if self._transport is not None and not self.ended.is_set():
            if self._record is not None:
                self._record(self._now(), "S", self._ref, message)
            self._transport.send(TEXT, message)

    def ping(self) -> None:
        """Ask the other side for a sign of life."""
        if self._transport is not None and not self.ended.is_set():
            self._transport.send_ping()

    async def close(self) -> None:
        """Say goodbye, and leave whoever does not answer."""
        transport = self._transport
        if transport is None or self.ended.is_set():
            return
        if not transport.is_close_frame_sent:
            transport.send_close(WSCloseCode.OK)
        transport.disconnect()
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.ended.wait()
        except TimeoutError:
            transport.disconnect(graceful=False)
            await self.ended.wait()

    async def failure(self) -> None:
        """Raise what a reader did that was not a :class:`FrameError`; to be called after the end."""
        if self._transport is not None:
            try:
                await self._transport.wait_disconnected()
            except WSProtocolError as error:
                self.end_reason = f"protocol error: {error}"

    # picows calls these

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport, and begin to read: to an adapter a new reader is a new connection."""
        self._transport = transport
        self.last_frame_ns = self._now()
        if self._record is not None:
            self._record(self.last_frame_ns, "C", self._ref, self._url.encode())
        self._reader = self._make_reader(self._ref)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # hot path: benchmarks/feeds.py
        """Take in a frame."""
        self.last_frame_ns = recv_ns = self._now()
        kind = frame.msg_type
        if kind is TEXT and frame.fin and not self._pieces:
            payload = frame.get_payload_as_bytes()
        else:
            whole = self._other_frame(transport, frame, kind)
            if whole is None:
                return
            payload = whole
        self.frames += 1
        self.payload_bytes += len(payload)
        if self._record is not None:
            self._record(recv_ns, "F", self._ref, payload)
        try:
            control = self._reader(recv_ns, payload)
        except FrameError as error:
            self.malformed += 1
            self.newest_problem = error.reason
        else:
            if control is not None:
                self.controls += 1
                self._on_control(control)
        if not self._turn.due:
            self._turn.begin()
            self._rest_at = self.frames + FRAMES_A_TURN
        elif self.frames >= self._rest_at:
            self._rest(transport)

    def _rest(self, transport: WSTransport) -> None:
        """Read no more in this turn."""
        self._rest_at = self.frames + FRAMES_A_TURN
        transport.underlying_transport.pause_reading()
        self._turn.after(transport.underlying_transport.resume_reading)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note the end."""
        said = transport.close_handshake
        if not self.end_reason:
            self.end_reason = "the connection broke"
            if said is not None and said.recv is not None:
                self.end_reason = f"closed by the venue: {_number(said.recv.code)} {said.recv.reason}".rstrip()
        self.ended.set()
        self._on_end()

    def pause_writing(self) -> None:
        """Go on: what is sent is little, and a venue that does not read is found dead by its silence."""

    def resume_writing(self) -> None:
        """Go on."""

    def _other_frame(self, transport: WSTransport, frame: WSFrame, kind: WSMsgType) -> bytes | None:
        """Return a message that this frame completes, after doing what it asks for."""
        if kind is PING:
            transport.send_pong(frame.get_payload_as_bytes())
            self._on_answered_ping()
        elif kind is PONG:
            self.pongs += 1
        elif kind is CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind is CONTINUATION or kind is TEXT or kind is BINARY:
            return self._piece(frame, kind)
        return None

    def _piece(self, frame: WSFrame, kind: WSMsgType) -> bytes | None:
        if (kind is CONTINUATION) != bool(self._pieces):
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a message began in the middle of another")
        if frame.fin and not self._pieces:
            return frame.get_payload_as_bytes()
        self._pieces.append(frame.get_payload_as_bytes())
        self._pieces_bytes += frame.payload_size
        if self._pieces_bytes > self._most_bytes:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"a message of more than {self._most_bytes} bytes")
        if len(self._pieces) > MOST_PIECES:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"a message of more than {MOST_PIECES} pieces")
        if not frame.fin:
            return None
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self._pieces_bytes = 0
        return whole


def _number(code: WSCloseCode | int) -> int:
    """Return a close code's number: picows has an enum for those of the standard only."""
    return code.value if isinstance(code, WSCloseCode) else code
