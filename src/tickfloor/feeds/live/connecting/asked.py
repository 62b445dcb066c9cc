"""What is remembered of a stream that is wanted, and of a message that the venue should answer."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from tickfloor.feeds.venue import StreamKey

ALL: Final = 1 << 30


class State(Enum):
    """How far the subscription of a stream has come."""

    WAITING = auto()
    ASKED = auto()
    ACCEPTED = auto()
    REFUSED = auto()


class Kind(Enum):
    """What a message asks for."""

    SUBSCRIBE = auto()
    UNSUBSCRIBE = auto()
    LISTING = auto()


class Stream:
    """One stream.

    Attributes:
        request: number of the newest one that asks for it.
        refusals: of it alone; unanswered: requests without an answer.
        unlisted: it was accepted once, and the venue's list lacked it.
        given_up: nobody waits for it any more; it is asked for now and then, until it is accepted.
        most_together: so many streams may be in a request with it.
        due_ns: not asked for before.
        since_ns: when it was accepted.
        reason: why it was given up.
    """

    __slots__ = (
        "due_ns", "given_up", "most_together", "reason", "refusals", "request", "since_ns", "state", "unanswered",
        "unlisted",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.WAITING
        self.request = 0
        self.refusals = 0
        self.unanswered = 0
        self.unlisted = False
        self.given_up = False
        self.most_together = ALL
        self.due_ns = 0
        self.since_ns = 0
        self.reason = ""

    @property
    def outstanding(self) -> bool:
        """Whether it is neither accepted nor given up."""
        return self.state in (State.WAITING, State.ASKED) and not self.given_up


class Request:
    """One message of ours.

    Attributes:
        keys: the streams that have no answer yet; size: how many it asked for.
        due_ns: when its answer is overdue; late: it is.
        excused: the venue has left out a message, and it may be this one.
    """

    __slots__ = ("due_ns", "excused", "keys", "kind", "late", "sent_ns", "size")

    def __init__(self, kind: Kind, keys: Sequence[StreamKey], sent_ns: int, due_ns: int) -> None:
        self.kind = kind
        self.keys = dict.fromkeys(keys)
        self.size = len(keys)
        self.sent_ns = sent_ns
        self.due_ns = due_ns
        self.late = False
        self.excused = False
