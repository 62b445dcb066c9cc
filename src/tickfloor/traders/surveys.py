"""The surveys that a worker has been asked for, one after the other and a piece at a time."""

from collections import deque
from collections.abc import Callable

from tickfloor.contracts.commands import RankTraders, ReportTrader, TradersReported
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.survey import Survey

Answer = Callable[[int, TradersReported | None, str], None]
"""Takes the number of a command, its result, and else what is wrong."""


class Surveys:
    """Answers commands that look at all traders, between the records.

    Args:
        traders: of the worker.
        answer: takes each result.
    """

    def __init__(self, traders: TraderGroup, answer: Answer) -> None:
        self._traders = traders
        self._answer = answer
        self._asked: deque[tuple[int, ReportTrader | RankTraders]] = deque()
        self._running: Survey | None = None

    def __bool__(self) -> bool:
        return bool(self._asked)

    def ask(self, sequence: int, body: ReportTrader | RankTraders) -> None:
        """Take a command, to be answered when its survey is done."""
        self._asked.append((sequence, body))

    def step(self) -> None:
        """Do a piece of the first survey, of at most a few milliseconds."""
        if self._running is None:
            self._running = self._traders.survey()
        if not self._running.step():
            survey, self._running = self._running, None
            self._say(survey, *self._asked.popleft())

    def _say(self, survey: Survey, sequence: int, body: ReportTrader | RankTraders) -> None:
        if isinstance(body, RankTraders):
            self._answer(sequence, TradersReported(reports=survey.first(body.by, body.most)), "")
            return
        report = survey.report(body.name)
        if report is None:
            self._answer(sequence, None, f"no trader {body.name} runs here; ask for one that does")
        else:
            self._answer(sequence, TradersReported(reports=(report,)), "")
