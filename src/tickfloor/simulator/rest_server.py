"""The HTTP side of a simulated exchange: the venues' REST, and the simulator's own endpoints."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import PortError, SimulatorError
from tickfloor.simulator.face import Asked, Face, Reply
from tickfloor.simulator.server import HOST
from tickfloor.simulator.weights import WeightMeter

_JSON = {"Content-Type": "application/json"}
_TOO_MANY, _BANNED = 429, 418
_QUERIES: Final[Mapping[str, tuple[str, ...]]] = {
    "/simulator/ledger": ("venue", "symbol"),
    "/simulator/state": (),
    "/simulator/hostility": (),
    "/simulator/pause": (),
    "/simulator/resume": (),
}
"""What may be asked for behind the ``?`` of the simulator's own paths."""


class Controls(Protocol):
    """The simulator, as its own endpoints see it; see :class:`tickfloor.simulator.simulator.Simulator`."""

    def ledger(self, venue: str | None = None, symbol: str | None = None) -> dict[str, Any]:
        """Return what happened.

        Raises:
            SimulatorError: there is no such venue or symbol.
        """

    def state(self) -> dict[str, Any]:
        """Return how it stands."""

    def hostilities(self) -> dict[str, Any]:
        """Return what can be done, with parameters."""

    def do(self, action: str, **parameters: object) -> str:
        """Do a hostility.

        Raises:
            HostilityError: there is no such one, or not with such parameters.
        """

    def pause(self) -> None:
        """Stop the market."""

    def resume(self) -> None:
        """Let it go on."""


class RestServer:
    """One port for all venues and for ``/simulator/…``."""

    def __init__(
        self, simulator: Controls, faces: Sequence[Face], conditions: Conditions, *, enforce_limits: bool
    ) -> None:
        self._simulator = simulator
        self._faces = faces
        self._conditions = conditions
        self._enforce = enforce_limits
        self._meters = {face.venue: WeightMeter(face.weight_per_minute) for face in faces}
        self._runner: web.AppRunner | None = None
        self.requests = 0

    async def open(self, port: int) -> int:
        """Listen, and return the port.

        Raises:
            PortError: it cannot be had.
        """
        app = web.Application(middlewares=[_only_known_queries])
        app.router.add_get("/simulator/ledger", self._ledger)
        app.router.add_get("/simulator/state", self._state)
        app.router.add_get("/simulator/hostility", self._known)
        app.router.add_post("/simulator/hostility", self._do)
        app.router.add_post("/simulator/pause", self._pause)
        app.router.add_post("/simulator/resume", self._resume)
        app.router.add_get("/{path:.*}", self._venue)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            raise PortError(port, error) from error
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    # The venues'

    async def _venue(self, request: web.Request) -> web.Response:
        self.requests += 1
        for face in self._faces:
            own = request.path.removeprefix(f"/{face.venue}") if request.path.startswith(f"/{face.venue}/") else (
                request.path
            )  # fmt: skip
            if face.serves(own):
                return await self._answer(face, Asked(own, request.query, _lower(request)))
        return web.Response(status=404, body=b'{"code":-5000,"msg":"no venue has this path"}', headers=_JSON)

    async def _answer(self, face: Face, asked: Asked) -> web.Response:
        refusal = self._refusal(face)
        if refusal is not None:
            return refusal
        reply = face.rest(asked)
        used = self._meters[face.venue].add(reply.weight)
        # A slow snapshot is an old one: it was taken before the wait.
        if reply.snapshot and self._conditions.snapshot_delay:
            await asyncio.sleep(self._conditions.snapshot_delay)
        return self._response(face, reply, used)

    def _refusal(self, face: Face) -> web.Response | None:
        status, retry_after = self._conditions.status(), self._conditions.retry_after
        if not status and self._enforce:
            status, retry_after = self._meters[face.venue].check()
        if not status:
            return None
        body = face.too_many(banned=status == _BANNED) if status in (_TOO_MANY, _BANNED) else b"{}"
        response = self._response(face, Reply(status, body), self._meters[face.venue].used)
        response.headers["Retry-After"] = str(retry_after)
        return response

    def _response(self, face: Face, reply: Reply, used: int) -> web.Response:
        response = web.Response(status=reply.status, body=reply.body, headers=_JSON)
        header = face.weight_header(used)
        if header is not None:
            response.headers[header[0]] = header[1]
        return response

    # The simulator's own

    async def _ledger(self, request: web.Request) -> web.Response:
        try:
            return _json(self._simulator.ledger(request.query.get("venue"), request.query.get("symbol")))
        except SimulatorError as error:
            return _json({"error": str(error)}, status=404)

    async def _state(self, request: web.Request) -> web.Response:
        del request
        return _json(self._simulator.state())

    async def _known(self, request: web.Request) -> web.Response:
        del request
        return _json(self._simulator.hostilities())

    async def _do(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=dict[str, object])
            do = asked.pop("do", None)
            if not isinstance(do, str):
                return _json({"error": 'do must name a hostility, for example {"do": "drop"}'}, status=400)
            return _json({"done": self._simulator.do(do, **asked)})
        except (msgspec.MsgspecError, SimulatorError) as error:
            return _json({"error": str(error)}, status=400)

    async def _pause(self, request: web.Request) -> web.Response:
        del request
        self._simulator.pause()
        return _json(self._simulator.state())

    async def _resume(self, request: web.Request) -> web.Response:
        del request
        self._simulator.resume()
        return _json(self._simulator.state())


@web.middleware
async def _only_known_queries(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what would be ignored: who misspells it would take the answer for something else."""
    known = _QUERIES.get(request.path)
    if known is None or request.query.keys() <= set(known):
        return await handler(request)
    unknown = next(name for name in request.query if name not in known)
    takes = ", ".join(f"?{name}=" for name in known) or "nothing there"
    return _json({"error": f"{request.path} does not know ?{unknown}=; it takes {takes}"}, status=400)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), headers=_JSON)


def _lower(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
