"""One client's connection to the control socket: whole frames in, whole frames out, within a time."""

import asyncio
import socket
from contextlib import suppress

import msgspec

from tickfloor.supervisor.control.framing import HEADER, LARGEST_REQUEST, framed
from tickfloor.supervisor.control.replies import Answer


class MalformedError(Exception):
    """What came is no request."""


class Connection:
    """Reads and writes frames. What is waited for is the client's memory and time, never the floor's."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        """Take over a connected socket; ``patience`` is seconds for a whole request, or for an answer to be taken."""
        connection.setblocking(False)
        self._socket = connection
        self._patience = patience
        self._sending = False

    async def receive(self) -> bytes | None:
        """Return one request, or None when the client has no more.

        Raises:
            MalformedError: it is too large, cut off, or not whole in time.
            OSError: the client is gone.
        """
        try:
            async with asyncio.timeout(self._patience):
                header = await self._read(HEADER.size)
                if not header:
                    return None
                if len(header) < HEADER.size:
                    raise MalformedError("the request is cut off")
                (size,) = HEADER.unpack(header)
                if size > LARGEST_REQUEST:
                    raise MalformedError(f"a request has at most {LARGEST_REQUEST:,} bytes, not {size:,}")
                payload = await self._read(size)
        except TimeoutError as error:
            raise MalformedError(f"no whole request came within {self._patience:g} s") from error
        if len(payload) < size:
            raise MalformedError("the request is cut off")
        return payload

    async def send(self, answer: Answer) -> None:
        """Send an answer.

        Raises:
            OSError: the client is gone, or did not take it in time (TimeoutError).
        """
        async with asyncio.timeout(self._patience):
            await self.send_patiently(answer)

    async def send_patiently(self, answer: Answer) -> None:
        """Send an answer, however long the client takes.

        Raises:
            OSError: the client is gone.
        """
        frame = framed(msgspec.json.encode(answer))
        self._sending = True
        await asyncio.get_running_loop().sock_sendall(self._socket, frame)
        self._sending = False

    def say_last(self, answer: Answer) -> None:
        """Send a short answer if the client takes it at once, and no other is half sent."""
        if self._sending:
            return
        with suppress(OSError):
            self._socket.send(framed(msgspec.json.encode(answer)))

    async def gone(self) -> None:
        """Return when the client hangs up, or says something that nobody asked for."""
        with suppress(OSError):
            await asyncio.get_running_loop().sock_recv(self._socket, 1)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    async def _read(self, size: int) -> bytes:
        """Return so many bytes, or fewer if the client says no more."""
        loop = asyncio.get_running_loop()
        taken = bytearray()
        while len(taken) < size and (chunk := await loop.sock_recv(self._socket, size - len(taken))):
            taken += chunk
        return bytes(taken)
