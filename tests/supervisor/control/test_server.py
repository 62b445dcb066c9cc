"""What comes in through the control socket: every request is answered, and nothing that is none harms the floor."""

import asyncio
import gc
import json
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from tests.supervisor.control.fake_floor import FakeFloor, line, serving
from tests.waiting import until_async
from tickfloor.contracts.commands import RuleProblem
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control import requests
from tickfloor.supervisor.control.floor_control import ControlRefusedError
from tickfloor.supervisor.control.framing import HEADER, LARGEST_REQUEST, framed
from tickfloor.supervisor.control.listening import ListeningSocket
from tickfloor.supervisor.control.replies import (
    Answer,
    EffectsSwitched,
    LogsShown,
    RefusalKind,
    Refused,
    TraderPlaced,
    WorkerReplaced,
    WorkersListed,
)
from tickfloor.supervisor.control.requests import (
    AddTrader,
    EmergencyStop,
    FollowLogs,
    ListWorkers,
    ReplaceWorker,
    ScaleTraders,
    ShowLogs,
    ShowTrader,
    ShowWorker,
    UpdateTrader,
    question,
)
from tickfloor.supervisor.control.server import ControlServer


class Client:
    """One connection, in the loop of the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def say(self, request: requests.Request) -> None:
        self.writer.write(framed(msgspec.json.encode(question(request))))

    async def hear(self) -> Answer:
        (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
        return msgspec.json.decode(await self._reader.readexactly(size), type=Answer)

    async def ask(self, request: requests.Request) -> Any:
        self.say(request)
        return (await self.hear()).reply

    async def hung_up(self) -> bool:
        return await self._reader.read(1) == b""

    def close(self) -> None:
        self.writer.close()


class Served:
    def __init__(self, floor: FakeFloor, server: ControlServer, path: str, errors: list) -> None:
        self.floor = floor
        self.server = server
        self.path = path
        self.errors = errors
        self.clients: list[Client] = []

    async def client(self) -> Client:
        client = Client(*await asyncio.open_unix_connection(self.path))
        self.clients.append(client)
        return client

    async def is_well(self) -> bool:
        """Return whether another client is answered."""
        client = await self.client()
        listed = await client.ask(ListWorkers())
        client.close()
        return isinstance(listed, WorkersListed)


@pytest.fixture
def served(tmp_path) -> Callable[..., None]:
    """Run a scene with a served floor; whatever the loop itself has to complain of fails the test."""

    def run(scene: Callable[[Served], Coroutine[Any, Any, None]], **settings: Any) -> None:
        complaints: list[dict[str, Any]] = []

        async def whole() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
            errors: list[tuple[str, Exception]] = []
            floor, listening = FakeFloor(), ListeningSocket.at(tmp_path / "floor.sock")
            on_error = lambda identity, error: errors.append((identity, error))  # noqa: E731
            async with serving(floor, listening, on_error=on_error, **settings) as server:
                it = Served(floor, server, str(listening.path), errors)
                await scene(it)
                for client in it.clients:
                    client.close()
            assert not (tmp_path / "floor.sock").exists()

        asyncio.run(whole())
        assert complaints == []

    return run


# Requests


def test_a_request_is_answered_with_its_effect_and_an_id_that_the_floor_has_heard(served):
    async def scene(it: Served) -> None:
        client = await it.client()
        client.say(ReplaceWorker(name="trader-1"))
        answer = await client.hear()
        assert answer.reply == WorkerReplaced(worker="trader-1", pid=4_712, incarnation=4, seconds=0.123)
        assert it.floor.asked == [("replace_worker", "trader-1", answer.correlation_id)]
        client.say(ListWorkers())
        assert (await client.hear()).correlation_id != answer.correlation_id
        assert it.server.statistics().requests == 2

    served(scene)


@pytest.mark.parametrize("request_type", requests.ControlRequest.__args__)
def test_every_request_reaches_the_floor(served, request_type):
    values = {
        "name": "up" if request_type is ShowTrader else "trader-1",
        "id": "tape:7",
        "workers": 3,
        "venue": "binance",
        "spec": TraderSpec(name="t", rule="close > open"),
    }
    request = request_type(**{name: value for name, value in values.items() if name in request_type.__struct_fields__})

    async def scene(it: Served) -> None:
        client = await it.client()
        assert not isinstance(await client.ask(request), Refused)
        assert len(it.floor.asked) == 1

    served(scene)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (ControlRefusedError("busy with a replacement", RefusalKind.BUSY), RefusalKind.BUSY, 0),
        (WorkerError("trader-1 survives SIGKILL"), RefusalKind.FAILED, 1),
        (TimeoutError("trader-1 is not drained after 5 s"), RefusalKind.TIMEOUT, 0),
        (TimeoutError(), RefusalKind.TIMEOUT, 0),
        (KeyError("slot"), RefusalKind.FAILED, 1),
    ],
)
def test_an_error_of_the_floor_is_told_and_the_connection_goes_on(served, error, kind, told):
    async def scene(it: Served) -> None:
        client = await it.client()
        it.floor.failing = error
        client.say(ShowWorker(name="trader-1"))
        answer = await client.hear()
        assert answer.reply.kind is kind
        assert answer.reply.reason != ""
        assert str(error) in answer.reply.reason
        assert it.errors == [(answer.correlation_id, error)] * told
        it.floor.failing = None
        assert not isinstance(await client.ask(ShowWorker(name="trader-1")), Refused)
        assert (it.server.statistics().refused, it.server.statistics().errors) == (1, told)

    served(scene)


def test_problems_of_rules_come_along(served):
    problem = RuleProblem(trader="up", text="clos > 1", column=1, message="unknown column", hint="close")

    async def scene(it: Served) -> None:
        it.floor.failing = ControlRefusedError("it cannot run", RefusalKind.INVALID, [problem])
        refused = await (await it.client()).ask(AddTrader(spec=TraderSpec(name="up", rule="clos > 1")))
        assert refused == Refused(reason="it cannot run", kind=RefusalKind.INVALID, problems=(problem,))

    served(scene)


@pytest.mark.parametrize("request_type", [AddTrader, UpdateTrader])
def test_a_strategy_is_refused_before_the_floor_hears_of_it(served, request_type):
    async def scene(it: Served) -> None:
        client = await it.client()
        refused = await client.ask(request_type(spec=TraderSpec(name="t", strategy="/tmp/evil.py:Evil")))
        assert refused.kind is RefusalKind.REFUSED
        assert "takes rules only" in refused.reason
        both = await client.ask(request_type(spec=TraderSpec(name="t", rule="close > 1", strategy="/tmp/evil.py:Evil")))
        assert both.kind is RefusalKind.REFUSED
        assert it.floor.asked == []

    served(scene)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_trader_without_a_proper_name_is_invalid(served, name):
    async def scene(it: Served) -> None:
        refused = await (await it.client()).ask(AddTrader(spec=TraderSpec(name=name, rule="close > 1")))
        assert refused.kind is RefusalKind.INVALID
        assert it.floor.asked == []

    served(scene)


def test_a_command_of_another_version_is_told_so(served):
    async def scene(it: Served) -> None:
        client = await it.client()
        client.writer.write(framed(b'{"protocol": 99, "request": {"type": "Unheard"}}'))
        assert "use the tickfloor that the floor was started with" in (await client.hear()).reply.reason
        assert await client.hung_up()

    served(scene)


# Clients that are none


GARBAGE = {
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no json": framed(b"\x00\xff\xfe nonsense"),
    "empty": framed(b""),
    "another type": framed(json.dumps({"protocol": 1, "request": {"type": "Quit"}}).encode()),
    "unknown field": framed(json.dumps({"protocol": 1, "request": {"type": "ListWorkers", "x": 1}}).encode()),
    "missing field": framed(json.dumps({"protocol": 1, "request": {"type": "StopWorker"}}).encode()),
    "out of bounds": framed(json.dumps({"protocol": 1, "request": {"type": "ScaleTraders", "workers": 17}}).encode()),
    "deep": framed(b'{"protocol": 1, "request": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "no utf-8": framed(b'{"protocol": 1, "request": {"type": "ShowWorker", "name": "\xff"}}'),
    "huge": HEADER.pack(LARGEST_REQUEST + 1),
    "as huge as can be": b"\xff\xff\xff\xff",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused_counted_and_hung_up_on(served, garbage):
    async def scene(it: Served) -> None:
        client = await it.client()
        client.writer.write(garbage)
        assert (await client.hear()).reply.kind is RefusalKind.REFUSED
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.hear()
        assert it.floor.asked == []
        assert (it.server.statistics().malformed, it.server.statistics().requests) == (1, 0)
        assert await it.is_well()

    served(scene)


@pytest.mark.parametrize("part", [b"\x00", b"\x00\x00\x00\x10", framed(b"{}" * 100)[:50]])
def test_a_client_that_hangs_up_in_the_middle_is_let_go(served, part):
    async def scene(it: Served) -> None:
        client = await it.client()
        client.writer.write(part)
        client.close()
        await until_async(lambda: it.server.statistics().malformed == 1, "the cut request is counted")
        assert await it.is_well()

    served(scene)


def test_a_client_that_comes_and_goes_is_nothing(served):
    async def scene(it: Served) -> None:
        (await it.client()).close()
        assert await it.is_well()
        await until_async(lambda: it.server.statistics().clients == 0, "both are gone")
        assert (it.server.statistics().malformed, it.server.statistics().hung_up) == (0, 0)

    served(scene)


def test_a_half_open_client_is_let_go(served):
    async def scene(it: Served) -> None:
        silent, slow = await it.client(), await it.client()
        slow.writer.write(b"\x00\x00")
        for client in (silent, slow):
            assert "no whole request came within 0.05 s" in (await client.hear()).reply.reason
            assert await client.hung_up()
        assert it.server.statistics().malformed == 2

    served(scene, patience=0.05)


def test_what_was_asked_for_is_done_though_the_client_has_gone(served):
    async def scene(it: Served) -> None:
        it.floor.gate = asyncio.Event()
        client = await it.client()
        client.say(ReplaceWorker(name="trader-1"))
        await until_async(lambda: it.floor.asked, "it is asked")
        client.close()
        it.floor.gate.set()
        await until_async(lambda: it.floor.replaced == 1, "it is done")
        assert await it.is_well()

    served(scene)


def test_a_client_that_does_not_take_its_answer_is_let_go(served):
    async def scene(it: Served) -> None:
        it.floor.workers *= 20_000
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(it.path)
            client.sendall(framed(msgspec.json.encode(question(ListWorkers()))))
            await until_async(lambda: it.server.statistics().hung_up == 1, "it is let go")
        it.floor.workers = it.floor.workers[:2]
        assert await it.is_well()

    served(scene, patience=0.2)


def test_one_client_does_not_wait_for_another(served):
    async def scene(it: Served) -> None:
        it.floor.gate = asyncio.Event()
        waiting = await it.client()
        waiting.say(ReplaceWorker(name="trader-1"))
        await until_async(lambda: it.floor.asked, "it is asked")
        assert await it.is_well()
        it.floor.gate.set()
        assert isinstance((await waiting.hear()).reply, WorkerReplaced)

    served(scene)


def test_too_many_clients_are_refused_until_one_has_gone(served):
    async def scene(it: Served) -> None:
        clients = [await it.client() for _ in range(3)]
        for client in clients:
            assert isinstance(await client.ask(ListWorkers()), WorkersListed)
        late = await it.client()
        refused = await late.ask(ListWorkers())
        assert refused.kind is RefusalKind.BUSY
        assert "3 clients are connected" in refused.reason
        # Nobody keeps an emergency stop out.
        assert await late.ask(EmergencyStop()) == EffectsSwitched(allowed=False, changed=True)
        turned_away = await it.client()
        assert (await turned_away.hear()).reply == refused
        assert await turned_away.hung_up()
        for client in (clients[0], late):
            client.close()
        await until_async(lambda: it.server.statistics().clients == 2, "two have gone")
        assert await it.is_well()
        assert (it.server.statistics().turned_away, it.server.statistics().refused) == (1, 1)

    served(scene, clients=3, reserved=1)


def test_another_user_is_turned_away(served):
    async def scene(it: Served) -> None:
        refused = (await (await it.client()).hear()).reply
        assert refused.kind is RefusalKind.REFUSED
        assert "takes requests of user 12345 only" in refused.reason
        assert it.server.statistics().turned_away == 1

    served(scene, owner=12_345)


# Following


def test_a_follower_gets_the_last_lines_and_then_each_that_comes(served):
    async def scene(it: Served) -> None:
        for number in range(5):
            it.floor.logs.note(line(number, slot="trader-1" if number % 2 else "feed-1"))
        client = await it.client()
        assert await client.ask(FollowLogs(worker="trader-1", last=1)) == LogsShown(lines=())
        assert (await client.hear()).reply.lines == (line(3),)
        it.floor.logs.note(line(6, slot="feed-1"))
        it.floor.logs.note(line(7))
        assert (await client.hear()).reply == LogsShown(lines=(line(7),))
        client.close()
        await until_async(lambda: it.floor.logs.followers == 0, "the subscription is closed")
        assert await it.is_well()

    served(scene)


def test_a_slow_follower_misses_lines_is_told_how_many_and_holds_nobody_up(served):
    async def scene(it: Served) -> None:
        with socket.socket(socket.AF_UNIX) as follower:
            follower.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            follower.connect(it.path)
            follower.sendall(framed(msgspec.json.encode(question(FollowLogs(last=0)))))
            await until_async(lambda: it.floor.logs.followers == 1, "it follows")
            noted = 0
            for _ in range(20):
                for _ in range(1_000):
                    it.floor.logs.note(line(noted, fields={"filler": "x" * 500}))
                    noted += 1
                assert await it.is_well()
            follower.setblocking(False)
            shown, dropped, last = 0, 0, -1
            reader, writer = await asyncio.open_unix_connection(sock=follower)
            slow = Client(reader, writer)
            while last < noted - 1:
                reply = (await slow.hear()).reply
                shown, dropped = shown + len(reply.lines), dropped + reply.dropped
                if reply.lines:
                    last = int(reply.lines[-1].event.split()[1])
            assert shown + dropped == noted
            assert dropped > 10_000
            writer.close()

    served(scene)


def test_a_follower_that_goes_away_while_lines_are_sent_to_it_is_let_go(served):
    async def scene(it: Served) -> None:
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as follower:
                follower.connect(it.path)
                follower.sendall(framed(msgspec.json.encode(question(FollowLogs(last=0)))))
                await until_async(lambda: it.floor.logs.followers == 1, "it follows")
                for number in range(1_000):
                    it.floor.logs.note(line(number, fields={"filler": "x" * 500}))
                assert await it.is_well()
            it.floor.logs.note(line(0))
            await until_async(lambda: it.floor.logs.followers == 0, "the subscription is closed")
        gc.collect()
        assert it.errors == []

    served(scene)


def test_an_answer_that_cannot_be_written_is_an_error_that_is_told(served):
    async def scene(it: Served) -> None:
        # No text that JSON can hold, as a file name may be.
        it.floor.logs.note(line(0, event="cannot open \udcff"))
        for request in (ShowLogs(), FollowLogs()):
            client = await it.client()
            client.say(request)
            reply = (await client.hear()).reply
            if isinstance(request, FollowLogs):
                assert reply == LogsShown(lines=())
                reply = (await client.hear()).reply
            assert (reply.kind, "internal error" in reply.reason) == (RefusalKind.FAILED, True)
            assert await client.hung_up()
        assert [type(error) for _, error in it.errors] == [UnicodeEncodeError] * 2
        assert it.floor.logs.followers == 0
        assert await it.is_well()

    served(scene)


def test_a_follower_that_says_something_is_hung_up_on(served):
    async def scene(it: Served) -> None:
        client = await it.client()
        assert await client.ask(FollowLogs()) == LogsShown(lines=())
        client.say(ListWorkers())
        await until_async(lambda: it.floor.logs.followers == 0, "the subscription is closed")

    served(scene)


def test_a_follower_of_no_worker_is_refused(served):
    async def scene(it: Served) -> None:
        it.floor.failing = ControlRefusedError("there is no worker 'x'", RefusalKind.NOT_FOUND)
        assert (await (await it.client()).ask(FollowLogs(worker="x"))).kind is RefusalKind.NOT_FOUND

    served(scene)


# The end


def test_whoever_waits_when_the_floor_ends_is_told(served):
    async def scene(it: Served) -> None:
        it.floor.gate = asyncio.Event()
        waiting, idle = await it.client(), await it.client()
        waiting.say(ReplaceWorker(name="trader-1"))
        await until_async(lambda: it.floor.asked, "it is asked")
        await it.server.close()
        for client in (waiting, idle):
            assert "the floor is ending" in (await client.hear()).reply.reason
            assert await client.hung_up()
        assert it.floor.replaced == 0
        assert it.server.statistics().clients == 0

    served(scene)


def test_requests_after_one_another_are_answered_in_their_order(served):
    async def scene(it: Served) -> None:
        client = await it.client()
        client.say(ScaleTraders(workers=3))
        client.say(AddTrader(spec=TraderSpec(name="t", rule="close > 1")))
        client.say(ScaleTraders(workers=4))
        assert (await client.hear()).reply.after == 3
        assert isinstance((await client.hear()).reply, TraderPlaced)
        assert (await client.hear()).reply.after == 4

    served(scene)


def test_no_descriptor_left_is_told_and_waited_out(served, monkeypatch):
    class Exhausted:
        """A listening socket whose next connection cannot be taken, once."""

        def __init__(self, real: socket.socket) -> None:
            self._real = real
            self.failures = 1

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def accept(self) -> Any:
            if self.failures:
                self.failures -= 1
                raise OSError(24, "Too many open files")
            return self._real.accept()

    monkeypatch.setattr("tickfloor.supervisor.control.server._ACCEPT_AGAIN_SECONDS", 0.01)

    async def scene(it: Served) -> None:
        listening = it.server._listening
        listening.connection = Exhausted(listening.connection)
        assert await it.is_well()
        assert [str(error) for _, error in it.errors] == ["[Errno 24] Too many open files"]

    served(scene)
