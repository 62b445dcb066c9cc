"""What a client asks for over one Coinbase socket (``wire-facts.md`` §5.1, §5.2)."""

from typing import Any, Final, Protocol

import msgspec

from tickfloor.simulator.coinbase import frames
from tickfloor.simulator.coinbase.numbering import Numbers, numbered
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Stream, Streams, Subscriber

BEAT_SECONDS: Final = 1.0
FIRST_SUBSCRIBE_BEATS: Final = 5
MOST_BOOKS: Final = 30


class CoinbaseSource(Protocol):
    """Whose streams a session subscribes to."""

    conditions: Conditions
    settings: SimulatorSettings
    streams: Streams

    def symbols(self) -> list[str]:
        """Return the products that there are."""

    def snapshot(self, channel: str, product: str) -> bytes | None:
        """Return how a stream stands, or None while nothing of it was played: its own beginning will come."""

    def stamp(self, decimals: int) -> str:
        """Return the market's time."""

    def wall(self) -> str:
        """Return the market's time as heartbeats write it."""


class CoinbaseSession:
    """One connection's subscriptions; every answer says all of them."""

    beat_seconds = BEAT_SECONDS

    def __init__(self, source: CoinbaseSource, connection: Subscriber, numbers: Numbers) -> None:
        self._source = source
        self._connection = connection
        self._numbers = numbers
        self._channels: dict[str, dict[str, Stream | None]] = {}
        self._beats = 0
        self._heartbeats = 0
        self._subscribed = False
        self._beating = False

    def opened(self) -> None:
        """Say nothing: the client speaks first."""

    def subscriptions(self) -> list[str]:
        """Return the names of the streams."""
        return [f"{channel}:{product}" for channel, products in self._channels.items() for product in products]

    def going_away(self) -> None:
        """Say nothing: the venue does not."""

    def beat(self, *, quiet: bool) -> bool:
        """Send a heartbeat to whoever wants them; end a connection that has subscribed to nothing in time."""
        del quiet
        self._beats += 1
        if self._beating:
            self._heartbeats += 1
            self._send(frames.HEARTBEATS, {"current_time": self._source.wall(), "heartbeat_counter": self._heartbeats})
        too_late = not self._subscribed and self._beats >= FIRST_SUBSCRIBE_BEATS
        return not (too_late and self._source.settings.enforce_limits)

    def message(self, payload: bytes) -> None:
        """Answer a request."""
        try:
            request = frames.REQUESTS.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._refuse(f"failed to parse the message: {error}")
            return
        products = self._products(request)
        if request.type not in ("subscribe", "unsubscribe"):
            self._refuse(f"unknown message type {request.type}")
        elif request.channel not in frames.CHANNELS:
            self._refuse(f"channel {request.channel} does not exist")
        elif unknown := [each for each in request.product_ids if each not in self._source.symbols()]:
            self._refuse(f"{unknown[0]} is not a valid product")
        elif request.type == "unsubscribe":
            self._unsubscribe(request.channel, products)
        elif self._too_many(request.channel, products):
            self._refuse("too many L2 streams requested in a single session")
        else:
            self._subscribe(request.channel, products)

    def _products(self, request: frames.Request) -> list[str]:
        """Return what a request is about: without products, all of the channel."""
        if request.channel == frames.HEARTBEATS:
            return [frames.HEARTBEATS]
        if request.product_ids or request.type == "subscribe":
            return request.product_ids or self._source.symbols()
        return list(self._channels.get(request.channel, ()))

    def _too_many(self, channel: str, products: list[str]) -> bool:
        """Say whether this would be more books than a connection may have."""
        if channel != frames.LEVEL2 or not self._source.settings.enforce_limits:
            return False
        return len(self._channels.get(channel, {}).keys() | set(products)) > MOST_BOOKS

    def _subscribe(self, channel: str, products: list[str]) -> None:
        """Begin with how things stand, and then say what is subscribed to, as the venue does."""
        self._subscribed = True
        ignored = self._source.conditions.ignores_subscribe()
        of_channel = self._channels.setdefault(channel, {})
        for product in products:
            if product in of_channel:
                continue
            of_channel[product] = None
            if channel == frames.HEARTBEATS:
                self._beating = not ignored
            elif not ignored:
                of_channel[product] = self._begin(channel, product)
        self._say_all()

    def _begin(self, channel: str, product: str) -> Stream:
        stream = self._source.streams.open(f"{channel}:{product}")
        stream.add(self._connection, wrapped=False)
        snapshot = self._source.snapshot(channel, product)
        if snapshot is not None:
            self._connection.send(numbered(snapshot, self._numbers.take()))
        return stream

    def _unsubscribe(self, channel: str, products: list[str]) -> None:
        of_channel = self._channels.get(channel, {})
        for product in products:
            stream = of_channel.pop(product, None)
            if stream is not None:
                stream.remove(self._connection)
        if not of_channel:
            self._channels.pop(channel, None)
        self._beating = self._beating and frames.HEARTBEATS in self._channels
        self._say_all()

    def _say_all(self) -> None:
        subscribed = {channel: list(products) for channel, products in sorted(self._channels.items())}
        self._send("subscriptions", {"subscriptions": subscribed})

    def _send(self, channel: str, event: dict[str, Any]) -> None:
        self._connection.send(frames.enveloped(channel, self._source.stamp(9), self._numbers.take(), [event]))

    def _refuse(self, reason: str) -> None:
        self._connection.send(msgspec.json.encode({"type": "error", "message": reason}))
