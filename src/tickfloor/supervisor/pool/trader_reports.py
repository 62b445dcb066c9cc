"""What the traders of a pool have done, as their workers say it."""

import asyncio

from tickfloor.contracts.commands import Measure, RankTraders, ReportTrader, TraderReport, TradersReported
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.states import WorkerState
from tickfloor.supervisor.pool.trader_pool import Member, TraderPool
from tickfloor.worker.log import Log

_PATIENCE = 10.0
"""Seconds. A worker looks at ten thousand traders in less than one, but only between records."""


class TraderReports:
    """Asks the workers of a pool, each at most so long: what does not answer has other commands to be looked at."""

    def __init__(self, pool: TraderPool, log: Log) -> None:
        self._pool = pool
        self._log = log

    async def of(self, name: str) -> TraderReport | None:
        """Return what a trader has done; None if it does not run, or its worker does not answer."""
        member = self._pool.find(name)
        reports = None if member is None else await self._ask(member, ReportTrader(name=name))
        return reports[0] if reports else None

    async def first(self, by: Measure, most: int) -> tuple[dict[str, tuple[TraderReport, ...]], tuple[str, ...]]:
        """Return, by worker, reports with the first traders of the pool among them; and who has not answered."""
        members = dict(self._pool.members)
        asked = (self._ask(member, RankTraders(by=by, most=most)) for member in members.values())
        found = dict(zip(members, await asyncio.gather(*asked), strict=True))
        answered = {name: reports for name, reports in found.items() if reports is not None}
        return answered, tuple(name for name, reports in found.items() if reports is None)

    async def _ask(self, member: Member, body: ReportTrader | RankTraders) -> tuple[TraderReport, ...] | None:
        process = member.slot.process
        if process is None or process.state is not WorkerState.READY:
            return None
        try:
            reported = await process.command(body, seconds=_PATIENCE)
        except WorkerError as error:
            self._log.debug("no report", worker=process.slot, reason=str(error))
            return None
        assert isinstance(reported, TradersReported)
        return reported.reports
