"""Fetches what a venue answers to HTTP requests."""

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from tickfloor.contracts.errors import TickfloorError
from tickfloor.feeds.live.route_out import proxy_of

BODY_BYTES: Final = 64 << 20
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
CHUNK_BYTES: Final = 1 << 16
OK: Final = 200

Record = Callable[[int, str, str, bytes], None]
"""Takes receive time (ns UTC), kind, ref and payload of a capture's line."""


class RestError(TickfloorError):
    """A request got no whole answer: no connection, no answer in time, or a body beyond the limit."""


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: HTTP status; 0 where there was no whole answer, and the body says why.
        headers: by lowercase name.
        recv_ns: when the body was whole, ns UTC.
        path: what was asked for, with its query.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    recv_ns: int
    path: str

    @property
    def ok(self) -> bool:
        """Whether the body is what was asked for."""
        return self.status == OK


class RestClient:
    """One venue's HTTP side. Make and close it where its event loop runs."""

    def __init__(
        self,
        base_url: str,
        *,
        proxy: str = "",
        record: Record | None = None,
        clock: Callable[[], int] = time.time_ns,
        answer_seconds: float = ANSWER_SECONDS,
        body_bytes: int = BODY_BYTES,
    ) -> None:
        """Connect to nothing yet.

        Args:
            base_url: what stands before every path.
            proxy: URL of an HTTP proxy; empty: what the environment says.
            record: given every good answer, as kind ``H`` with its URL.
            clock: ns UTC.
            answer_seconds: from the beginning of a request to the end of its answer.
            body_bytes: longest body, unpacked.
        """
        self._base_url = base_url.rstrip("/")
        self._proxy = proxy_of(self._base_url, proxy)
        self._record = record
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=answer_seconds, sock_connect=CONNECT_SECONDS)
        self._body_bytes = body_bytes
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, path: str) -> Answer:
        """Get a path, its query included; any status is an answer.

        Raises:
            RestError: there was no whole answer.
        """
        if self._session is None:
            # The system's resolver, as for streams. aiodns, where it is installed, would leave a thread behind.
            connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        url = URL(self._base_url + path)
        try:
            async with self._session.get(url, proxy=self._proxy, allow_redirects=False) as response:
                body = await self._body(response)
                status, headers = response.status, {name.lower(): text for name, text in response.headers.items()}
        except TimeoutError as error:
            raise RestError(f"{path}: no whole answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RestError(f"{path}: {str(error) or type(error).__name__}") from error
        recv_ns = self._clock()
        if status == OK and self._record is not None:
            self._record(recv_ns, "H", str(url.with_user(None)), body)
        return Answer(status, headers, body, recv_ns, path)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            body += chunk
            if len(body) > self._body_bytes:
                raise RestError(f"{response.url.path}: a body of more than {self._body_bytes} bytes")
        return bytes(body)
