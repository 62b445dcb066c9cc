"""One stream of frames to whoever subscribed, and what hostility does to it on the way."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from tickfloor.simulator.framing import text_frame


class Subscriber(Protocol):
    """Who can be sent something: a connection."""

    def send(self, payload: bytes, /) -> None:
        """Send a text message with the next flush."""

    def send_frame(self, frame: bytes, /) -> None:
        """Send a message that is framed already."""


class Tamper(Protocol):
    """Stands between a stream and its subscribers."""

    def take(self, payload: bytes, /) -> Iterable[bytes]:
        """Return what is sent instead of a frame, now."""

    def over(self) -> bool:
        """Say whether it has done what it was to do."""

    def release(self) -> Iterable[bytes]:
        """Return what it still holds back."""


class Stream:
    """A stream by its venue's own name.

    Attributes:
        published: frames that an undisturbed subscriber would have had.
        sent: frames written, to all subscribers together.
        heard: somebody subscribed; nothing needs to be rendered otherwise.
    """

    __slots__ = ("_head", "_plain", "_tampers", "_wrapped", "heard", "name", "published", "sent")

    def __init__(self, name: str) -> None:
        self.name = name
        self._head = b'{"stream":"%b","data":' % name.encode()
        self._plain: list[Subscriber] = []
        self._wrapped: list[Subscriber] = []
        self._tampers: list[Tamper] = []
        self.heard = False
        self.published = 0
        self.sent = 0

    def add(self, connection: Subscriber, *, wrapped: bool) -> None:
        """Send a connection what follows, in the wrapper that names the stream if it wants that."""
        self.remove(connection)
        (self._wrapped if wrapped else self._plain).append(connection)
        self.heard = True

    def remove(self, connection: Subscriber) -> None:
        """Send a connection nothing more."""
        for some in (self._plain, self._wrapped):
            if connection in some:
                some.remove(connection)
        self.heard = bool(self._plain or self._wrapped)

    def subscribers(self) -> int:
        """Return how many connections get it."""
        return len(self._plain) + len(self._wrapped)

    def publish(self, payload: bytes) -> None:  # hot path
        """Send a frame, given without its wrapper, to all subscribers."""
        self.published += 1
        if self._tampers:
            self._tampered(payload)
        else:
            self.deliver(payload)

    def tamper(self, tamper: Tamper) -> None:
        """Put something in the way, behind what is there already."""
        self._tampers.append(tamper)

    def settle(self) -> None:
        """Send what is held back."""
        for index, tamper in enumerate(self._tampers):
            for payload in tamper.release():
                self._pass(payload, index + 1)

    def deliver(self, payload: bytes) -> None:  # hot path
        """Write a frame to all subscribers, as it has come through."""
        if self._wrapped:
            frame = text_frame(self._head + payload + b"}")
            for connection in self._wrapped:
                connection.send_frame(frame)
        if self._plain:
            frame = text_frame(payload)
            for connection in self._plain:
                connection.send_frame(frame)
        self.sent += len(self._wrapped) + len(self._plain)

    def _tampered(self, payload: bytes) -> None:
        self._pass(payload, 0)
        for index, tamper in reversed(list(enumerate(self._tampers))):
            if tamper.over():
                for held in tamper.release():
                    self._pass(held, index + 1)
                del self._tampers[index]

    def _pass(self, payload: bytes, index: int) -> None:
        if index == len(self._tampers):
            self.deliver(payload)
            return
        for each in self._tampers[index].take(payload):
            self._pass(each, index + 1)


class Streams:
    """All streams of a venue that somebody has asked for."""

    def __init__(self, make: Callable[[str], Stream] = Stream) -> None:
        """Begin without streams.

        Args:
            make: makes one of its name, where frames differ from one connection to the next.
        """
        self._make = make
        self._streams: dict[str, Stream] = {}
        self._coming: list[tuple[Callable[[str], bool], Callable[[], Tamper]]] = []

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def get(self, name: str) -> Stream | None:
        """Return a stream that was opened, or None."""
        return self._streams.get(name)

    def open(self, name: str) -> Stream:
        """Return a stream, a new one the first time."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._make(name)
            for waiting in [each for each in self._coming if each[0](name)]:
                self._coming.remove(waiting)
                stream.tamper(waiting[1]())
        return stream

    def tamper(self, fits: Callable[[str], bool], make: Callable[[], Tamper]) -> list[Stream]:
        """Put something in the way of all streams whose name fits; where there is none yet, of the first to come.

        Returns:
            those that there are by now.
        """
        found = [stream for stream in self._streams.values() if fits(stream.name)]
        if not found:
            self._coming.append((fits, make))
        for stream in found:
            stream.tamper(make())
        return found

    def subscriptions(self) -> int:
        """Return how many streams all connections together get."""
        return sum(stream.subscribers() for stream in self._streams.values())

    def remove(self, connection: Subscriber) -> None:
        """Take a connection out of every stream."""
        for stream in self._streams.values():
            stream.remove(connection)

    def settle(self) -> None:
        """Send what is held back anywhere."""
        for stream in self._streams.values():
            stream.settle()
