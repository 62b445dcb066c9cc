"""Makes a connection to a venue, or says why it cannot be had."""

import asyncio
import functools
import logging
import socket
import ssl
from ssl import SSLContext
from typing import Any

from picows import WSError, WSHandshakeError, ws_connect
from picows.url import WSParsedURL
from python_socks import ProxyError

from tickfloor.contracts.errors import TickfloorError
from tickfloor.feeds.live.connecting.wire import Wire
from tickfloor.feeds.live.retry_after import pause_seconds

_SILENT = logging.getLogger("picows.tickfloor")
"""picows says here what becomes a connection's ``end_reason``; it would go to stderr as well."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class ConnectError(TickfloorError):
    """A venue could not be connected to.

    Attributes:
        pause_seconds: how long the venue wants to be left alone; 0: it did not say.
    """

    def __init__(self, reason: str, pause_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


async def open_wire(
    wire: Wire, url: str, *, seconds: float, most_bytes: int, proxy: str | None, tls: SSLContext | None
) -> None:
    """Connect within so many seconds.

    Args:
        proxy: its URL, for example ``http://proxy:3128``.
        tls: instead of the default context, which verifies the venue's certificate and name.

    Raises:
        ConnectError: it cannot be had, with the reason.
    """
    dial = _Dial()
    # The event loop's own transports: those of aiofastnet are not faster here, and verify certificates by an engine of
    # their own, which was seen to crash with a server's callback for names.
    connecting = asyncio.create_task(
        ws_connect(
            lambda: wire,
            url,
            ssl_context=tls or (_verifying() if url.startswith("wss:") else None),
            websocket_handshake_timeout=None,
            enable_auto_pong=False,
            max_frame_size=most_bytes,
            max_redirects=0,
            proxy=proxy,
            socket_factory=dial.socket,
            logger_name=_SILENT,
            use_aiofastnet=False,
        )
    )
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(connecting)
    except (OSError, WSError, ProxyError, ValueError) as error:
        raise ConnectError(_reason(error, seconds), _pause_seconds(error)) from error
    finally:
        if not connecting.done():
            await dial.hang_up(connecting)
    if not wire.connected:
        raise ConnectError("the venue closed the connection during the handshake")


class _Dial:
    """Keeps the socket of a connection that is being made: picows forgets it when its caller is cancelled."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    async def socket(self, url: WSParsedURL) -> socket.socket:
        """Connect to the first of a host's addresses that lets itself be."""
        loop = asyncio.get_running_loop()
        failure: OSError | None = None
        for family, kind, protocol, _, address in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
            opened = socket.socket(family, kind, protocol)
            opened.setblocking(False)
            try:
                await loop.sock_connect(opened, address)
            except OSError as error:
                opened.close()
                failure = error
            except BaseException:
                opened.close()
                raise
            else:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket = opened
                return opened
        raise failure or OSError(f"{url.host} has no address")

    async def hang_up(self, connecting: "asyncio.Task[Any]") -> None:
        """End what is under way, and wait for it."""
        if self._socket is None:
            connecting.cancel()
        else:
            self._socket.shutdown(socket.SHUT_RDWR)
        await asyncio.wait({connecting})
        if not connecting.cancelled():
            connecting.exception()


@functools.cache
def _verifying() -> SSLContext:
    """Return the default context; made once, because reading all the authorities takes its time."""
    return ssl.create_default_context()


def _reason(error: BaseException, seconds: float) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"no connection within {seconds:g} s"
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return f"answered {int(error.response.status)} instead of opening a stream"
    return str(error) or type(error).__name__


def _pause_seconds(error: BaseException) -> float:
    if not isinstance(error, WSHandshakeError) or error.response is None:
        return 0.0
    return pause_seconds(error.response.status, error.response.headers.get("Retry-After", ""))
