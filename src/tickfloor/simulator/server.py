"""The socket side of a simulated exchange: one port, any number of faces."""

import asyncio
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from picows import WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener, ws_create_server

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.connection import Connection
from tickfloor.simulator.errors import PortError
from tickfloor.simulator.face import Face
from tickfloor.simulator.settings import SimulatorSettings

HOST: Final = "127.0.0.1"
"""Nobody but this machine is served."""
CONGESTED_BYTES: Final = 1 << 20
STUCK_SECONDS: Final = 10.0


class StreamServer:
    """Accepts connections for all faces and writes what they collect.

    Attributes:
        connections: the open ones, by number.
        unflushed: those with something collected.
        accepted, refused, too_slow: connections so far.
    """

    def __init__(self, faces: Sequence[Face], settings: SimulatorSettings, conditions: Conditions) -> None:
        self.conditions = conditions
        self.connections: dict[int, Connection] = {}
        self.unflushed: list[Connection] = []
        self.ping_seconds = settings.ping_seconds
        self.life_seconds = settings.life_seconds
        self.backlog_bytes = settings.backlog_bytes
        self.enforce_limits = settings.enforce_limits
        self.accepted = 0
        self.refused = 0
        self.too_slow = 0
        self._faces = {face.venue: face for face in faces}
        self._attempts: dict[str, deque[float]] = {face.venue: deque() for face in faces}
        self._server: asyncio.Server | None = None
        self._left = asyncio.Event()

    async def open(self, port: int) -> int:
        """Listen, and return the port.

        Raises:
            PortError: it cannot be had.
        """
        try:
            self._server = await ws_create_server(
                self._listener, HOST, port, enable_auto_pong=False, logger_name="simulator"
            )
        except OSError as error:
            raise PortError(port, error) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End all connections and stop listening."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections.values()):
            connection.drop()
        while self.connections:
            self._left.clear()
            await self._left.wait()
        if self._server is not None:
            await self._server.wait_closed()

    def flush(self) -> None:  # hot path
        """Write what was collected, one write a connection."""
        if self.unflushed:
            unflushed, self.unflushed = self.unflushed, []
            for connection in unflushed:
                connection.flush()

    def congested(self) -> bool:
        """Say whether a client has much to read yet; one that does not read at all is dropped."""
        found = False
        now = self.conditions.clock()
        for connection in list(self.connections.values()):
            if connection.backlog() < CONGESTED_BYTES:
                connection.stuck_since = None
                continue
            connection.stuck_since = connection.stuck_since or now
            if now - connection.stuck_since > STUCK_SECONDS:
                self.too_slow += 1
                connection.drop()
            else:
                found = True
        return found

    def joined(self, connection: Connection) -> None:
        """Keep a connection that was opened."""
        self.accepted += 1
        self.connections[connection.number] = connection

    def left(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.connections.pop(connection.number, None)
        self._faces[connection.venue].streams.remove(connection)
        self._left.set()

    def _listener(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        if self.conditions.refusing():
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        path = request.path.decode("latin-1")
        for face in self._faces.values():
            own = path.removeprefix(f"/{face.venue}") if path.startswith(f"/{face.venue}/") else path
            connection = Connection(self, self.accepted + 1, face.venue, face.limits)
            session = face.session(own, connection)
            if session is None:
                continue
            if not self._may_connect(face):
                return self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
            connection.session = session
            return connection
        return None

    def _may_connect(self, face: Face) -> bool:
        limits = face.limits
        if not self.enforce_limits or not limits.connections:
            return True
        attempts, now = self._attempts[face.venue], self.conditions.clock()
        while attempts and now - attempts[0] > limits.connections_seconds:
            attempts.popleft()
        attempts.append(now)
        return len(attempts) <= limits.connections

    def _refuse(self, status: HTTPStatus) -> WSUpgradeResponseWithListener:
        self.refused += 1
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, b""), None)
