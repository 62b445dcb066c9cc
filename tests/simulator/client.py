"""A client that shares nothing with the simulator: aiohttp's."""

import asyncio
import json
from collections import defaultdict
from contextlib import asynccontextmanager

import aiohttp

from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator

START_NS = 1_723_161_060_000_000_000
"""A full minute."""


def run(scene):
    """Run a coroutine function to its end, within 30 s."""

    async def within():
        async with asyncio.timeout(30):
            await scene()

    asyncio.run(within())


@asynccontextmanager
async def exchange(**settings):
    """Yield a simulator at rest and an HTTP session; time passes by ``simulator.step``."""
    chosen = {"seed": 7, "start_ns": START_NS, "instruments": 3, "rate": 500.0, "paused": True} | settings
    async with Simulator(SimulatorSettings(**chosen)) as simulator, aiohttp.ClientSession() as http:
        yield simulator, http


class Client:
    """A WebSocket that keeps what it hears."""

    def __init__(self, http, url, **options):
        self.http = http
        self._connecting = http.ws_connect(url, max_msg_size=0, **options)
        self._asked = 0
        self.texts = []

    async def __aenter__(self):
        self.socket = await self._connecting
        return self

    async def __aexit__(self, *error):
        await self.socket.close()

    async def hear(self):
        """Return the next message's text."""
        message = await self.socket.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        self.texts.append(message.data)
        return message.data

    async def hear_end(self):
        """Read until the connection ends, and return its close code."""
        while True:
            message = await self.socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                return self.socket.close_code
            self.texts.append(message.data)

    async def ask(self, method, params=None, **others):
        """Send a request and read up to its answer; everything sent before it has been heard then."""
        self._asked += 1
        request = {"method": method, "id": self._asked} | ({} if params is None else {"params": params}) | others
        await self.socket.send_str(json.dumps(request))
        return await self.answer(request["id"])

    async def answer(self, request_id):
        while True:
            try:
                found = json.loads(await self.hear())
            except json.JSONDecodeError:
                # A frame that was broken on purpose.
                continue
            if isinstance(found, dict) and "id" in found and found["id"] == request_id:
                self.texts.pop()
                return found

    async def subscribe(self, *names):
        assert (await self.ask("SUBSCRIBE", list(names)))["result"] is None

    async def catch_up(self):
        """Read everything that has been sent so far."""
        await self.ask("LIST_SUBSCRIPTIONS")

    def frames(self):
        """Return the data of all frames by stream, as they came."""
        found = defaultdict(list)
        for text in self.texts:
            frame = json.loads(text)
            if "stream" in frame:
                found[frame["stream"]].append(frame["data"])
        return found


@asynccontextmanager
async def listening(path, *, autoping=True, **settings):
    """Yield a simulator at rest, and a client connected to a path."""
    async with (
        exchange(**settings) as (simulator, http),
        Client(http, simulator.stream_url + path, autoping=autoping) as client,
    ):
        yield simulator, client


async def get(http, url):
    """Return status and JSON of a REST answer."""
    async with http.get(url) as response:
        return response.status, await response.json()


async def post(http, url, body=None):
    async with http.post(url, json=body) as response:
        return response.status, await response.json()
