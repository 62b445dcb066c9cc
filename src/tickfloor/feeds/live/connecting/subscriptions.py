"""What one connection has asked its venue for, and what the venue said to it."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from tickfloor.feeds.live.connecting.asked import ALL, Kind, Request, State, Stream
from tickfloor.feeds.venue import Acked, Dialect, Listed, Refused, StreamKey, TooManyMessages

ATTEMPTS: Final = 3
"""How often a stream that is refused by itself is asked for."""
UNANSWERED: Final = 2
"""How often a stream is asked for without an answer."""
MOST_REQUESTS: Final = 1000
"""Requests that are remembered; an answer to an older one is not understood."""
NEVER_NS: Final = 1 << 63
AGAIN_NS: Final = 300_000_000_000
"""After which a stream that was given up is asked for again: a market in maintenance refuses, too."""
_TO_ASK: Final = (State.WAITING, State.REFUSED)


class Subscriptions:
    """Decides what to ask for next, and believes nothing that the venue has not confirmed.

    Every stream is accepted by name or by its request. What the venue's own list then lacks is asked for once more. A
    request that is refused as a whole is asked again in halves, so that one wrong stream does not cost the others; a
    stream that is refused by itself three times, or that gets no answer twice, is given up, kept with the reason, and
    asked for again every few minutes.

    It does no IO and has no clock: times are ns that never go back.
    """

    def __init__(self, dialect: Dialect, keys: Iterable[StreamKey]) -> None:
        """Begin with nothing asked for."""
        self._dialect = dialect
        self._ack_ns = round(dialect.limits.ack_seconds * 1e9)
        self._streams: dict[StreamKey, Stream] = {key: Stream() for key in keys}
        self._leaving: dict[StreamKey, bool] = {}
        self._requests: dict[int, Request] = {}
        self._ids = itertools.count(1)
        self._to_verify = False
        self._listings_unanswered = 0
        self._ever_answered = False
        self._requests_unanswered = 0

    @property
    def keys(self) -> tuple[StreamKey, ...]:
        """Every stream that is wanted, refused ones too."""
        return tuple(self._streams)

    @property
    def settled(self) -> bool:
        """Whether every stream is accepted or given up, and the venue's list agrees."""
        return not self._verifying and self._idle

    @property
    def nobody_answers(self) -> bool:
        """Whether several requests were not answered, and never one was."""
        return not self._ever_answered and self._requests_unanswered >= UNANSWERED

    def unanswered_since_ns(self) -> int:
        """Return when the newest request was sent that is overdue; 0 if none is."""
        return max((request.sent_ns for request in self._requests.values() if request.late), default=0)

    def accepted(self) -> dict[StreamKey, int]:
        """Return the streams that the venue has accepted, with the time of it."""
        return {
            key: stream.since_ns
            for key, stream in self._streams.items()
            if stream.state is State.ACCEPTED and not stream.given_up
        }

    def outstanding(self) -> list[StreamKey]:
        """Return the streams that are neither accepted nor given up."""
        return [key for key, stream in self._streams.items() if stream.outstanding]

    def refused(self) -> dict[StreamKey, str]:
        """Return the streams that were given up and not accepted since, with the reason."""
        return {key: stream.reason for key, stream in self._streams.items() if stream.given_up}

    def next_id(self) -> int:
        """Return a request id that was not used on this connection."""
        return next(self._ids)

    def add(self, keys: Iterable[StreamKey]) -> None:
        """Want more streams."""
        for key in keys:
            self._streams.setdefault(key, Stream())

    def remove(self, keys: Iterable[StreamKey]) -> None:
        """Want these no longer."""
        for key in keys:
            stream = self._streams.pop(key, None)
            if stream is not None and stream.state in (State.ASKED, State.ACCEPTED):
                self._leaving.setdefault(key, False)

    def renew(self, keys: Iterable[StreamKey]) -> list[StreamKey]:
        """Ask anew for what the venue sends already, and return those of the streams that are wanted here."""
        wanted = [key for key in keys if key in self._streams]
        for key in wanted:
            if self._streams[key].state in (State.ASKED, State.ACCEPTED):
                self._leaving.setdefault(key, False)
                self._streams[key] = Stream()
        return wanted

    def take(self, now: int) -> bytes | None:
        """Return the next message to send, which counts as sent; None if there is none now."""
        message = self._unsubscribe(now) or self._subscribe(now)
        if message is None and self._to_verify and self._idle:
            return self._list(now)
        return message

    def due_ns(self, now: int) -> int:
        """Return when :meth:`take` or :meth:`expire` has something to do that neither has now."""
        due = min((request.due_ns for request in self._requests.values() if not request.late), default=NEVER_NS)
        waiting = (s.due_ns for s in self._streams.values() if s.state in _TO_ASK and s.due_ns > now)
        return min(due, min(waiting, default=NEVER_NS))

    def expire(self, now: int) -> None:
        """Give up waiting for answers that are overdue. They still count when they come."""
        for number, request in self._requests.items():
            if request.late or request.due_ns > now:
                continue
            request.late = True
            if request.kind is Kind.LISTING:
                self._listings_unanswered += not request.excused
                self._to_verify = self._listings_unanswered < UNANSWERED
            elif request.kind is Kind.UNSUBSCRIBE:
                self._not_left(request)
            else:
                self._requests_unanswered += not request.excused
                self._unanswered(number, request, now)
        while len(self._requests) > MOST_REQUESTS:
            del self._requests[next(iter(self._requests))]

    def on(self, control: Acked | Refused | Listed | TooManyMessages, now: int) -> None:
        """Take in what the venue said about a request or about everything."""
        self._ever_answered = True
        if isinstance(control, TooManyMessages):
            for each in self._requests.values():
                each.excused = True
            return
        if isinstance(control, Listed):
            self._on_listed(control.keys, now)
            return
        number, request = self._request_of(control)
        if request is None and control.request_id is not None:
            return
        keys = control.keys or ()
        if request is not None:
            keys = tuple(request.keys if control.keys is None else request.keys.keys() & set(control.keys))
            for key in keys:
                request.keys.pop(key, None)
            if control.keys is None or not request.keys:
                del self._requests[number]
            if request.kind is Kind.UNSUBSCRIBE:
                self._left(keys)
                return
            if request.kind is Kind.LISTING:
                self._to_verify = False
                return
        if isinstance(control, Acked):
            self._accept(keys, now)
        else:
            size = request.size if request is not None and control.keys is None else 1
            self._refuse(keys, size, control.reason, now)

    @property
    def _idle(self) -> bool:
        return not any(stream.outstanding for stream in self._streams.values())

    @property
    def _verifying(self) -> bool:
        return self._to_verify or any(
            request.kind is Kind.LISTING and not request.late for request in self._requests.values()
        )

    def _unsubscribe(self, now: int) -> bytes | None:
        keys = self._together(key for key, asked in self._leaving.items() if not asked)
        if not keys:
            return None
        for key in keys:
            self._leaving[key] = True
            # An answer to an older request for it that is still to come says nothing about what is now.
            for request in self._requests.values():
                if request.kind is Kind.SUBSCRIBE:
                    request.keys.pop(key, None)
        number = self._ask(Kind.UNSUBSCRIBE, keys, now)
        return self._dialect.unsubscribe(keys, number)

    def _subscribe(self, now: int) -> bytes | None:
        keys = self._together(
            key
            for key, stream in self._streams.items()
            if stream.state in _TO_ASK and stream.due_ns <= now and key not in self._leaving
        )
        if not keys:
            return None
        number = self._ask(Kind.SUBSCRIBE, keys, now)
        for key in keys:
            stream = self._streams[key]
            stream.state = State.ASKED
            stream.request = number
        return self._dialect.subscribe(keys, number)

    def _list(self, now: int) -> bytes | None:
        self._to_verify = False
        number = self.next_id()
        message = self._dialect.listing(number)
        if message is not None:
            self._requests[number] = Request(Kind.LISTING, (), now, now + self._ack_ns)
        return message

    def _together(self, keys: Iterable[StreamKey]) -> list[StreamKey]:
        """Return the first of these streams, and those of its channel that fit into one message with it."""
        found: list[StreamKey] = []
        most = self._dialect.limits.streams_per_message
        for key in keys:
            stream = self._streams.get(key)
            room = min(most, stream.most_together if stream is not None else ALL)
            if found and (key.channel is not found[0].channel or len(found) >= room):
                continue
            found.append(key)
            most = room
            if len(found) >= most:
                break
        return found

    def _ask(self, kind: Kind, keys: Sequence[StreamKey], now: int) -> int:
        number = self.next_id()
        self._requests[number] = Request(kind, keys, now, now + self._ack_ns)
        return number

    def _request_of(self, control: Acked | Refused) -> tuple[int, Request | None]:
        """Return the request that an answer is to: by its number, else by its streams, else the oldest."""
        if control.request_id is not None:
            return control.request_id, self._requests.get(control.request_id)
        for number, request in self._requests.items():
            if control.keys is None:
                if request.kind is not Kind.LISTING:
                    return number, request
            elif any(key in request.keys for key in control.keys):
                return number, request
        return 0, None

    def _accept(self, keys: Iterable[StreamKey], now: int) -> None:
        for key in keys:
            stream = self._streams.get(key)
            if stream is not None and stream.state is not State.ACCEPTED and key not in self._leaving:
                stream.state = State.ACCEPTED
                stream.since_ns = now
                # What was missing in the venue's list before is believed when it is there.
                stream.given_up = stream.given_up and stream.unlisted
                self._to_verify = True
        self._listings_unanswered = 0

    def _refuse(self, keys: Iterable[StreamKey], size: int, reason: str, now: int) -> None:
        for key in keys:
            stream = self._streams.get(key)
            if stream is None or stream.state is not State.ASKED:
                continue
            stream.state = State.WAITING
            if size > 1:
                stream.most_together = size // 2
                continue
            stream.refusals += 1
            stream.due_ns = now + self._ack_ns * stream.refusals
            if stream.refusals >= ATTEMPTS:
                self._give_up(stream, reason, now)

    def _unanswered(self, number: int, request: Request, now: int) -> None:
        for key in request.keys:
            stream = self._streams.get(key)
            if stream is None or stream.state is not State.ASKED or stream.request != number:
                continue
            stream.state = State.WAITING
            stream.unanswered += not request.excused
            if stream.unanswered >= UNANSWERED:
                self._give_up(stream, f"no answer within {self._dialect.limits.ack_seconds:g} s", now)

    def _on_listed(self, listed: frozenset[StreamKey], now: int) -> None:
        asked = next(((n, r) for n, r in self._requests.items() if r.kind is Kind.LISTING), None)
        before = NEVER_NS
        if asked is not None:
            before = asked[1].sent_ns
            del self._requests[asked[0]]
        for number, request in list(self._requests.items()):
            if request.kind is Kind.SUBSCRIBE:
                self._accept([key for key in request.keys if key in listed], now)
                request.keys = {key: None for key in request.keys if key not in listed}
            elif request.kind is Kind.UNSUBSCRIBE:
                self._left([key for key in request.keys if key not in listed])
                request.keys = {key: None for key in request.keys if key in listed}
            if not request.keys:
                self._requests.pop(number)
        if asked is not None or self._dialect.listing(0) is None:
            self._to_verify = False
        for key, stream in self._streams.items():
            if stream.state is not State.ACCEPTED:
                continue
            if key in listed:
                stream.given_up = False
            elif stream.since_ns <= before:
                self._not_listed(stream, now)

    def _not_listed(self, stream: Stream, now: int) -> None:
        if stream.unlisted:
            self._give_up(stream, "accepted, yet the venue does not list it", now)
        else:
            stream.unlisted = True
            stream.state = State.WAITING

    def _left(self, keys: Iterable[StreamKey]) -> None:
        for key in list(keys):
            self._leaving.pop(key, None)

    def _not_left(self, request: Request) -> None:
        """Take an end for granted that is not confirmed, unless the venue has left out a message."""
        if request.excused:
            self._leaving.update((key, False) for key in request.keys if key in self._leaving)
        else:
            self._left(request.keys)

    def _give_up(self, stream: Stream, reason: str, now: int) -> None:
        stream.state = State.REFUSED
        stream.given_up = True
        stream.reason = reason
        stream.due_ns = now + AGAIN_NS
