"""One connection against a server that does everything a server can do wrong."""

import asyncio
import itertools
import json
import shutil
import ssl
import subprocess
import time
from contextlib import asynccontextmanager

import pytest
from picows import WSCloseCode, WSMsgType

from tests.feeds.live.venue import (
    Client,
    FakeAdapter,
    FakeDialect,
    FakeVenue,
    Recording,
    key,
    keys,
    refusing,
    run,
    surroundings,
)  # fmt: skip
from tickfloor.contracts.feeds import ConnectionState
from tickfloor.feeds.live.connecting.connection import Connection
from tickfloor.feeds.live.connecting.wire import FRAMES_A_TURN, MOST_PIECES, Turn
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.retry_after import MOST_SECONDS

TWO = keys("trades A", "trades B")


@asynccontextmanager
async def connected(venue: FakeVenue, wanted=TWO, *, route="market", changes=None, lists=True, pings=True, **limits):
    """A connection to a venue, running."""
    dialect = FakeDialect(venue.url, lists=lists, pings=pings, **limits)
    adapter = FakeAdapter()
    around = surroundings(dialect, adapter, **(changes or {}))
    connection = Connection("market-1#1", route, wanted, around, venue.changed)
    connection.adapter = adapter
    task = asyncio.create_task(connection.run())
    try:
        yield connection
    finally:
        connection.close("test over")
        await asyncio.wait({task})
        if not task.cancelled():
            connection.failure = task.exception()


async def ended(venue: FakeVenue, connection: Connection) -> str:
    await venue.until(lambda: connection.state is ConnectionState.CLOSED and connection.end_reason)
    return connection.end_reason


def ops(client: Client) -> list[tuple[str, int]]:
    return [(said["op"], len(said["keys"])) for said in client.asked]


def test_every_stream_is_asked_for_by_channel_and_the_venue_s_list_is_compared():
    async def main():
        async with FakeVenue() as venue:
            wanted = [*keys("trades A", "quotes A", "trades B"), *keys("trades C")]
            async with connected(venue, wanted, streams_per_message=2) as connection:
                await venue.until(lambda: connection.ready)
                [client] = venue.clients
                assert ops(client) == [("sub", 2), ("sub", 1), ("sub", 1), ("list", 0)]
                assert set(connection.subscriptions.accepted()) == set(wanted) == client.subscribed()
                assert client.path == "/market"

    run(main())


def test_what_a_venue_wants_to_hear_first_is_said_first():
    async def main():
        async with FakeVenue() as venue:
            dialect = FakeDialect(venue.url)
            dialect.greetings = [json.dumps({"op": "hello", "keys": [], "id": 0}).encode()]
            connection = Connection("c", "market", TWO, surroundings(dialect, FakeAdapter()), venue.changed)
            task = asyncio.create_task(connection.run())
            await venue.until(lambda: connection.ready)
            assert [said["op"] for said in venue.clients[0].asked] == ["hello", "sub", "list"]
            connection.close("over")
            await task

    run(main())


def test_it_is_ready_with_the_first_data_even_if_it_would_not_be_quiet_for_long():
    async def main():
        async with FakeVenue() as venue, connected(venue, changes={"quiet_ns": 10**18}) as connection:
            await venue.until(lambda: connection.state is ConnectionState.OPEN)
            assert not connection.ready
            venue.clients[0].trade("A")
            await venue.until(lambda: connection.ready)

    run(main())


def test_a_refused_handshake_ends_it_with_a_reason():
    async def main():
        async with FakeVenue() as venue:
            venue.welcome = False
            async with connected(venue) as connection:
                assert "404" in await ended(venue, connection)
        async with connected(venue) as connection:
            assert "Connect call failed" in await ended(venue, connection)
        assert connection.failure is None

    run(main())


def test_what_was_received_while_the_process_stood_still_is_read_before_anything_is_judged():
    async def main():
        stood_still_ns = 0
        clock = ReceiveClock(monotonic=lambda: time.monotonic_ns() + stood_still_ns)

        def stand_still() -> None:
            nonlocal stood_still_ns
            venue.clients[0].trade("A")
            stood_still_ns = 11 * 10**9

        async with FakeVenue() as venue, connected(venue, changes={"clock": clock}) as connection:
            await venue.until(lambda: connection.ready)
            # In one turn of the loop, so that the connection is looked at before its socket is read.
            asyncio.get_running_loop().call_soon(stand_still)
            connection.add(())
            await venue.until(lambda: connection.adapter.market)
            assert connection.state is ConnectionState.OPEN

    run(main())


def test_a_handshake_that_is_not_answered_is_given_up_and_its_socket_closed():
    async def main():
        gone = asyncio.Event()

        async def mute(reader, writer):
            while await reader.read(1000):
                pass
            gone.set()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        venue = FakeVenue()
        venue.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connected(venue, changes={"connect_seconds": 0.02}) as connection:
            assert await ended(venue, connection) == "no connection within 0.02 s"
            await gone.wait()
        server.close()
        await server.wait_closed()

    run(main())


def test_it_can_be_closed_during_the_handshake():
    async def main():
        async def mute(reader, writer):
            await reader.read(1)
            connection.close("changed our mind")
            while await reader.read(1000):
                pass
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        venue = FakeVenue()
        venue.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connected(venue) as connection:
            assert await ended(venue, connection) == "changed our mind"
        server.close()
        await server.wait_closed()

    run(main())


def test_a_server_that_breaks_off_in_the_handshake_ends_it():
    async def main():
        async def rude(reader, writer):
            await reader.read(1000)
            writer.write(b"HTTP/1.1 101 Swit")
            writer.close()

        server = await asyncio.start_server(rude, "127.0.0.1", 0)
        venue = FakeVenue()
        venue.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connected(venue) as connection:
            assert await ended(venue, connection) == "the venue closed the connection during the handshake"
        server.close()
        await server.wait_closed()

    run(main())


def test_a_venue_that_answers_no_request_is_left_though_it_gives_signs_of_life():
    async def main():
        async with FakeVenue() as venue:
            venue.answer = lambda client, said: client.transport.send(WSMsgType.PING, b"")
            async with connected(venue, ack_seconds=0.02) as connection:
                assert await ended(venue, connection) == "the venue answers no request"
                assert len(venue.clients[0].asked) == 2

    run(main())


def test_a_venue_that_says_nothing_at_all_is_left_with_the_first_unanswered_request():
    async def main():
        async with FakeVenue() as venue:
            venue.answer = lambda client, said: None
            async with connected(venue, ack_seconds=0.02) as connection:
                assert await ended(venue, connection) == "no answer within 0.02 s, and nothing else"
                assert len(venue.clients[0].asked) == 1

    run(main())


def test_streams_without_an_answer_are_asked_for_once_more_and_then_given_up():
    async def main():
        async with FakeVenue() as venue:

            def half(client, said):
                if said["op"] == "sub":
                    accepted = [each for each in said["keys"] if each[1] == "A"]
                    client.keys += accepted
                    client.say(ack=said["id"], keys=accepted)
                else:
                    venue.obey(client, said)

            venue.answer = half
            async with connected(venue, ack_seconds=0.1) as connection:
                await venue.until(lambda: connection.ready)
                assert set(connection.subscriptions.accepted()) == {key("trades A")}
                assert connection.subscriptions.refused() == {key("trades B"): "no answer within 0.1 s"}
                assert [said["keys"] for said in venue.clients[0].asked if said["op"] == "sub"] == [
                    [["trades", "A"], ["trades", "B"]],
                    [["trades", "B"]],
                ]

    run(main())


def test_a_stream_that_was_accepted_and_is_not_listed_is_asked_for_once_more():
    async def main():
        async with FakeVenue() as venue:
            forgot = []

            def forgetful(client, said):
                if said["op"] == "sub" and not forgot:
                    forgot.append(said)
                    client.say(ack=said["id"])
                else:
                    venue.obey(client, said)

            venue.answer = forgetful
            async with connected(venue) as connection:
                await venue.until(lambda: connection.ready)
                assert set(connection.subscriptions.accepted()) == set(TWO) == venue.clients[0].subscribed()
                assert [op for op, _ in ops(venue.clients[0])] == ["sub", "list", "sub", "list"]

    run(main())


def test_silence_ends_it_even_if_the_venue_does_not_read_any_more():
    async def main():
        async with (
            FakeVenue(answers_pings=False) as venue,
            connected(venue, idle_seconds=0.06, pings=False) as connection,
        ):
            await venue.until(lambda: connection.ready)
            venue.clients[0].transport.underlying_transport.pause_reading()
            assert await ended(venue, connection) == "nothing received for 0.06 s"
            assert connection.wire.ended.is_set()

    run(main())


def test_a_connection_that_answered_pings_and_does_not_any_more_is_dead_before_its_time():
    async def main():
        async with FakeVenue() as venue, connected(venue, idle_seconds=0.6) as connection:
            await venue.until(lambda: connection.wire and connection.wire.pongs)
            venue.clients[0].transport.underlying_transport.pause_reading()
            assert "and no answer to a ping" in await ended(venue, connection)

    run(main())


def test_a_connection_that_goes_deaf_is_given_up_with_its_first_unanswered_request():
    async def main():
        async with FakeVenue() as venue, connected(venue, keys("trades A"), ack_seconds=0.05) as connection:
            await venue.until(lambda: connection.wire and connection.wire.pongs)
            venue.answer = lambda client, said: None
            connection.add(keys("trades B"))
            assert await ended(venue, connection) == "no answer within 0.05 s, and nothing else"
            assert connection.subscriptions.refused() == {}

    run(main())


def test_a_quiet_venue_that_answers_pings_is_alive():
    async def main():
        async with FakeVenue() as venue, connected(venue, idle_seconds=0.9) as connection:
            await venue.until(lambda: connection.wire and connection.wire.pongs > 6)
            assert connection.state is ConnectionState.OPEN
            assert [op for op, _ in ops(venue.clients[0])] == ["sub", "list"]

    run(main())


def test_a_venue_that_answers_no_pings_is_asked_in_its_own_words():
    async def main():
        async with (
            FakeVenue(answers_pings=False) as venue,
            connected(venue, idle_seconds=0.6) as connection,
        ):
            await venue.until(lambda: venue.clients)
            await venue.until(lambda: [op for op, _ in ops(venue.clients[0])].count("ping") >= 8)
            assert connection.state is ConnectionState.OPEN

    run(main())


def test_a_ping_is_answered_with_its_payload_and_counts_as_a_sign_of_life():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            before = connection.wire.last_frame_ns
            venue.clients[0].transport.send(WSMsgType.PING, b"20")
            await venue.until(lambda: venue.clients[0].pongs == 1)
            assert connection.wire.last_frame_ns > before
            assert connection.wire.market_frames == 0

    run(main())


def test_a_server_that_dies_in_the_middle_of_a_frame_leaves_nothing_of_it():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            venue.clients[0].wire_bytes(b'\x81\x30{"m": ["trades", "A"')
            venue.clients[0].cut()
            assert await ended(venue, connection) == "the connection broke"
            assert connection.adapter.market == []

    run(main())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x81\x7e\x10\x01" + b"x" * 4097, "exceeding max allowed size"),
        (b"\x83\x00", "invalid opcode"),
        (b"\x01\x7e\x08\x00" + b"x" * 2048 + b"\x80\x7e\x08\x01" + b"x" * 2049, "more than 4096 bytes"),
        (b"\x80\x01x", "in the middle of another"),
        (b"\x01\x01x\x81\x01x", "in the middle of another"),
    ],
    ids=["too big", "unknown opcode", "too big in pieces", "end without beginning", "beginning within a message"],
)
def test_what_is_against_the_protocol_ends_it(data, reason):
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            venue.clients[0].wire_bytes(data)
            assert reason in await ended(venue, connection)
            assert connection.adapter.market == []

    run(main())


def test_a_message_in_pieces_is_one_message():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            send = venue.clients[0].transport.send
            send(WSMsgType.TEXT, b'{"m": ["tra', False)
            send(WSMsgType.PING, b"between")
            send(WSMsgType.CONTINUATION, b'des", "A', False)
            send(WSMsgType.CONTINUATION, b'", 7]}')
            await venue.until(lambda: connection.adapter.market)
            assert connection.adapter.market == [("market-1#1", key("trades A"), 7)]
            assert connection.wire.market_frames == 1

    run(main())


def test_a_malformed_frame_is_counted_and_ends_nothing():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            venue.clients[0].raw(b"{")
            venue.clients[0].trade("A")
            await venue.until(lambda: connection.adapter.market)
            assert (connection.wire.malformed, connection.wire.newest_problem) == (1, "not JSON")
            assert connection.state is ConnectionState.OPEN

    run(main())


def test_a_bug_in_a_reader_is_not_swallowed():
    async def main():
        async with FakeVenue() as venue:
            async with connected(venue) as connection:
                await venue.until(lambda: connection.ready)
                venue.clients[0].say(bug=1)
                await venue.until(lambda: connection.state is ConnectionState.CLOSED)
            assert isinstance(connection.failure, ZeroDivisionError)

    run(main())


def test_the_venue_s_own_reason_for_closing_is_kept():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            venue.clients[0].transport.send_close(WSCloseCode.POLICY_VIOLATION, b"too many messages")
            assert await ended(venue, connection) == "closed by the venue: 1008 too many messages"

    run(main())


def test_streams_come_and_go_while_it_runs():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            connection.add(keys("trades C"))
            connection.remove(keys("trades A"))
            await venue.until(lambda: venue.clients[0].subscribed() == set(keys("trades B", "trades C")))
            await venue.until(lambda: set(connection.subscriptions.accepted()) == set(keys("trades B", "trades C")))
            assert connection.ready

    run(main())


def test_a_distrusted_stream_is_ended_and_asked_for_again_and_a_strange_one_handed_on():
    async def main():
        async with FakeVenue() as venue:
            strange = []
            async with connected(venue, changes={"elsewhere": strange.extend}) as connection:
                await venue.until(lambda: connection.ready)
                venue.clients[0].asked.clear()
                venue.clients[0].say(again=[["trades", "B"], ["book", "B"]])
                await venue.until(lambda: [op for op, _ in ops(venue.clients[0])][:2] == ["unsub", "sub"])
                await venue.until(lambda: set(connection.subscriptions.accepted()) == set(TWO))
                assert venue.clients[0].asked[0]["keys"] == venue.clients[0].asked[1]["keys"] == [["trades", "B"]]
                assert strange == [key("book B")]

    run(main())


def test_the_venue_s_message_rate_is_kept():
    async def main():
        async with FakeVenue() as venue:
            recording = Recording()
            wanted = keys(*(f"trades {number}" for number in range(6)))
            async with connected(
                venue, wanted, messages_per_second=100.0, streams_per_message=1, changes={"recorder": recording}
            ) as connection:
                await venue.until(lambda: connection.ready)
            times = [recv_ns for recv_ns, kind, _, _ in recording if kind == "S"]
            assert len(times) == 7
            assert all(later - before >= 9_900_000 for before, later in itertools.pairwise(times))

    run(main())


def test_a_recording_holds_the_connection_what_was_sent_and_every_frame_before_it_is_read():
    async def main():
        async with FakeVenue() as venue:
            recording = Recording()
            async with connected(venue, changes={"recorder": recording}, lists=False) as connection:
                await venue.until(lambda: connection.ready)
                venue.clients[0].raw(b"not json")
                await venue.until(lambda: connection.wire.malformed)
            assert [(kind, ref) for _, kind, ref, _ in recording] == [
                ("C", "market-1#1"), ("S", "market-1#1"), ("F", "market-1#1"), ("F", "market-1#1"),
            ]  # fmt: skip
            assert recording[0][3] == f"{venue.url}/market".encode()
            assert recording[3][3] == b"not json"
            assert [line[0] for line in recording] == sorted(line[0] for line in recording)

    run(main())


def test_frames_that_come_together_are_published_once():
    async def main():
        async with FakeVenue() as venue:
            published = []
            turn = Turn(lambda: published.append(len(connection.adapter.market)))
            async with connected(venue, changes={"turn": turn}) as connection:
                await venue.until(lambda: connection.ready)
                published.clear()
                text = b'{"m":["trades","A",1]}'
                venue.clients[0].wire_bytes((b"\x81%c" % len(text) + text) * 10)
                await venue.until(lambda: published)
                assert published == [10]

    run(main())


def test_a_flood_on_one_connection_leaves_the_others_their_turn():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            wire, [client] = connection.wire, venue.clients
            text = b'{"m":["trades","A",1],"as long as usual":"%b"}' % (b"x" * 200)
            client.wire_bytes((b"\x81\x7e\x00%c" % len(text) + text) * 50_000)
            seen = [wire.frames]
            while wire.frames < seen[0] + 50_000:
                await asyncio.sleep(0)
                seen.append(wire.frames)
            most = max(after - before for before, after in itertools.pairwise(seen))
            # What one read has brought is taken in whole; picows lets that grow to some megabytes.
            assert most < FRAMES_A_TURN + (6 << 20) // len(text)

    run(main())


def certificate(folder, name):
    """Make a certificate of one's own for a host name, and return its files."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and is not here")
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}", "-keyout", key_file, "-out", certificate_file],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate_file, key_file


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [
        ("localhost", True, None),
        ("localhost", False, "certificate verify failed"),
        ("elsewhere.example", True, "certificate verify failed: Hostname mismatch"),
    ],
)
def test_a_venue_must_prove_its_name(tmp_path, name, trusted, reason):
    certificate_file, key_file = certificate(tmp_path, name)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate_file, key_file)
    names = []
    server_side.sni_callback = lambda _socket, asked, _context: names.append(asked)

    async def main():
        async with FakeVenue(tls=server_side) as venue:
            venue.url = venue.url.replace("ws://127.0.0.1", "wss://localhost")
            tls = ssl.create_default_context(cafile=certificate_file) if trusted else None
            async with connected(venue, changes={"tls": tls}) as connection:
                if reason is None:
                    await venue.until(lambda: connection.ready)
                else:
                    assert reason in await ended(venue, connection)
        assert names == ["localhost"]

    run(main())


def test_a_proxy_is_asked_for_the_venue_and_told_its_password():
    async def main():
        requests = []

        async def proxy(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            requests.append(head.decode())
            host, _, port = head.split()[1].decode().partition(":")
            from_venue, to_venue = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(pipe(reader, to_venue), pipe(from_venue, writer))

        async def pipe(reader, writer):
            while data := await reader.read(1000):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        url = f"http://me:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with FakeVenue() as venue:
            async with connected(venue, changes={"proxy": url}) as connection:
                await venue.until(lambda: connection.ready)
            assert requests[0].startswith(f"CONNECT {venue.url.removeprefix('ws://')} ")
            assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in requests[0]
        server.close()
        await server.wait_closed()

    run(main())


def test_a_message_in_countless_empty_pieces_ends_the_connection():
    async def main():
        async with FakeVenue() as venue, connected(venue) as connection:
            await venue.until(lambda: connection.ready)
            pieces = b"\x01\x00" + b"\x00\x00" * (MOST_PIECES + 1)
            venue.clients[0].wire_bytes(pieces + b'\x80\x16{"m":["trades","A",7]}')
            assert "pieces" in await ended(venue, connection)
            assert connection.adapter.market == []

    run(main())


@pytest.mark.parametrize("retry_after", [b"99999999999", b"9" * 400])
def test_no_pause_that_a_venue_asks_for_is_longer_than_the_longest_ban(retry_after):
    async def main():
        async with refusing(retry_after) as url:
            around = surroundings(FakeDialect(url), FakeAdapter())
            connection = Connection("market-1#1", "market", TWO, around, lambda: None)
            await connection.run()
            assert 0 < connection.pause_seconds <= MOST_SECONDS

    run(main())
