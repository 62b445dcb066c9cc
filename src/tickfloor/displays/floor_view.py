"""The whole floor on one screen: instruments, workers, signals, latency."""

import math
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field
from tickfloor.contracts.events import FloorStatus
from tickfloor.contracts.records import Quality, Side
from tickfloor.contracts.signals import Signal

_UNKNOWN = "–"


class FloorView:
    """Draws a status and the board's busiest instruments."""

    def __init__(self, board: BoardReader) -> None:
        self._board = board
        self._frames = (0, 0.0)
        self._rate = 0.0

    def render(self, status: FloorStatus) -> RenderableType:
        """Return the screen."""
        layout = Layout()
        layout.split_column(
            Layout(self._header(status), size=3), Layout(name="middle"), Layout(name="signals", size=12)
        )
        layout["middle"].split_row(Layout(name="instruments", ratio=3), Layout(name="workers", ratio=2))
        layout["instruments"].update(Panel(self._instruments(), title="instruments, busiest first", border_style="dim"))
        layout["workers"].update(Panel(_workers(status), title="workers", border_style="dim"))
        layout["signals"].update(Panel(_signals(status.recent), title="signals", border_style="dim"))
        return layout

    def _header(self, status: FloorStatus) -> Panel:
        records = status.feed.records if status.feed is not None else 0
        before, at = self._frames
        if status.uptime - at >= 1.0:
            self._rate = (records - before) / (status.uptime - at)
            self._frames = (records, status.uptime)
        line = Text.assemble(
            ("tickfloor ", "bold"),
            f"{status.uptime:6.1f} s   ",
            (f"{self._rate:,.0f} ticks/s", "bold cyan"),
            f"   {records:,} records   ",
            (f"{status.signals:,} signals", "bold yellow"),
            f" ({status.stored:,} stored)   ",
            f"latency p50 {_us(status.latency_p50_us)} p99 {_us(status.latency_p99_us)}   ",
            (f"lost {status.lost:,}", "red" if status.lost else "green"),
            ("" if status.effects_allowed else "   EFFECTS STOPPED", "bold red"),
        )
        return Panel(line, subtitle="Ctrl-C ends it", border_style="dim")

    def _instruments(self) -> Table:
        table = Table(box=None, expand=True, header_style="dim", padding=(0, 1))
        for name in ("instrument", "last", "24 h", "bid", "ask", "trades", "quality"):
            table.add_column(name, justify="left" if name in ("instrument", "quality") else "right", no_wrap=True)
        rows = [(self._board.row(number), number) for number in range(self._board.count())]
        known = sorted(((row, number) for row, number in rows if row), key=lambda pair: -pair[0][Field.TRADES])
        for row, number in known[:40]:
            decimals = 0 if math.isnan(row[Field.PRICE_DECIMALS]) else int(row[Field.PRICE_DECIMALS])
            change = row[Field.CHANGE_24H]
            quality = Quality(int(row[Field.QUALITY]))
            table.add_row(
                self._board.instrument(number).symbol,
                Text(_number(row[Field.LAST], decimals), "green" if row[Field.LAST_SIDE] == Side.BUY else "red"),
                Text(_UNKNOWN if math.isnan(change) else f"{change:+.2f}%", "green" if change > 0 else "red"),
                _number(row[Field.BID], decimals),
                _number(row[Field.ASK], decimals),
                f"{row[Field.TRADES]:,.0f}",
                Text(quality.name.lower(), "green" if quality is Quality.LIVE else "yellow"),
            )
        return table


def _workers(status: FloorStatus) -> RenderableType:
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 1))
    for name in ("worker", "state", "pid", "MiB", "starts"):
        table.add_column(name, justify="left" if name in ("worker", "state") else "right", no_wrap=True)
    for worker in status.workers:
        state = Text(worker.state, "green" if worker.state == "ready" else "yellow")
        table.add_row(worker.slot, state, str(worker.pid), f"{worker.memory / (1 << 20):.1f}", str(worker.incarnation))
    total = sum(worker.memory for worker in status.workers) / (1 << 20)
    return Group(table, Text(f"\n{total:.1f} MiB in all (shared pages counted once)", "dim"))


def _signals(recent: tuple[Signal, ...]) -> Table:
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1))
    for signal in reversed(recent[-10:]):
        values = "  ".join(f"{name} {_value(value)}" for name, value in signal.values.items())
        table.add_row(
            Text(f"{datetime.fromtimestamp(signal.ts_event / 1e9, UTC):%H:%M:%S}", "dim"),
            Text(signal.trader, "yellow"),
            signal.instrument.partition(":")[2],
            Text(values, "dim", no_wrap=True),
        )
    return table


def _number(value: float, decimals: int) -> str:
    return _UNKNOWN if math.isnan(value) else f"{value:,.{decimals}f}"


def _value(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.6g}"


def _us(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:,.0f} µs" if value < 10_000 else f"{value / 1000:,.0f} ms"
