"""Which instruments are marked as stale, and for which reasons; the last one that goes takes the mark with it."""

from collections.abc import Callable, Hashable, Iterable

from tickfloor.contracts.records import Quality
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter


class Staleness:
    """Keeps the reasons of every instrument: a lost connection, a dead stream."""

    def __init__(self, known: Callable[[str], InstrumentWriter | None]) -> None:
        """Begin with none; ``known`` returns the writer of a symbol that has one."""
        self._known = known
        self._reasons: dict[str, set[Hashable]] = {}
        self._since_ns: dict[str, int] = {}
        self._marked: set[str] = set()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The instruments that are stale now."""
        return tuple(sorted(self._reasons))

    def reasons(self, symbol: str) -> tuple[Hashable, ...]:
        """Return why an instrument is stale; nothing: it is not."""
        return tuple(self._reasons.get(symbol, ()))

    def since_ns(self, symbol: str) -> int:
        """Return since when an instrument is stale, ns UTC; 0: it is not."""
        return self._since_ns.get(symbol, 0)

    def add(self, symbols: Iterable[str], reason: Hashable, now: int) -> None:
        """Give instruments a reason to be stale."""
        for symbol in symbols:
            self._reasons.setdefault(symbol, set()).add(reason)
            self._since_ns.setdefault(symbol, now)
            self._mark(symbol, now)

    def remove(self, symbols: Iterable[str], reason: Hashable, now: int) -> None:
        """Take a reason away."""
        for symbol in symbols:
            reasons = self._reasons.get(symbol)
            if reasons is None:
                continue
            reasons.discard(reason)
            if not reasons:
                del self._reasons[symbol], self._since_ns[symbol]
                self._unmark(symbol, now)

    def catch_up(self, now: int) -> None:
        """Mark what has become known meanwhile."""
        for symbol in self._reasons:
            self._mark(symbol, now)

    def _mark(self, symbol: str, now: int) -> None:
        if symbol not in self._marked and (writer := self._known(symbol)) is not None:
            self._marked.add(symbol)
            writer.doubt(Quality.STALE, True, now)

    def _unmark(self, symbol: str, now: int) -> None:
        if symbol in self._marked and (writer := self._known(symbol)) is not None:
            self._marked.discard(symbol)
            writer.doubt(Quality.STALE, False, now)
