"""A venue of a few words on a loopback socket, and how it is read and spoken to.

Client: ``{"op": "sub" | "unsub" | "list" | "ping", "keys": [[channel, symbol], ...], "id": 1}``.
Server: ``{"ack": id, "keys"?}``, ``{"no": id, "keys"?, "why"}``, ``{"list": keys}``, ``{"away": 1}``,
``{"again": keys}``, ``{"many": 1}``, ``{"m": [channel, symbol, n]}``.
"""

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self

import uvloop
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.connecting.connection import Surroundings
from tickfloor.feeds.live.connecting.wire import Turn
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.venue import (
    Acked,
    Channel,
    Control,
    GoingAway,
    Limits,
    Listed,
    Missing,
    Reader,
    Refused,
    Request,
    Resubscribe,
    StreamKey,
    TooManyMessages,
    Traded,
)  # fmt: skip

LIMITS = {
    "messages_per_second": 100_000.0, "requests_per_second": 1000.0, "streams_per_message": 50, "connections": 1000,
    "connections_seconds": 60.0, "life_seconds": 0.0, "idle_seconds": 10.0, "ack_seconds": 5.0, "frame_bytes": 4096,
    "weight_per_minute": 6000,
}  # fmt: skip


def key(text: str) -> StreamKey:
    channel, _, symbol = text.partition(" ")
    return StreamKey(Channel(channel), symbol)


def keys(*texts: str) -> list[StreamKey]:
    return [key(text) for text in texts]


class FakeDialect:
    """Speaks to :class:`FakeVenue`; books go over a route of their own."""

    venue = "fake"

    def __init__(self, url: str = "ws://127.0.0.1:1", *, lists: bool = True, pings: bool = True,
                 streams_per_connection: int = 100, **limits) -> None:  # fmt: skip
        self.limits = Limits(**{**LIMITS, **limits})
        self.streams_per_connection = streams_per_connection
        self.url = url
        self.lists = lists
        self.pings = pings
        self.greetings: list[bytes] = []
        self.probes = True

    def route(self, key: StreamKey) -> str:
        return "books" if key.channel is Channel.BOOK else "market"

    def most_streams(self, route: str) -> int:
        return self.streams_per_connection

    def stream_url(self, route: str) -> str:
        return f"{self.url}/{route}"

    def rest_url(self) -> str:
        return "http://127.0.0.1:1"

    def opening(self) -> list[bytes]:
        return self.greetings

    def subscribe(self, keys, request_id: int) -> bytes:
        assert 0 < len(keys) <= self.limits.streams_per_message
        assert len({key.channel for key in keys}) == 1
        return message("sub", keys, request_id)

    def unsubscribe(self, keys, request_id: int) -> bytes:
        assert len({key.channel for key in keys}) == 1
        return message("unsub", keys, request_id)

    def listing(self, request_id: int) -> bytes | None:
        return message("list", (), request_id) if self.lists else None

    def ping(self, request_id: int) -> bytes | None:
        return message("ping", (), request_id) if self.pings else None

    def channels(self) -> frozenset[Channel]:
        return frozenset({Channel.TRADES, Channel.QUOTES, Channel.BOOK})

    def along(self) -> frozenset[Channel]:
        return frozenset({Channel.TICKERS})

    def instruments(self) -> Request:
        return Request("/instruments", 1)

    def listed(self, body: bytes) -> list[Traded]:
        if body.startswith(b"?"):
            raise FrameError("not a list")
        return [Traded(*each) for each in json.loads(body)]

    def weight_allowed(self, body: bytes) -> int | None:
        return None

    def volumes(self) -> Request:
        return Request("/volumes", 1)

    def volumes_of(self, body: bytes) -> dict[str, float]:
        return json.loads(body)

    def trades(self, symbol: str, missing: Missing) -> Request:
        return Request(f"/trades?symbol={symbol}&from={missing.first_id}", 1)

    def newest_trades(self, symbol: str) -> Request | None:
        return Request(f"/newest?symbol={symbol}", 1) if self.probes else None

    def snapshot(self, symbol: str) -> Request | None:
        return None


def message(op: str, keys, number: int) -> bytes:
    return json.dumps({"op": op, "keys": [[each.channel.value, each.symbol] for each in keys], "id": number}).encode()


class FakeAdapter:
    """Reads :class:`FakeVenue`; keeps what it was given."""

    def __init__(self) -> None:
        self.heard: dict[StreamKey, int] = {}
        self.market: list[tuple[str, StreamKey, int]] = []
        self.readers: list[str] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.on_market: Callable[[StreamKey, int, int], None] | None = None

    def reader(self, connection: str) -> Reader:
        self.readers.append(connection)

        def read(recv_ns: int, payload: bytes) -> Control | None:
            try:
                said = json.loads(payload)
            except ValueError as error:
                raise FrameError("not JSON") from error
            if "m" in said:
                stream = StreamKey(Channel(said["m"][0]), said["m"][1])
                self.heard[stream] = recv_ns
                self.market.append((connection, stream, said["m"][2]))
                if self.on_market is not None:
                    self.on_market(stream, said["m"][2], recv_ns)
                return None
            return control_of(said)

        return read

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        if body.startswith(b"?"):
            raise FrameError("not a body")
        self.bodies.append((ref, body))

    def left_out(self) -> dict[str, int]:
        return {}

    def refused(self) -> tuple[str, ...]:
        return ()

    def figures(self):
        raise ValueError


def control_of(said: dict) -> Control:
    named = said.get("keys")
    streams = None if named is None else tuple(StreamKey(Channel(c), s) for c, s in named)
    if "ack" in said:
        return Acked(said["ack"], streams)
    if "no" in said:
        return Refused(said["no"], streams, said["why"])
    if "list" in said:
        return Listed(frozenset(StreamKey(Channel(c), s) for c, s in said["list"]))
    if "again" in said:
        return Resubscribe(tuple(StreamKey(Channel(c), s) for c, s in said["again"]), "wrong checksum")
    if "many" in said:
        return TooManyMessages()
    if "bug" in said:
        raise ZeroDivisionError("a bug of ours")
    assert "away" in said
    return GoingAway()


class Client(WSListener):
    """One client of the venue, as the venue sees it."""

    def __init__(self, venue: "FakeVenue", path: str) -> None:
        self.venue = venue
        self.path = path
        self.keys: list[list[str]] = []
        self.asked: list[dict] = []
        self.closed = False
        self.pongs = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.venue.clients.append(self)
        self.venue.changed()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type == WSMsgType.PONG:
            self.pongs += 1
            self.venue.changed()
        elif frame.msg_type == WSMsgType.TEXT:
            said = json.loads(frame.get_payload_as_bytes())
            self.asked.append(said)
            self.venue.answer(self, said)
            self.venue.changed()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = True
        self.venue.changed()

    def say(self, **said) -> None:
        self.transport.send(WSMsgType.TEXT, json.dumps(said).encode())

    def raw(self, text: bytes) -> None:
        self.transport.send(WSMsgType.TEXT, text)

    def trade(self, symbol: str, number: int = 1) -> None:
        self.say(m=["trades", symbol, number])

    def wire_bytes(self, data: bytes) -> None:
        """Send bytes that are not made into a frame."""
        self.transport.underlying_transport.write(data)

    def cut(self) -> None:
        """End it without a word."""
        self.transport.disconnect(graceful=False)

    def subscribed(self) -> set[StreamKey]:
        return {StreamKey(Channel(channel), symbol) for channel, symbol in self.keys}


class FakeVenue:
    """A server whose answers a test can replace.

    Attributes:
        clients: every client that ever came, the oldest first.
        answer: what is done with a message; :meth:`obey` unless replaced.
        welcome: False refuses connections by HTTP.
        refuse_with: a status of 400 and above that refuses them.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, answers_pings: bool = True) -> None:
        self.tls = tls
        self.answers_pings = answers_pings
        self.clients: list[Client] = []
        self.answer: Callable[[Client, dict], None] = self.obey
        self.welcome = True
        self.refuse_with = 0
        self.attempts = 0
        self._something = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await ws_create_server(
            self._accept, "127.0.0.1", 0, websocket_handshake_timeout=None, ssl=self.tls, use_aiofastnet=False,
            enable_auto_pong=self.answers_pings,
        )  # fmt: skip
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for client in self.clients:
            client.transport.disconnect(graceful=False)
        await self._server.wait_closed()
        # A turn in which the other side of what was cut learns of it.
        await asyncio.sleep(0)

    def _accept(self, request) -> Client | WSUpgradeResponseWithListener | None:
        self.attempts += 1
        self.changed()
        if self.refuse_with:
            return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(self.refuse_with), None)
        return Client(self, request.path.decode()) if self.welcome else None

    @property
    def open(self) -> list[Client]:
        return [client for client in self.clients if not client.closed]

    def changed(self) -> None:
        self._something.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so; looked at whenever a client does something, and often besides."""
        async with asyncio.timeout(30):
            while not condition():
                self._something.clear()
                try:
                    async with asyncio.timeout(0.005):
                        await self._something.wait()
                except TimeoutError:
                    pass

    def obey(self, client: Client, said: dict) -> None:
        """Do what a client asks for."""
        if said["op"] == "sub":
            client.keys += [each for each in said["keys"] if each not in client.keys]
        elif said["op"] == "unsub":
            client.keys = [each for each in client.keys if each not in said["keys"]]
        if said["op"] == "list":
            client.say(list=client.keys)
        else:
            client.say(ack=said["id"])


@asynccontextmanager
async def refusing(retry_after: bytes) -> AsyncIterator[str]:
    """An address, yielded, that refuses every connection with 429 and says when to come again."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 no\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % retry_after)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


class Lines(list):
    """A log that keeps what is said."""

    def debug(self, event: str, **fields) -> None:
        self.append(("debug", event, fields))

    def info(self, event: str, **fields) -> None:
        self.append(("info", event, fields))

    def warning(self, event: str, **fields) -> None:
        self.append(("warning", event, fields))

    def error(self, event: str, **fields) -> None:
        self.append(("error", event, fields))


class Recording(list):
    """A recorder that keeps lines."""

    def frame(self, recv_ns: int, kind: str, ref: str, payload: bytes) -> None:
        self.append((recv_ns, kind, ref, payload))


def surroundings(dialect: FakeDialect, adapter: FakeAdapter, **changes) -> Surroundings:
    """What connections of the fake venue share; to be made in a running loop."""
    around = Surroundings(
        adapter=adapter, dialect=dialect, clock=ReceiveClock(), turn=Turn(lambda: None), log=Lines(), recorder=None,
        proxy="", tls=None, elsewhere=lambda keys: None, numbers=itertools.count(1), quiet_ns=20_000_000,
    )  # fmt: skip
    return around._replace(**changes)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a test's coroutine on the loop that feeds run on; half a minute is a safety net."""

    async def within() -> Any:
        async with asyncio.timeout(30):
            return await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(within())
