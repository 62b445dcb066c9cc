"""What a venue's HTTP side may do, over a real loopback socket."""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from tickfloor.feeds.live.repairing.rest import Answer, RestClient, RestError

Served = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch) -> None:
    """What this machine goes through must not matter to a loopback socket."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def fetched(serve: Served, path: str = "/api/v3/depth?symbol=BTCUSDT", **more) -> Answer:
    """Fetch one path from a server that answers everything in one way."""

    async def main() -> Answer:
        server = web.Server(serve, handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        client = RestClient(f"http://127.0.0.1:{port}/", **more)
        try:
            async with asyncio.timeout(30):
                return await client.fetch(path)
        finally:
            await client.close()
            await runner.cleanup()

    return asyncio.run(main())


def test_an_answer_has_its_status_its_headers_in_lowercase_its_body_and_its_time():
    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=request.path_qs.encode(), headers={"X-MBX-USED-WEIGHT-1M": "17"})

    answer = fetched(serve, clock=lambda: 5)
    assert answer.ok
    assert answer.headers["x-mbx-used-weight-1m"] == "17"
    assert answer[2:] == (b"/api/v3/depth?symbol=BTCUSDT", 5, "/api/v3/depth?symbol=BTCUSDT")


@pytest.mark.parametrize("status", [301, 400, 403, 418, 429, 500])
def test_any_status_is_an_answer_and_no_redirection_is_followed(status: int):
    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=status, text="no", headers={"Retry-After": "3", "Location": "/elsewhere"})

    answer = fetched(serve)
    assert (answer.status, answer.ok, answer.headers["retry-after"]) == (status, False, "3")


def test_good_answers_are_recorded_with_their_url_and_others_are_not():
    lines = []

    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.path == "/good" else 400, text="body")

    def record(*line) -> None:
        lines.append(line)

    fetched(serve, "/good?symbol=%E5%B8%81USDT", record=record, clock=lambda: 7)
    fetched(serve, "/bad", record=record)
    [(recv_ns, kind, ref, payload)] = lines
    assert (recv_ns, kind, payload) == (7, "H", b"body")
    assert ref.startswith("http://127.0.0.1:")
    assert ref.endswith("/good?symbol=%E5%B8%81USDT")


def test_a_packed_body_is_unpacked():
    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})

    assert fetched(serve).body == b"plain"


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_beyond_the_limit_is_not_taken_in(packed: bool):
    async def serve(request: web.Request) -> web.Response:
        body = b"x" * 300_000
        headers = {"Content-Encoding": "gzip"} if packed else {}
        return web.Response(body=gzip.compress(body) if packed else body, headers=headers)

    with pytest.raises(RestError, match="more than 1000 bytes"):
        fetched(serve, body_bytes=1_000)


def test_an_answer_that_does_not_come_is_an_error():
    async def serve(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(RestError, match="in time"):
        fetched(serve, answer_seconds=0.05)


def test_a_body_that_ends_too_early_is_an_error():
    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half of it")
        assert request.transport is not None
        request.transport.close()
        return response

    with pytest.raises(RestError, match="/api/v3/depth"):
        fetched(serve)


def test_nobody_there_is_an_error():
    async def main() -> None:
        client = RestClient("http://127.0.0.1:1")
        try:
            await client.fetch("/x")
        finally:
            await client.close()

    with pytest.raises(RestError, match="/x"):
        asyncio.run(main())


LOOK_UP = """
import asyncio, threading
from tickfloor.feeds.live.repairing.rest import RestClient, RestError

async def main():
    client = RestClient("http://localhost:1")
    try:
        await client.fetch("/x")
    except RestError:
        await client.close()

asyncio.run(main())
print([thread.name for thread in threading.enumerate()])
"""


def test_looking_up_a_host_leaves_no_thread_behind():
    # In a process of its own: in this one, others may have left theirs.
    looked = subprocess.run([sys.executable, "-c", LOOK_UP], capture_output=True, text=True, check=True)
    assert looked.stdout == "['MainThread']\n"


@pytest.mark.parametrize("given", [True, False])
def test_requests_go_through_the_given_proxy_or_that_of_the_environment(given: bool, monkeypatch):
    asked = []

    async def main() -> Answer:
        async def serve(request: web.BaseRequest) -> web.Response:
            asked.append(str(request.url))
            return web.Response(text="by proxy")

        runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy = f"http://127.0.0.1:{runner.addresses[0][1]}"
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1" if given else proxy)
        client = RestClient("http://venue.invalid", proxy=proxy if given else "")
        try:
            return await client.fetch("/time")
        finally:
            await client.close()
            await runner.cleanup()

    assert asyncio.run(main()).body == b"by proxy"
    assert asked == ["http://venue.invalid/time"]
