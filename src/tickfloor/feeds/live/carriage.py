"""Which instruments are carried now, and which of those that once were are not: those are stale."""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.choosing.listing import Choice
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.venue import StreamKey

NOT_CARRIED: Final = "not carried"
SOON_SECONDS: Final = 120.0
"""After which the venue is asked again what it trades when something is missing there; then ever later."""
MOST_SAID: Final = 10


class Streams(Protocol):
    """What is needed of :class:`~tickfloor.feeds.live.connecting.lines.Lines`."""

    @property
    def keys(self) -> list[StreamKey]:
        """Every stream that is wanted."""

    def add(self, keys: Iterable[StreamKey], /) -> None:
        """Subscribe to streams."""

    def remove(self, keys: Iterable[StreamKey], /) -> None:
        """Unsubscribe from streams."""

    def unserved(self) -> set[str]:
        """Return the symbols that have a stream which is neither carried nor given up."""

    def mark_refused(self, now: int, /) -> None:
        """Mark instruments of which the venue does not give a stream that makes their market."""


class Carriage:
    """Brings a venue's streams up to what is chosen.

    An instrument is stale from the moment that it is chosen, or that a predecessor had it, until all its streams are
    carried, and again when it is not chosen any more: delisted, halted, or not traded for a moment.

    Attributes:
        symbols: what is chosen, the most traded first.
    """

    def __init__(
        self,
        streams: Streams,
        staleness: Staleness,
        known: Iterable[str],
        *,
        forget: Callable[[list[StreamKey]], object],
        now: Callable[[], int],
        venue: str,
        log: LogPort,
        refresh_seconds: float,
    ) -> None:
        """Begin with nothing chosen.

        Args:
            known: symbols that a predecessor had; stale at once.
            forget: told of streams that are not wanted any more.
            now: ns UTC.
            refresh_seconds: from one look at what is traded to the next, when nothing is missing.
        """
        self.symbols: tuple[str, ...] = ()
        self._streams = streams
        self._staleness = staleness
        self._forget = forget
        self._now = now
        self._venue = venue
        self._log = log
        self._refresh_seconds = refresh_seconds
        self._soon_seconds = SOON_SECONDS
        self._awaited: set[str] = set()
        self._lost = set(known)
        staleness.add(self._lost, NOT_CARRIED, now())

    def want(self, choice: Choice) -> None:
        """Carry what is chosen, and nothing else."""
        before, chosen = set(self.symbols), set(choice.symbols)
        gone, fresh = before - chosen, chosen - before
        self.symbols = choice.symbols
        self._awaited = (self._awaited | fresh) - gone
        self._lost = (self._lost | gone) - chosen
        # Before its streams go, and their reasons with them: there is no moment in which it is live.
        self._staleness.add(gone | fresh, NOT_CARRIED, self._now())
        if gone:
            self._soon_seconds = SOON_SECONDS
            self._say(sorted(gone))
        wanted = set(choice.keys)
        if ended := [key for key in self._streams.keys if key not in wanted]:
            self._streams.remove(ended)
            self._forget(ended)
        self._streams.add(choice.keys)

    def look(self, now: int) -> None:
        """Take the mark from what is carried by now, ns UTC."""
        if self._awaited and (carried := self._awaited - self._streams.unserved()):
            self._awaited -= carried
            # One that the venue refuses has that reason from now on, and no moment without.
            self._streams.mark_refused(now)
            self._staleness.remove(carried, NOT_CARRIED, now)

    def seconds_until_refresh(self) -> float:
        """Return the seconds until the venue is to be asked again what it trades."""
        if not self._lost:
            return self._refresh_seconds
        seconds = min(self._refresh_seconds, self._soon_seconds)
        self._soon_seconds = min(self._refresh_seconds, 2 * self._soon_seconds)
        return seconds

    def _say(self, gone: list[str]) -> None:
        shown = ", ".join(gone[:MOST_SAID]) + (" …" if len(gone) > MOST_SAID else "")
        self._log.warning(
            "no longer traded", venue=self._venue, count=len(gone), symbols=shown,
            then="stale until the venue lists them again; it is asked in minutes, and ever later",
        )  # fmt: skip
