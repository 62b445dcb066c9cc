"""A whole venue on loopback sockets: chosen, subscribed, lost, found silent, moved, closed."""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live.venue import Client, FakeAdapter, FakeDialect, FakeVenue, Lines, Recording, key, keys, run
from tickfloor.contracts.feeds import ConnectionState
from tickfloor.contracts.records import Kind, Quality
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.choosing.universe import UnknownSymbolsError
from tickfloor.feeds.live.connecting.lines import UnknownConnectionError
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.live.repairing.repairs import LiveRepairs
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.live.route_out import SocksProxyError
from tickfloor.feeds.live.venue_feed import RECORDER_CLOSE_SECONDS, VenueFeed
from tickfloor.feeds.live.watching.watchdog import Patience
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import BacklogTrade, StreamKey

PATIENCE = Patience(trades=0.2, quotes=0.2, book=0.2, usual=1.0, late=0.1, look=0.02, witnesses=3)


class TradingAdapter(FakeAdapter):
    """Publishes the fake venue's trades, live and fetched, through the real joins."""

    def __init__(self, publisher: MarketPublisher, joins: TradeJoins) -> None:
        super().__init__()
        self._publisher = publisher
        self._joins = joins
        self.on_market = self._publish

    def _publish(self, stream: StreamKey, number: int, recv_ns: int) -> None:
        writer = self._publisher.open(stream.symbol)
        if stream.channel == "trades":
            self._joins.watch(writer)
            writer.trade(recv_ns, recv_ns, 1.0, 1.0, 1, number, 1)

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        super().on_http(recv_ns, ref, body)
        url = urlsplit(ref)
        if url.path in ("/newest", "/trades"):
            writer = self._publisher.open(parse_qs(url.query)["symbol"][0])
            trades = [BacklogTrade(recv_ns, 1.0, 1.0, 1, number, 1, "1", "1") for number in json.loads(body)]
            self._joins.backlog(writer, trades, recv_ns)


class Market:
    """The venue's truth: which trades there are, and over REST all that is asked for."""

    def __init__(self, venue: FakeVenue, symbols: str) -> None:
        self.venue = venue
        self.listed = [[symbol, "USDT"] for symbol in symbols]
        self.newest = dict.fromkeys(symbols, 0)
        self.deaf: set[Client] = set()
        self.mute: set[StreamKey] = set()
        self.failures: list[Answer] = []

    def trade(self, symbol: str) -> None:
        self.newest[symbol] += 1
        stream = key(f"trades {symbol}")
        if stream in self.mute:
            return
        for client in self.venue.open:
            if client not in self.deaf and stream in client.subscribed():
                client.trade(symbol, self.newest[symbol])

    async def fetch(self, path: str) -> Answer:
        if self.failures:
            return self.failures.pop(0)
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        newest = self.newest.get(query.get("symbol", ""), 0)
        bodies = {
            "/instruments": self.listed,
            "/volumes": {symbol: 1000.0 - number for number, (symbol, _) in enumerate(self.listed)},
            "/newest": [newest][: newest > 0],
            "/trades": list(range(int(query.get("from", 0)), newest + 1)),
        }
        return Answer(200, {}, json.dumps(bodies[url.path]).encode(), ReceiveClock().now(), path)


class Floor:
    """A venue feed with everything around it."""

    def __init__(
        self, venue: FakeVenue, symbols: str, settings: VenueSettings, refresh: float, recorder=None, **limits
    ) -> None:
        self.market = Market(venue, symbols)
        self.dialect = FakeDialect(venue.url, **limits)
        self.clock = ReceiveClock()
        self.tape = FakeTape()
        self.publisher = MarketPublisher(self.tape, FakeBoard(), catalogue(), "fake", bar_slots=FakeBoard().ring)
        self.log = Lines()
        queue = RepairQueue(self.market.fetch, weight_per_minute=6000, clock=self.clock.now)
        repairs = LiveRepairs(self.dialect, queue, clock=self.clock.now)
        self.joins = TradeJoins(repairs)
        self.adapter = TradingAdapter(self.publisher, self.joins)
        self.given_back = []

        async def give_back() -> None:
            self.given_back.append(len(venue.open))

        self.feed = VenueFeed(
            settings,
            adapter=self.adapter,
            dialect=self.dialect,
            publisher=self.publisher,
            joins=self.joins,
            repair_queue=queue,
            clock=self.clock,
            on_flush=lambda: self.publisher.flush(),
            log=self.log,
            recorder=recorder,
            closers=(give_back,),
            patience=PATIENCE,
            refresh_seconds=refresh,
        )
        repairs.attach(self.adapter, self.feed.resubscribe)

    def quality(self, symbol: str) -> Quality:
        writer = self.publisher.known(symbol)
        return Quality.UNKNOWN if writer is None else writer.quality

    def asked(self, path: str) -> int:
        return [ref for ref, _ in self.adapter.bodies].count(path)

    def said(self, event: str) -> list[dict]:
        return [fields for _, said, fields in self.log if said == event]

    def published(self, symbol: str) -> int:
        """How many trades of an instrument are on the tape."""
        [identity] = [each.instrument.id for each in self.publisher.writers if each.instrument.symbol == symbol]
        return [record.kind for record in self.tape.records if record.instrument == identity].count(Kind.TRADE)


@asynccontextmanager
async def floor(symbols="AB", *, refresh=3600.0, settings=None, failures=(), answers_pings=True, **limits):
    settings = VenueSettings(venue="fake", **(settings or {"streams": ("trades",)}))
    async with FakeVenue(answers_pings=answers_pings) as venue:
        built = Floor(venue, symbols, settings, refresh, **limits)
        built.venue = venue
        built.market.failures += failures
        built.task = asyncio.create_task(built.feed.run())
        try:
            yield built
        finally:
            await built.feed.close()
            await asyncio.wait({built.task})


async def until_traded(floor: Floor, symbols: str, condition) -> None:
    """Let instruments trade until something is so."""

    def looked() -> bool:
        for symbol in symbols:
            floor.market.trade(symbol)
        return condition()

    await floor.venue.until(looked)


def test_what_is_traded_is_asked_subscribed_by_route_and_published():
    async def main():
        async with floor("ABCD", settings={"streams": ("trades", "book", "bars"), "top": 2}) as live:
            await until_traded(live, "ABCD", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            wanted = {"/market": set(keys("trades A", "trades B")), "/books": set(keys("book A", "book B"))}
            await live.venue.until(lambda: {client.path: client.subscribed() for client in live.venue.open} == wanted)
            assert live.adapter.bodies[0][0] == "/instruments"
            [lacks] = live.said("the venue lacks streams")
            assert (lacks["venue"], lacks["streams"]) == ("fake", "bars")
            assert live.publisher.known("C") is None

    run(main())


def test_a_lost_connection_makes_its_instruments_stale_until_they_are_heard_and_no_trade_is_missed():
    async def main():
        async with floor("AB", streams_per_connection=1) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            [client] = [each for each in live.venue.open if key("trades A") in each.subscribed()]
            live.venue.welcome = False
            client.cut()
            await until_traded(live, "AB", lambda: live.quality("A") is Quality.STALE)
            assert live.quality("B") is Quality.LIVE
            live.venue.welcome = True
            await until_traded(live, "AB", lambda: live.quality("A") is Quality.LIVE)
            writer = live.publisher.known("A")
            await live.venue.until(lambda: live.joins.statistics().missing == 0 and not live.joins.statistics().held)
            await live.venue.until(lambda: writer.expected_id == live.market.newest["A"] + 1)
            assert live.published("A") == live.market.newest["A"] - first_of(live, "A") + 1
            assert writer.id_gaps == 0

    run(main())


def test_an_instrument_is_stale_until_every_stream_of_it_is_accepted_again():
    async def main():
        async with floor("AB", settings={"streams": ("trades", "quotes")}, streams_per_message=1) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)

            def only_trades(client: Client, said: dict) -> None:
                if said["keys"] not in ([["quotes", "A"]], [["quotes", "B"]]):
                    live.venue.obey(client, said)

            live.venue.answer = only_trades
            live.venue.open[0].cut()
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.STALE)
            await live.venue.until(lambda: len(live.venue.clients) == 2 and len(live.venue.clients[1].asked) >= 4)
            traded = live.publisher.known("A").trades
            await until_traded(live, "AB", lambda: live.publisher.known("A").trades > traded + 20)
            assert live.quality("A") is live.quality("B") is Quality.STALE
            for said in live.venue.clients[1].asked:
                if said["keys"] == [["quotes", "A"]]:
                    live.venue.obey(live.venue.clients[1], said)
            await until_traded(live, "AB", lambda: live.quality("A") is Quality.LIVE)
            assert live.quality("B") is Quality.STALE

    run(main())


def first_of(live: Floor, symbol: str) -> int:
    return next(number for _, stream, number in live.adapter.market if stream == key(f"trades {symbol}"))


def test_a_silent_stream_is_found_by_asking_marked_and_carried_another_way():
    async def main():
        async with floor("ABC") as live:
            await until_traded(live, "ABC", lambda: all(live.quality(each) is Quality.LIVE for each in "ABC"))
            [old] = live.venue.open
            live.market.mute.add(key("trades A"))
            await until_traded(live, "ABC", lambda: live.quality("A") is Quality.STALE)
            assert live.quality("B") is live.quality("C") is Quality.LIVE
            await live.venue.until(
                lambda: len(live.venue.open) == 2 and old.subscribed() == set(keys("trades B", "trades C"))
            )
            assert live.said("stream is dead")[0]["symbol"] == "A"
            [named] = live.feed.report().not_live
            assert (named.symbol, named.reasons) == ("A", ("trades silent",))
            live.market.mute.clear()
            await until_traded(live, "ABC", lambda: live.quality("A") is Quality.LIVE)
            [new] = [each for each in live.venue.open if each is not old]
            assert new.subscribed() == set(keys("trades A"))
            assert live.feed.report().connections[1].silent == 0
            levels = [level for level, event, _ in live.log if event in ("stream is dead", "stream speaks again")]
            assert levels == ["warning", "warning"]

    run(main())


def test_a_connection_whose_streams_all_are_silent_is_replaced():
    async def main():
        async with floor("ABC") as live:
            await until_traded(live, "ABC", lambda: all(live.quality(each) is Quality.LIVE for each in "ABC"))
            [old] = live.venue.open
            live.market.deaf.add(old)
            await until_traded(live, "ABC", lambda: old.closed)
            await until_traded(live, "ABC", lambda: all(live.quality(each) is Quality.LIVE for each in "ABC"))
            assert live.said("connection is silent")
            assert any(each.subscribed() == set(keys("trades A", "trades B", "trades C")) for each in live.venue.open)

    run(main())


def test_a_quiet_instrument_is_left_alone():
    async def main():
        async with floor("AB") as live:
            await until_traded(live, "AB", lambda: live.quality("A") is Quality.LIVE)
            await until_traded(live, "A", lambda: live.asked("/newest?symbol=B") >= 3)
            assert live.quality("B") is Quality.LIVE
            assert len(live.venue.clients) == 1

    run(main())


def test_instruments_come_and_go_with_what_the_venue_lists():
    async def main():
        async with floor("AB", refresh=0.02) as live:
            await live.venue.until(
                lambda: live.venue.open and live.venue.open[0].subscribed() == set(keys("trades A", "trades B"))
            )
            live.market.newest["C"] = 0
            live.market.listed[0] = ["C", "USDT"]
            await live.venue.until(lambda: live.venue.open[0].subscribed() == set(keys("trades B", "trades C")))
            assert len(live.venue.clients) == 1

    run(main())


def test_an_adapter_s_distrust_reaches_the_connection_that_has_the_stream():
    async def main():
        async with floor("A", settings={"streams": ("trades", "book")}) as live:
            await live.venue.until(lambda: len(live.venue.open) == 2 and all(each.keys for each in live.venue.open))
            market, books = sorted(live.venue.open, key=lambda each: each.path, reverse=True)
            await live.venue.until(lambda: [said["op"] for said in books.asked] == ["sub", "list"])
            market.say(again=[["book", "A"]])
            await live.venue.until(lambda: [said["op"] for said in books.asked][2:4] == ["unsub", "sub"])
            assert [said["op"] for said in market.asked] == ["sub", "list"]

    run(main())


def test_connections_are_replaced_on_request_without_a_stale_moment():
    async def main():
        async with floor("AB", streams_per_connection=1) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            old = set(live.venue.open)
            with pytest.raises(UnknownConnectionError, match="market-1, market-2"):
                live.feed.reconnect("market-7")
            assert live.feed.reconnect("market-1") == ("market-1",)
            assert live.feed.reconnect() == ("market-1", "market-2")
            stale = []

            def replaced() -> bool:
                stale.extend(each for each in "AB" if live.quality(each) is not Quality.LIVE)
                return all(client.closed for client in old)

            await until_traded(live, "AB", replaced)
            assert not stale
            assert live.publisher.known("A").id_gaps == 0

    run(main())


def test_the_report_says_how_connections_and_instruments_stand():
    async def main():
        async with floor("AB") as live:
            assert live.feed.report().connections == ()
            await until_traded(live, "A", lambda: live.quality("A") is Quality.LIVE)
            await live.venue.until(lambda: live.feed.report().connections[0].state is ConnectionState.OPEN)
            live.venue.open[0].raw(b"{")
            await live.venue.until(lambda: live.feed.malformed)
            report = live.feed.report()
            assert (report.venue, report.instruments["live"], report.missing_trades) == ("fake", 1, 0)
            [connection] = report.connections
            assert (connection.name, connection.state, connection.streams) == ("market-1", ConnectionState.OPEN, 2)
            assert connection.frames == live.feed.frames > 3
            assert live.feed.problems() == ("market-1: frames that could not be read: 1, the newest: not JSON",)
            await live.venue.until(lambda: live.said("malformed frames"))

    run(main())


def test_a_venue_that_does_not_say_what_it_trades_is_waited_for_in_the_report():
    async def main():
        silent = Answer(0, {}, b"no route to the venue", 0, "/instruments")
        async with floor("AB", failures=[silent] * 4) as live:
            assert live.feed.report().waits_for == "the venue has not said yet what it trades"
            await live.venue.until(lambda: live.feed.report().repairs.failed + live.feed.report().repairs.waiting)
            assert live.feed.report().waits_for.endswith("what it trades: no route to the venue")
            await live.venue.until(lambda: live.feed.report().connections)
            assert live.feed.report().waits_for == ""

    run(main())


def test_a_lost_connection_is_the_reason_why_its_instruments_are_not_live():
    async def main():
        async with floor("AB") as live:
            await until_traded(live, "AB", lambda: live.quality("A") is live.quality("B") is Quality.LIVE)
            assert live.feed.report().not_live == ()
            live.venue.welcome = False
            live.venue.open[0].cut()
            await live.venue.until(lambda: live.quality("A") is live.quality("B") is Quality.STALE)
            named = live.feed.report().not_live
            assert [(each.symbol, each.mark) for each in named] == [("A", "stale"), ("B", "stale")]
            assert all("no connection market-1" in each.reasons for each in named)

    run(main())


def test_a_refused_stream_is_said_once():
    async def main():
        async with floor("AB", ack_seconds=0.1) as live:

            def refuse_b(client: Client, said: dict) -> None:
                if said["op"] == "sub" and ["trades", "B"] in said["keys"]:
                    client.say(no=said["id"], why="no such symbol")
                else:
                    live.venue.obey(client, said)

            live.venue.answer = refuse_b
            await live.venue.until(lambda: live.said("stream refused"))
            await until_traded(live, "A", lambda: live.quality("A") is Quality.LIVE)
            await until_traded(live, "A", lambda: live.market.newest["A"] > 100)
            [refused] = live.said("stream refused")
            told = {"venue": "fake", "stream": "trades", "symbol": "B", "line": "market-1", "reason": "no such symbol"}
            assert told.items() <= refused.items()
            assert live.feed.report().connections[0].refused == {"trades B": "no such symbol"}

    run(main())


def test_an_instrument_whose_stream_is_refused_after_a_reconnection_stays_stale():
    async def main():
        async with floor("AB", ack_seconds=0.1) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)

            def refuse_b(client: Client, said: dict) -> None:
                if said["op"] == "sub" and ["trades", "B"] in said["keys"]:
                    client.say(no=said["id"], why="delisted")
                else:
                    live.venue.obey(client, said)

            live.venue.answer = refuse_b
            live.venue.open[0].cut()
            await until_traded(live, "AB", lambda: live.said("stream refused"))
            await until_traded(live, "AB", lambda: live.quality("A") is Quality.LIVE)
            assert live.quality("B") is Quality.STALE

    run(main())


def test_publishing_that_fails_ends_the_feed_with_it():
    async def main():
        async with floor("AB") as live:
            await until_traded(live, "A", lambda: live.quality("A") is Quality.LIVE)

            def fail() -> None:
                raise ZeroDivisionError("the tape is gone")

            live.tape.publish = fail
            live.market.trade("A")
            with pytest.raises(ZeroDivisionError, match="tape is gone"):
                await live.task

    run(main())


def test_what_the_venue_does_not_trade_is_an_error_with_a_hint():
    async def main():
        async with floor("AB", settings={"symbols": ("ABC",), "streams": ("trades",)}) as live:
            with pytest.raises(UnknownSymbolsError, match="'ABC'"):
                await live.task

    run(main())


def test_a_socks_proxy_is_refused_before_anything_is_made(tmp_path):
    settings = VenueSettings(venue="binance", proxy="socks5://mine:1080")
    with pytest.raises(SocksProxyError, match="binance: the setting proxy"):
        VenueFeed.of(
            settings, publisher=None, audit=None, clock=ReceiveClock(), record=tmp_path, on_flush=None, log=None
        )
    assert list(tmp_path.iterdir()) == []


def test_a_venue_whose_list_cannot_be_read_is_asked_again():
    async def main():
        failures = [Answer(400, {}, b"no", 0, "/instruments"), Answer(200, {}, b"?", 0, "/instruments")]
        async with floor("AB", failures=failures) as live:
            await live.venue.until(lambda: live.venue.open)
            reasons = [fields["reason"] for fields in live.said("the venue has not said what it trades")]
            assert reasons == ["status 400: no", "not a list"]

    run(main())


def test_a_bug_in_a_reader_ends_the_feed_with_it():
    async def main():
        async with floor("AB") as live:
            await until_traded(live, "A", lambda: live.quality("A") is Quality.LIVE)
            live.venue.open[0].say(bug=1)
            with pytest.raises(ZeroDivisionError):
                await live.task
            await live.venue.until(lambda: not live.venue.open)

    run(main())


class FakeRecorder(Recording):
    """A recorder with something to tell, the last of it when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.told = ["the disk is full"]
        self.closed_within = 0.0

    def news(self) -> list[str]:
        told, self.told = self.told, []
        return told

    def close(self, within: float) -> None:
        self.closed_within = within
        self.told.append("the last 3 frames are not recorded")


def test_what_a_recorder_has_to_tell_is_said_once_and_after_its_end_too():
    async def main():
        recorder = FakeRecorder()
        async with floor("A", recorder=recorder) as live:
            await live.venue.until(lambda: live.said("the disk is full"))
            await live.venue.until(lambda: recorder)
        assert live.said("the disk is full") == [{"venue": "fake"}]
        assert live.said("the last 3 frames are not recorded") == [{"venue": "fake"}]
        assert recorder.closed_within == RECORDER_CLOSE_SECONDS

    run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_an_end_that_is_wanted_is_no_warning(cancelled):
    async def main():
        async with floor("AB", streams_per_connection=1) as live:
            await live.venue.until(lambda: len(live.venue.open) == 2)
            if cancelled:
                live.task.cancel()
                await asyncio.wait({live.task})
            await live.feed.close()
            assert [fields["reason"] for fields in live.said("connection ended")] == ["closed by us"] * 2
            assert "warning" not in {level for level, _, _ in live.log}

    run(main())


def test_the_patience_of_the_settings_is_that_of_streams_and_connections():
    async def main():
        settings = {"streams": ("trades",), "patience": 0.01}
        async with floor("AB", settings=settings, idle_seconds=20.0, pings=False, answers_pings=False) as live:
            await live.venue.until(lambda: live.said("connection ended"))
            assert live.said("connection ended")[0]["reason"].startswith("nothing received for 0.2 s")

    run(main())


def test_closing_leaves_no_connection_and_then_gives_back_what_they_used():
    async def main():
        async with floor("ABC", streams_per_connection=1) as live:
            await live.venue.until(lambda: len(live.venue.open) == 3)
            live.venue.open[0].transport.underlying_transport.pause_reading()
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await live.feed.close()
            assert loop.time() - begun < 1.0
            assert live.task.done() or await asyncio.wait_for(live.task, 1) is None
            await live.feed.close()
            assert len(live.given_back) == 1
            await live.venue.until(lambda: len(live.venue.open) <= 1)

    run(main())


def test_a_cancelled_feed_leaves_no_connection():
    async def main():
        async with floor("ABC", streams_per_connection=1) as live:
            await live.venue.until(lambda: len(live.venue.open) == 3)
            live.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await live.task
            await live.venue.until(lambda: not live.venue.open)
            await live.feed.close()
            assert live.given_back

    run(main())


@pytest.mark.parametrize(("shared", "pauses"), [(True, 1), (False, 2)])
def test_connections_pause_together_where_the_venue_counts_their_messages_together(shared, pauses):
    async def main():
        async with floor("AB", streams_per_connection=1, messages_shared=shared) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            for client in live.venue.open:
                client.say(many=1)
            seen = {symbol: live.published(symbol) for symbol in "AB"}
            await until_traded(live, "AB", lambda: all(live.published(each) > seen[each] + 5 for each in "AB"))
            assert len(live.said("the venue had too many messages")) == pauses

    run(main())
