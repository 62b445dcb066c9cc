"""What a client asks for over one Kraken socket (``wire-facts.md`` §4.1, §4.2)."""

from collections import deque
from typing import Any, Final, Protocol

import msgspec

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.kraken.frames import DEPTHS, REQUESTS, Parameters, Request
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Stream, Streams, Subscriber

BEAT_SECONDS: Final = 1.0
MESSAGES_PER_SECOND: Final = 20
"""Not published; what others get along with."""
SNAPSHOT_DEFAULT: Final = {"book": True, "ticker": True, "ohlc": True, "trade": False}


class KrakenSource(Protocol):
    """Whose streams a session subscribes to."""

    conditions: Conditions
    settings: SimulatorSettings
    streams: Streams

    def symbols(self) -> list[str]:
        """Return the symbols that there are."""

    def depth_of(self, symbol: str) -> int | None:
        """Return the depth that a book was recorded with."""

    def snapshot(self, channel: str, symbol: str) -> bytes | None:
        """Return how a stream stands, or None while nothing of it was played: its own beginning will come."""

    def stamp(self, decimals: int) -> str:
        """Return the market's time."""


class KrakenSession:
    """One connection's subscriptions: one answer for each symbol, and a heartbeat when there is nothing else to say."""

    beat_seconds = BEAT_SECONDS

    def __init__(self, source: KrakenSource, connection: Subscriber, number: int) -> None:
        self._source = source
        self._connection = connection
        self._number = number
        self._streams: dict[tuple[str, str], Stream | None] = {}
        self._heard: deque[float] = deque(maxlen=MESSAGES_PER_SECOND)

    def opened(self) -> None:
        """Say that all is well."""
        self._connection.send(self._status("online"))

    def subscriptions(self) -> list[str]:
        """Return the names of the streams, in the order they were asked for."""
        return [f"{channel}:{symbol}" for channel, symbol in self._streams]

    def going_away(self) -> bytes:
        """Return what is said before maintenance."""
        return self._status("maintenance")

    def beat(self, *, quiet: bool) -> bool:
        """Send a heartbeat if there is nothing else to say to a client with subscriptions."""
        if quiet and self._streams:
            self._connection.send(b'{"channel":"heartbeat"}')
        return True

    def message(self, payload: bytes) -> None:
        """Answer a request."""
        stamp = self._source.stamp(6)
        if not self._allowed():
            self._connection.send(b'{"Error":"Exceeded msg rate"}')
            return
        try:
            request = REQUESTS.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._say({"error": f"Malformed request: {error}", "success": False, "time_in": stamp, "time_out": stamp})
            return
        head: dict[str, Any] = {"method": request.method}
        if request.req_id is not None:
            head["req_id"] = request.req_id
        if request.method == "ping":
            self._say(head | {"method": "pong", "time_in": stamp, "time_out": stamp})
        elif request.method in ("subscribe", "unsubscribe") and request.params is not None:
            self._requested(request, request.params, head)
        else:
            self._refuse(head, "Unsupported method")

    def _requested(self, request: Request, params: Parameters, head: dict[str, Any]) -> None:
        if params.channel not in SNAPSHOT_DEFAULT:
            self._refuse(head, "Channel not found")
        elif not params.symbol:
            self._refuse(head, "Symbol(s) not found")
        elif request.method == "unsubscribe":
            for symbol in params.symbol:
                self._unsubscribe(params, symbol, head)
        else:
            ignored = self._source.conditions.ignores_subscribe()
            for symbol in params.symbol:
                self._subscribe(params, symbol, head, ignored=ignored)

    def _subscribe(self, params: Parameters, symbol: str, head: dict[str, Any], *, ignored: bool) -> None:
        key = params.channel, symbol
        if symbol not in self._source.symbols():
            self._refuse(head, f"Currency pair not supported {symbol}", symbol)
        elif params.channel == "book" and params.depth not in DEPTHS:
            self._refuse(head, f"Subscription depth not supported {params.depth}", symbol)
        elif key in self._streams:
            self._refuse(head, "Already subscribed", symbol)
        else:
            wanted = SNAPSHOT_DEFAULT[params.channel] if params.snapshot is None else params.snapshot
            self._accept(head, self._result(params, symbol) | {"snapshot": wanted})
            stream = None if ignored else self._source.streams.open(f"{params.channel}:{symbol}")
            self._streams[key] = stream
            if stream is not None:
                stream.add(self._connection, wrapped=False)
                snapshot = self._source.snapshot(*key) if wanted else None
                if snapshot is not None:
                    self._connection.send(snapshot)

    def _unsubscribe(self, params: Parameters, symbol: str, head: dict[str, Any]) -> None:
        key = params.channel, symbol
        if key not in self._streams:
            self._refuse(head, "Subscription Not Found", symbol)
            return
        stream = self._streams.pop(key)
        if stream is not None:
            stream.remove(self._connection)
        self._accept(head, self._result(params, symbol))

    def _result(self, params: Parameters, symbol: str) -> dict[str, Any]:
        result: dict[str, Any] = {"channel": params.channel, "symbol": symbol}
        if params.channel == "book":
            result["depth"] = self._source.depth_of(symbol) or params.depth
            if result["depth"] != params.depth:
                result["warnings"] = [f"recorded with depth {result['depth']}"]
        elif params.channel == "ticker":
            result["event_trigger"] = params.event_trigger
        elif params.channel == "ohlc":
            result["interval"] = params.interval
        return result

    def _accept(self, head: dict[str, Any], result: dict[str, Any]) -> None:
        stamp = self._source.stamp(6)
        self._say(head | {"result": result, "success": True, "time_in": stamp, "time_out": stamp})

    def _refuse(self, head: dict[str, Any], reason: str, symbol: str = "") -> None:
        stamp = self._source.stamp(6)
        named = {"symbol": symbol} if symbol else {}
        self._say(head | {"error": reason, "success": False, "time_in": stamp, "time_out": stamp} | named)

    def _allowed(self) -> bool:
        now = self._source.conditions.clock()
        breach = len(self._heard) == self._heard.maxlen and now - self._heard[0] < 1.0
        self._heard.append(now)
        return not (breach and self._source.settings.enforce_limits)

    def _status(self, system: str) -> bytes:
        said = {"system": system, "api_version": "v2", "connection_id": self._number, "version": "2.0.0"}
        return msgspec.json.encode({"channel": "status", "type": "update", "data": [said]})

    def _say(self, message: dict[str, Any]) -> None:
        self._connection.send(msgspec.json.encode(message))
