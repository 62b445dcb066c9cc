"""The traders of a floor, as somebody outside sees them."""

from tickfloor.contracts.commands import Measure, TraderReport
from tickfloor.supervisor.control.floor_control import ControlRefusedError
from tickfloor.supervisor.control.replies import (
    RankedTrader,
    RefusalKind,
    TraderDetails,
    TraderShown,
    TradersListed,
    TradersRanked,
)
from tickfloor.supervisor.health.blame import BlameLedger
from tickfloor.supervisor.pool.trader_pool import TraderPool
from tickfloor.supervisor.pool.trader_reports import TraderReports
from tickfloor.worker.log import Log


class TraderView:
    """Puts together what shall run where, what is locked up and why, and what the workers say of it."""

    def __init__(self, pool: TraderPool, ledger: BlameLedger, log: Log) -> None:
        self._pool = pool
        self._ledger = ledger
        self._reports = TraderReports(pool, log)

    def all(self) -> TradersListed:
        """Describe every trader."""
        running = [
            TraderDetails(spec=spec, worker=name, quarantine="")
            for name, member in self._pool.members.items()
            for spec in member.wanted.specs()
        ]
        return TradersListed(traders=(*running, *self._locked_up()))

    async def one(self, name: str) -> TraderShown:
        """Describe one trader and what it has done.

        Raises:
            ControlRefusedError: there is none of that name.
        """
        report = await self._reports.of(name)
        trader = self._find(name)
        if trader is None:
            raise ControlRefusedError(f"there is no trader {name}", RefusalKind.NOT_FOUND)
        columns = self._pool.columns.get(name, ())
        return TraderShown(trader=trader, columns=columns, report=report if trader.worker else None)

    async def first(self, by: Measure, most: int) -> TradersRanked:
        """Describe the first traders by a measure and what they have done."""
        reports, silent = await self._reports.first(by, most)
        ranked = []
        for worker, several in reports.items():
            for report in several:
                trader = self._find(report.name)
                # Who was removed, locked up or moved meanwhile is not in the place that has told of it.
                if trader is not None and trader.worker == worker:
                    ranked.append(RankedTrader(trader=trader, report=report))
        ranked.sort(key=lambda each: _measured(each.report, by), reverse=True)
        return TradersRanked(traders=tuple(ranked[:most]), silent=silent)

    def _find(self, name: str) -> TraderDetails | None:
        member = self._pool.find(name)
        spec = None if member is None else member.wanted.get(name)
        if member is not None and spec is not None:
            return TraderDetails(spec=spec, worker=member.slot.spec.name, quarantine="")
        return next((each for each in self._locked_up() if each.spec.name == name), None)

    def _locked_up(self) -> list[TraderDetails]:
        return [
            TraderDetails(spec=self._pool.locked_up[each.name], worker="", quarantine=each.reason)
            for each in self._ledger.quarantined()
            if each.name in self._pool.locked_up
        ]


def _measured(report: TraderReport, by: Measure) -> float:
    match by:
        case Measure.TIME:
            return report.busy_seconds
        case Measure.SIGNALS:
            return report.signals
        case Measure.MATCHES:
            return report.matches
