"""What is done about silent streams: the venue is asked, the dead ones are marked and carried another way."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.connecting.line import Line
from tickfloor.feeds.live.connecting.lines import Lines
from tickfloor.feeds.live.repairing.repair_queue import Priority
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.live.watching.watchdog import Finding, Market, Patience, Verdict, Watchdog
from tickfloor.feeds.venue import Adapter, Dialect, Request, StreamKey

MOST_DEAD_SHARE: Final = 0.5
"""Where more of a connection's streams die at once, it is the connection that died."""


class Questions(Protocol):
    """What is needed of the repair queue."""

    def ask(self, request: Request, *, key: tuple[str, str], priority: int, then: Callable[[Answer], None]) -> object:
        """Ask for something."""


class Backlogs(Protocol):
    """What is needed of :class:`~tickfloor.feeds.joining.trade_joins.TradeJoins`."""

    def behind(self, symbol: str, /) -> int:
        """Return how many ids an instrument's stream has not come to yet."""


class Rerouting:
    """Does what a watchdog finds to be necessary.

    Attributes:
        rerouted: streams that were moved so far, those of whole connections included.
    """

    def __init__(
        self,
        lines: Lines,
        staleness: Staleness,
        *,
        adapter: Adapter,
        dialect: Dialect,
        joins: Backlogs,
        market: Market,
        questions: Questions,
        now: Callable[[], int],
        log: LogPort,
        patience: Patience,
    ) -> None:
        self.rerouted = 0
        self._lines = lines
        self._staleness = staleness
        self._adapter = adapter
        self._dialect = dialect
        self._joins = joins
        self._questions = questions
        self._now = now
        self._log = log
        self._patience = patience
        self._watchdog = Watchdog(patience, market)

    def look(self, now: int) -> None:
        """Look at every accepted stream; to be called every ``patience.look`` seconds."""
        dead: dict[str, list[Finding]] = {}
        for finding in self._watchdog.look(now, self._lines.accepted(), self._adapter.heard):
            key = finding.key
            if finding.verdict is Verdict.ASK:
                self._ask(key)
            elif finding.verdict is Verdict.SPEAKS:
                venue = self._dialect.venue
                # At the level of what said that it was dead: who read that waits for this.
                self._log.warning("stream speaks again", venue=venue, stream=key.channel.value, symbol=key.symbol)
                self._staleness.remove([key.symbol], key, now)
            elif (line := self._lines.of(key)) is not None:
                dead.setdefault(line.name, []).append(finding)
        for name, findings in dead.items():
            self._cure(name, findings, now)

    def forget(self, keys: Sequence[StreamKey]) -> None:
        """Watch these no longer."""
        self._watchdog.forget(keys)
        now = self._now()
        for key in keys:
            self._staleness.remove([key.symbol], key, now)

    def dead(self) -> list[StreamKey]:
        """Return the streams that were found dead and have not spoken since."""
        return self._watchdog.dead()

    def _cure(self, name: str, findings: list[Finding], now: int) -> None:
        self.rerouted += len(findings)
        line = self._lines.of(findings[0].key)
        silent = line is not None and len(line.keys) > 1 and self._is_silent(line, len(findings), now)
        then = "its connection is replaced" if silent else "another connection is tried"
        venue = self._dialect.venue
        for key, _, reason in findings:
            self._staleness.add([key.symbol], key, now)
            self._log.warning(
                "stream is dead", venue=venue, stream=key.channel.value, symbol=key.symbol, line=name, reason=reason,
                then=then,
            )  # fmt: skip
        if line is not None and silent:
            streams = len(line.keys)
            self._log.warning("connection is silent", venue=venue, line=name, streams=streams, then="it is replaced")
            line.reconnect()
            return
        for finding in findings:
            self._lines.move(finding.key)

    def _is_silent(self, line: Line, dead: int, now: int) -> bool:
        """Say whether it is the connection that died, and not one or the other of its streams."""
        recently = now - round(self._patience.shortest * 1e9)
        heard = self._adapter.heard
        return dead > MOST_DEAD_SHARE * len(line.keys) or all(heard.get(key, 0) < recently for key in line.keys)

    def _ask(self, key: StreamKey) -> None:
        request = self._dialect.newest_trades(key.symbol)
        if request is None:
            self._watchdog.cannot_ask(key)
            return

        def then(answer: Answer) -> None:
            if not answer.ok:
                return
            before = self._joins.behind(key.symbol)
            try:
                self._adapter.on_http(answer.recv_ns, answer.path, answer.body)
            except FrameError as error:
                self._log.warning(
                    "newest trade could not be read", venue=self._dialect.venue, symbol=key.symbol,
                    reason=error.reason, then="asked for again in a minute, if the stream stays silent",
                )  # fmt: skip
            else:
                self._watchdog.answered(key, before, self._joins.behind(key.symbol), self._now())

        self._questions.ask(request, key=("newest", key.symbol), priority=Priority.METADATA, then=then)
