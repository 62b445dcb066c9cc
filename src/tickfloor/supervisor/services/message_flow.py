"""What passed between the supervisor and its workers lately, to trace one tick, signal or command through all of it."""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from tickfloor.contracts.commands import Ping, Pong, SignalsFound, TradersRun
from tickfloor.contracts.events import (
    FeedStatus,
    FloorStatus,
    LogLine,
    SignalsAccepted,
    SignalsRaised,
    SignalsStored,
    StoreSignals,
    TraderStatus,
)
from tickfloor.contracts.messages import Applied, Command, Lane
from tickfloor.contracts.telemetry import BreakerReport, LimiterReport, MetricsDelta

_PING = msgspec.msgpack.encode(Ping())
"""Sent all day long: it would leave no room for what is worth tracing."""

_Kept = tuple[int, str, int, bool, str, object, int]


class Direction(StrEnum):
    """Which way a message went, as the supervisor sees it."""

    IN = "in"
    OUT = "out"


class FlowEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it passed.

    Attributes:
        ts: ns UTC.
        slot, incarnation: the worker at the other end.
    """

    ts: int
    slot: str
    incarnation: int
    direction: Direction
    correlation_id: str
    message: Any


class FlowStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow has seen.

    Attributes:
        remembered: messages that can be traced now.
        identified: messages that carried a correlation id, ever; anonymous: that carried none.
    """

    remembered: int
    identified: int
    anonymous: int

    @property
    def coverage(self) -> float | None:
        """Share of messages that carried an id, 0 to 1; None before the first."""
        noted = self.identified + self.anonymous
        return self.identified / noted if noted else None


class MessageFlow:
    """A ring of messages, the newest kept; large ones count for more, so that memory has a bound.

    Telemetry is only counted: it comes many times a second, and would leave no room for what is worth tracing.
    """

    def __init__(self, size: int = 4_096, weight: int = 16_384, clock: Callable[[], int] = time.time_ns) -> None:
        """Make an empty ring.

        Args:
            size: messages kept at most.
            weight: signals, ids and KiB of commands in them at most, each message counting one besides.
            clock: ns UTC.
        """
        self._size = size
        self._most_weight = weight
        self._clock = clock
        self._kept: deque[_Kept] = deque()
        self._weight = 0
        self._identified = 0
        self._anonymous = 0

    def note(  # hot path
        self, slot: str, incarnation: int, outward: bool, correlation_id: str, message: object
    ) -> None:
        """Keep a message that passes, ``outward`` to the worker or in from it."""
        if correlation_id:
            self._identified += 1
        else:
            self._anonymous += 1
        weigh = _WEIGHED.get(type(message))
        weight = 1 if weigh is None else weigh(message)
        if not weight:
            return
        kept = self._kept
        kept.append((self._clock(), slot, incarnation, outward, correlation_id, message, weight))
        self._weight += weight
        while len(kept) > self._size or self._weight > self._most_weight:
            self._weight -= kept.popleft()[-1]

    def statistics(self) -> FlowStatistics:
        """Return the counts."""
        return FlowStatistics(remembered=len(self._kept), identified=self._identified, anonymous=self._anonymous)

    def trace(self, identity: str) -> list[FlowEntry]:
        """Return all that is remembered of an id, the oldest first.

        The id is a message's or a log line's own; that of a tick (``tape:sequence``), which finds the signals that it
        made; or a signal's. Signals are followed from being raised to being stored and accepted. Nothing has no id.
        """
        if not identity:
            return []
        signals = self._signals_of(identity)
        lines: set[int] = set()
        found = []
        for ts, slot, incarnation, outward, correlation_id, message, _ in self._kept:
            if correlation_id != identity and not _is_of(message, identity, signals):
                continue
            if isinstance(message, LogLine):
                # A worker's line comes in and goes out to the logger as the same object; once is enough.
                if id(message) in lines:
                    continue
                lines.add(id(message))
            found.append(
                FlowEntry(
                    ts=ts,
                    slot=slot,
                    incarnation=incarnation,
                    direction=Direction.OUT if outward else Direction.IN,
                    correlation_id=correlation_id,
                    message=message,
                )
            )
        return found

    def _signals_of(self, identity: str) -> frozenset[str]:
        found = {identity}
        for _, _, _, _, correlation_id, message, _ in self._kept:
            if isinstance(message, SignalsRaised | StoreSignals):
                found.update(
                    signal.id for signal in message.signals if identity in (correlation_id, signal.correlation_id)
                )
        return frozenset(found)


def _is_of(message: object, identity: str, signals: frozenset[str]) -> bool:
    match message:
        case SignalsRaised() | StoreSignals():
            return any(signal.id in signals for signal in message.signals)
        case SignalsStored() | SignalsAccepted():
            return not signals.isdisjoint(message.ids)
        case LogLine():
            return message.correlation_id == identity
        case _:
            return False


def _signals(message: SignalsRaised | StoreSignals) -> int:
    return 1 + len(message.signals)


def _ids(message: SignalsStored | SignalsAccepted) -> int:
    return 1 + len(message.ids)


def _body(message: Command) -> int:
    if message.lane is Lane.URGENT and _PING in bytes(message.body):
        return 0
    return 1 + (len(memoryview(message.body)) >> 10)


def _result(message: Applied) -> int:
    match message.result:
        case Pong():
            return 0
        case SignalsFound(signals=signals):
            return 1 + len(signals)
        case TradersRun(matches=matches):
            return 1 + sum(map(len, matches.values()))
        case _:
            return 1


def _telemetry(message: object) -> int:
    del message
    return 0


_WEIGHED: dict[type, Callable[[Any], int]] = {
    SignalsRaised: _signals,
    StoreSignals: _signals,
    SignalsStored: _ids,
    SignalsAccepted: _ids,
    Command: _body,
    Applied: _result,
    FeedStatus: _telemetry,
    TraderStatus: _telemetry,
    FloorStatus: _telemetry,
    MetricsDelta: _telemetry,
    BreakerReport: _telemetry,
    LimiterReport: _telemetry,
}
