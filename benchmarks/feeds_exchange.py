"""The exchange of the benchmark ``feeds``: sends rendered USD-M trade frames as fast as a client reads, or at a rate.

Run as a process of its own. It checks nothing and keeps no account, so that it is never what is measured; the local
exchange of ``tickfloor simulate`` does both.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from aiohttp import web
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from tickfloor.simulator.binance.exchange_info import exchange_info_of, symbol_info
from tickfloor.simulator.binance.rules import BINANCE_USDM
from tickfloor.simulator.symbols import PERPETUALS

HOST = "127.0.0.1"
INSTRUMENTS = 100
SYMBOLS = tuple(each.base + each.quote for each in PERPETUALS[:INSTRUMENTS])
AT_ONCE = 1000
"""Frames given to the socket at once; an answer goes between two frames."""
WARM_FRAMES = 20_000
"""Sent first; what is measured begins when they have come."""
REST_SECONDS = 1.0
"""Between them and the others: for the slowest client to take them in, so that it owes nothing."""
RESTED = "/rested"
"""REST path: when that was over, monotonic ns; 0 for a client that is sent to at a rate."""
STEP_SECONDS = 0.001
FRAMES_PER_MS = 1_000
"""Of market time. It must not run ahead of the clock of whoever reads, however fast that is."""
START_MS = 20_000
"""Within its minute: none closes before everything is read."""
STAMP = 1_000_000
"""A quantity from here on is a time; see :func:`stamped`."""
STAMP_US = 10**9


def stamped(now_ns: int) -> bytes:
    """Return a quantity that says when a frame was sent: the monotonic clock in ms, from :data:`STAMP` on."""
    return b"%d.%03d" % divmod(STAMP * 1000 + now_ns // 1000 % STAMP_US, 1000)


def age_us(quantity: float, now_ns: int) -> float:
    """Return how long ago a frame with such a quantity was sent, microseconds."""
    return (now_ns // 1000 - round((quantity - STAMP) * 1000)) % STAMP_US


class Market:
    """Trades of all instruments by turns of chance, each frame with its WebSocket header."""

    def __init__(self, seed: int = 5) -> None:
        self._random = random.Random(seed)
        self._ids = [0] * INSTRUMENTS

    def frame(self, ms: int, quantity: bytes) -> bytes:
        """Return the next trade; ``ms`` UTC."""
        number = self._random.randrange(INSTRUMENTS)
        self._ids[number] += 1
        trade_id = self._ids[number]
        symbol = SYMBOLS[number]
        payload = (
            b'{"stream":"%b@aggTrade","data":{"e":"aggTrade","E":%d,"s":"%b","a":%d,"p":"%d.%02d","q":"%b","nq":"%b",'
            b'"f":%d,"l":%d,"T":%d,"m":%b,"st":1}}'
        ) % (
            symbol.lower().encode(), ms, symbol.encode(), trade_id, 100 + number, trade_id % 100, quantity, quantity,
            trade_id * 2, trade_id * 2 + 1, ms, b"true" if trade_id % 3 else b"false",
        )  # fmt: skip
        return b"\x81\x7e%b%b" % (len(payload).to_bytes(2, "big"), payload)


def render(frames: int) -> list[bytes]:
    """Return so many frames, of one minute that is about to end, in pieces of whole frames."""
    market = Market()
    ms = int(time.time() * 1000)
    ms += START_MS - 60_000 - ms % 60_000
    return [
        b"".join(
            market.frame(ms + number // FRAMES_PER_MS, b"0.0%d" % (number % 9 + 1))
            for number in range(first, min(first + AT_ONCE, frames))
        )
        for first in range(0, frames, AT_ONCE)
    ]


class Client(WSListener):
    """One connection: answered as Binance does, and sent to once it has asked for everything."""

    def __init__(self, path: str, send: Callable[["Client"], None]) -> None:
        self.transport: WSTransport | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.gone = False
        self.rested_ns = 0
        _, _, named = path.partition("streams=")
        self._streams = set(named.split("/")) if named else set()
        self._send = send
        self._sending = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin, if the address says it all."""
        self.transport = transport
        self._begin_if_complete()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer what a client asks for."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            asked = json.loads(frame.get_payload_as_bytes())
            result: Any = None
            if asked["method"] == "SUBSCRIBE":
                self._streams.update(asked["params"])
            elif asked["method"] == "LIST_SUBSCRIPTIONS":
                result = sorted(self._streams)
            transport.send(WSMsgType.TEXT, json.dumps({"result": result, "id": asked["id"]}).encode())
            self._begin_if_complete()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' signature
        """Send no more."""
        self.gone = True
        self.may_write.set()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self.may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self.may_write.set()

    def write(self, data: bytes) -> None:
        """Write frames as they are."""
        if self.transport is not None and not self.gone:
            self.transport.underlying_transport.write(data)

    def _begin_if_complete(self) -> None:
        if len(self._streams) >= INSTRUMENTS and not self._sending:
            self._sending = True
            self._send(self)


async def flood(client: Client, pieces: Sequence[bytes]) -> None:
    """Send everything as fast as it is read, and rest once on the way."""
    for number, piece in enumerate(pieces):
        if number * AT_ONCE == WARM_FRAMES:
            await asyncio.sleep(REST_SECONDS)
            client.rested_ns = time.monotonic_ns()
        await client.may_write.wait()
        if client.gone:
            return
        client.write(piece)


async def pace(client: Client, rate: int) -> None:
    """Send so many frames a second for as long as the client stays, each with the time at which it is sent."""
    market = Market()
    began = time.monotonic()
    sent = 0
    while not client.gone:
        due = int((time.monotonic() - began) * rate)
        if due > sent:
            now_ms, stamp = int(time.time() * 1000), stamped(time.monotonic_ns())
            client.write(b"".join(market.frame(now_ms, stamp) for _ in range(due - sent)))
            sent = due
        await asyncio.sleep(STEP_SECONDS)


def rest_app(clients: list[Client]) -> web.Application:
    """Return REST that lists the instruments, says when the newest client's rest was over, and knows nothing else."""
    symbols = [symbol_info(BINANCE_USDM, each.base, each.quote, 2, 3) for each in PERPETUALS[:INSTRUMENTS]]

    async def answer(request: web.Request) -> web.Response:
        body = b"[]"
        if request.path.endswith("/exchangeInfo"):
            body = exchange_info_of(BINANCE_USDM, symbols, int(time.time() * 1000))
        elif request.path == RESTED:
            body = b"%d" % clients[-1].rested_ns
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app


async def serve(frames: int, rate: int) -> None:
    """Serve until killed, and say where."""
    pieces = render(WARM_FRAMES + frames) if frames else []
    clients: list[Client] = []
    sending: set[asyncio.Task[None]] = set()

    def send(client: Client) -> None:
        task = asyncio.create_task(pace(client, rate) if rate else flood(client, pieces))
        sending.add(task)
        task.add_done_callback(sending.discard)

    def accept(request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        clients.append(Client(request.path.decode(), send))
        return clients[-1]

    streams = await ws_create_server(accept, HOST, 0, websocket_handshake_timeout=None, use_aiofastnet=False)
    runner = web.AppRunner(rest_app(clients), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    stream_port = streams.sockets[0].getsockname()[1]
    urls = {"stream": f"ws://{HOST}:{stream_port}", "rest": f"http://{HOST}:{runner.addresses[0][1]}"}
    print(json.dumps(urls), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=0, help="sent as fast as possible, after the first ones")
    parser.add_argument("--rate", type=int, default=0, help="frames a second, made when they are sent")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.frames, arguments.rate))
