"""Says in the log what a venue refuses, what could not be read, and what a recorder has to tell; each thing once."""

from collections.abc import Callable, Iterable

from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.connecting.line import Line
from tickfloor.feeds.live.connecting.lines import MARKET
from tickfloor.feeds.venue import StreamKey


class News:
    """Of one venue."""

    def __init__(
        self,
        venue: str,
        log: LogPort,
        *,
        recorded: Callable[[], Iterable[str]],
        unplaced: Callable[[], Iterable[str]],
    ) -> None:
        """Have nothing to say yet.

        Args:
            unplaced: returns the symbols that the board has no row for.
            recorded: returns what happened to a recording since the last call.
        """
        self._venue = venue
        self._log = log
        self._recorded = recorded
        self._unplaced = unplaced
        self._unplaced_said: set[str] = set()
        self._refused: set[tuple[StreamKey, str]] = set()
        self._malformed = 0

    def say(self, lines: Iterable[Line], malformed: int) -> None:
        """Say what is new.

        Args:
            lines: those that there are.
            malformed: frames that could not be read, of lines that are gone, too.
        """
        self.say_recorded()
        self._say_unplaced()
        newest = ""
        for line in lines:
            newest = newest or line.newest_problem
            for key, reason in line.refused().items():
                if (key, reason) not in self._refused:
                    self._refused.add((key, reason))
                    stale = ", its instrument is stale" if key.channel in MARKET else ""
                    then = f"the connection goes on without it{stale}; it is asked for again every few minutes"
                    self._log.warning(
                        "stream refused", venue=self._venue, stream=key.channel.value, symbol=key.symbol,
                        line=line.name, reason=reason, then=then,
                    )  # fmt: skip
        if malformed > self._malformed:
            self._log.warning(
                "malformed frames", venue=self._venue, frames=malformed - self._malformed, newest=newest,
                then="they are left out",
            )  # fmt: skip
            self._malformed = malformed

    def say_recorded(self) -> None:
        """Say what happened to the recording."""
        for event in self._recorded():
            self._log.warning(event, venue=self._venue)

    def _say_unplaced(self) -> None:
        unplaced = [symbol for symbol in self._unplaced() if symbol not in self._unplaced_said]
        if unplaced:
            self._unplaced_said.update(unplaced)
            shown = ", ".join(unplaced[:10]) + (" …" if len(unplaced) > 10 else "")
            self._log.warning(
                "no row on the board", venue=self._venue, count=len(unplaced), symbols=shown,
                then="they are left out; raise board_instruments or choose fewer symbols",
            )  # fmt: skip
