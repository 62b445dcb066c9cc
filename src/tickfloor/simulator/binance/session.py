"""What a client asks for over one Binance socket (``wire-facts.md`` §2.2)."""

from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tickfloor.simulator.binance.rules import MARKET, PRIVATE, PUBLIC, BinanceRules
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.stream import Stream, Subscriber

UNROUTED: Final = ""
"""The route of a futures socket that names none: it accepts everything and says nothing."""
_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID_CHARACTERS: Final = 36
_UNKNOWN_PROPERTY, _WRONG_TYPE, _INVALID_REQUEST, _INVALID_JSON = range(4)


class Place(msgspec.Struct, frozen=True):
    """What a socket's URL asks for: its route (None: of a market without any), the wrapper, the first streams."""

    route: str | None
    wrapped: bool
    names: tuple[str, ...]


def place_of(rules: BinanceRules, path: str) -> Place | None:
    """Return what a URL asks for, or None if Binance has no such one."""
    parts = urlsplit(path)
    steps = [step for step in parts.path.split("/") if step]
    route: str | None = None
    if rules.futures:
        route = steps.pop(0) if steps and steps[0] in (PUBLIC, MARKET, PRIVATE) else UNROUTED
    if not steps:
        return None
    names: tuple[str, ...]
    if steps[0] == "ws":
        names = tuple(unquote(step) for step in steps[1:])
    elif steps == ["stream"]:
        listed = "/".join(parse_qs(parts.query).get("streams", []))
        names = tuple(name for name in listed.split("/") if name)
    else:
        return None
    if len(names) > rules.streams_per_connection:
        return None
    return Place(route, wrapped=steps[0] == "stream", names=names)


class StreamSource(Protocol):
    """Whose streams a session subscribes to."""

    rules: BinanceRules
    conditions: Conditions

    def subscribe(self, name: str, route: str | None) -> Stream | None:
        """Return a stream, or None where the venue accepts the name and sends nothing."""

    def stamp_ms(self) -> int:
        """Return the venue's time, ms UTC."""


class BinanceSession:
    """One connection's subscriptions; unknown streams are accepted and stay silent, as the venue does it."""

    def __init__(self, source: StreamSource, connection: Subscriber, place: Place) -> None:
        self._source = source
        self._connection = connection
        self._place = place
        self._wrapped = place.wrapped
        self._streams: dict[str, Stream | None] = {}

    def opened(self) -> None:
        """Subscribe to what the URL names."""
        self._subscribe(self._place.names)

    def subscriptions(self) -> list[str]:
        """Return the names, in the order they were asked for."""
        return list(self._streams)

    def going_away(self) -> bytes:
        """Return the ``serverShutdown`` event."""
        event = b'{"e":"serverShutdown","E":%d}' % self._source.stamp_ms()
        return b'{"stream":"!serverShutdown","data":%b}' % event if self._wrapped else event

    def message(self, payload: bytes) -> None:
        """Answer a request."""
        try:
            request = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._error(_INVALID_JSON, f"Invalid JSON: {error}", None)
            return
        if not isinstance(request, dict) or "method" not in request:
            self._error(_INVALID_REQUEST, "Invalid request: missing field `method`", None)
            return
        request_id = request.get("id")
        if not _may_be_id(request_id):
            self._error(_INVALID_REQUEST, "Invalid request: request ID must be an unsigned integer, or a string", None)
            return
        self._answer(request["method"], request.get("params"), request_id)

    def _answer(self, method: object, params: object, request_id: object) -> None:
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
                self._error(_INVALID_REQUEST, "Invalid request: params must be a list of stream names", request_id)
            elif method == "UNSUBSCRIBE":
                self._unsubscribe(params)
                self._result(None, request_id)
            elif len(self._streams.keys() | set(params)) > self._source.rules.streams_per_connection:
                self._error(_INVALID_REQUEST, "Invalid request: too many streams on one connection", request_id)
            else:
                self._result(None, request_id)
                self._subscribe(params)
        elif method == "LIST_SUBSCRIPTIONS":
            self._result(self.subscriptions(), request_id)
        elif method in ("SET_PROPERTY", "GET_PROPERTY"):
            self._property(params, request_id, setting=method == "SET_PROPERTY")
        else:
            known = ", ".join(f"`{name}`" for name in _METHODS)
            self._error(
                _INVALID_REQUEST, f"Invalid request: unknown variant `{method}`, expected one of {known}", request_id
            )

    def _property(self, params: object, request_id: object, *, setting: bool) -> None:
        if not isinstance(params, list) or not params or not isinstance(params[0], str):
            self._error(_INVALID_REQUEST, "Invalid request: property name must be a string", request_id)
        elif params[0] != "combined":
            self._error(_UNKNOWN_PROPERTY, "Unknown property", request_id)
        elif not setting:
            self._result(self._wrapped, request_id)
        elif len(params) != 2 or not isinstance(params[1], bool):
            self._error(_WRONG_TYPE, "Invalid value type: expected Boolean", request_id)
        else:
            self._wrapped = params[1]
            for stream in self._streams.values():
                if stream is not None:
                    stream.add(self._connection, wrapped=self._wrapped)
            self._result(None, request_id)

    def _subscribe(self, names: list[str] | tuple[str, ...]) -> None:
        ignored = bool(names) and self._source.conditions.ignores_subscribe()
        for name in names:
            stream = None if ignored else self._source.subscribe(name, self._place.route)
            self._streams[name] = stream
            if stream is not None:
                stream.add(self._connection, wrapped=self._wrapped)

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            stream = self._streams.pop(name, None)
            # Two names may lead to one recorded stream.
            if stream is not None and stream not in self._streams.values():
                stream.remove(self._connection)

    def _result(self, result: object, request_id: object) -> None:
        self._connection.send(msgspec.json.encode({"result": result, "id": request_id}))

    def _error(self, code: int, reason: str, request_id: object) -> None:
        self._connection.send(msgspec.json.encode({"code": code, "msg": reason, "id": request_id}))


def _may_be_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _ID_CHARACTERS
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64)
