"""How a live feed stands: its connections, what is being repaired, and how far its instruments can be trusted."""

from enum import StrEnum

import msgspec


class ConnectionState(StrEnum):
    """Where a connection is in its life."""

    WAITING = "waiting"
    """for its turn to connect"""
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    OPEN = "open"
    CLOSED = "closed"


class ConnectionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of a venue.

    Attributes:
        route: which kind of streams it carries; empty where a venue has one kind.
        age: seconds since it was opened; None while it is not.
        streams: that it carries; silent: those of them that are accepted and say nothing.
        refused: streams that the venue does not give, and why.
        frames, bytes, malformed: received, and refused of those.
        quiet: seconds since its last frame; None before the first.
        attempts: to connect, in a row, without success.
        reason: of the last close.
    """

    name: str
    route: str
    url: str
    state: ConnectionState
    age: float | None
    streams: int
    silent: int
    refused: dict[str, str]
    frames: int
    bytes: int
    malformed: int
    quiet: float | None
    attempts: int
    reason: str


class RepairReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is fetched by REST, and what that costs.

    Attributes:
        waiting, in_flight: requests; answered, failed: since the start.
        used_weight, weight_limit: of the current minute.
        held_seconds: how long the venue wants to hear nothing; held_reason: why.
    """

    waiting: int
    in_flight: int
    answered: int
    failed: int
    used_weight: int
    weight_limit: int
    held_seconds: float
    held_reason: str


class NotLive(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument whose data cannot be trusted now.

    Attributes:
        mark: ``stale``, ``repairing``, ``gap`` or ``unknown``.
        reasons: in words, one or more.
        seconds: for which it has had the first of them; None: not known.
    """

    symbol: str
    mark: str
    reasons: tuple[str, ...]
    seconds: float | None


class VenueReport(msgspec.Struct, frozen=True, kw_only=True):
    """One venue of a live feed.

    Attributes:
        instruments: how many, by quality (``live``, ``stale``, ``repairing``, ``gap``, ``unknown``).
        not_live: the worst of those that are not live, at most twenty.
        waits_for: what has to come before anything is subscribed to, and why it has not; empty: nothing has.
        missing_trades: known to exist and not received yet.
        repaired_trades: that had been missing, and were fetched or came with a snapshot; since the feed's start.
        skipped_trades: ids that the venue says do not exist.
        clock_ahead_ms: how far the venue's clock is ahead of ours; None before the first record.
    """

    venue: str
    instruments: dict[str, int]
    not_live: tuple[NotLive, ...]
    waits_for: str
    connections: tuple[ConnectionReport, ...]
    repairs: RepairReport
    missing_trades: int
    repaired_trades: int
    skipped_trades: int
    clock_ahead_ms: float | None
    left_out: dict[str, int]
