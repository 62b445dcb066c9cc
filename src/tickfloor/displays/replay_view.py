"""How far a replay is."""

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tickfloor.contracts.events import FloorStatus


class ReplayView:
    """One line with a bar."""

    def render(self, status: FloorStatus) -> RenderableType:
        """Return the line."""
        feed = status.feed
        done = 0.0 if feed is None else feed.progress
        frames = 0 if feed is None else feed.frames
        line = Table.grid(padding=(0, 2))
        line.add_row(
            Text("replay", "bold"),
            ProgressBar(total=1.0, completed=done, width=40),
            f"{done:4.0%}",
            f"{frames:,} frames ({frames / status.uptime:,.0f}/s)",
            Text(f"{status.signals:,} signals", "yellow"),
            Text(f"lost {status.lost:,}", "red" if status.lost else "green"),
        )
        return line
