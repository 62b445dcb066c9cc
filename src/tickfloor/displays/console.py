"""The console worker: what a person sees of a floor in a terminal, or as plain lines without one."""

import sys
import time

from rich.console import Console
from rich.live import Live

from tickfloor.board.board_reader import BoardReader
from tickfloor.contracts.commands import CommandBody, Progress, Result
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.events import FloorStatus
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.settings import ConsoleSettings, WorkerSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.displays.floor_view import FloorView
from tickfloor.displays.plain_lines import PlainLines
from tickfloor.displays.replay_view import ReplayView
from tickfloor.worker.runtime import Runtime

_FRAME_SECONDS = 0.1


class ConsoleWorker:
    """Draws the newest status; what it cannot draw in time it leaves out, and nobody waits for it."""

    def __init__(self, runtime: Runtime, settings: ConsoleSettings) -> None:
        self._runtime = runtime
        self._board = BoardReader(runtime.descriptors["board"], run_id=runtime.run_id)
        stream = sys.stdout if settings.stream == "stdout" else sys.stderr
        self._status: FloorStatus | None = None
        self._drawn = 0.0
        self._pictures = 0
        self._live: Live | None = None
        self._plain: PlainLines | None = None
        if settings.live:
            console = Console(file=stream)
            self._view = FloorView(self._board) if settings.view == "floor" else ReplayView()
            # No refresh thread: this loop draws, and cleanup finds nothing to stop.
            self._live = Live(
                console=console, auto_refresh=False, screen=settings.view == "floor", transient=settings.view != "floor"
            )
            self._live.start()
        else:
            self._plain = PlainLines(stream, settings.view)

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Refuse: nothing but cleanup is for a console."""
        del sequence
        raise TickfloorError(f"a console worker does not know {type(body).__name__}")

    def receive(self, message: ToWorker) -> None:
        """Take the floor's newest status."""
        if isinstance(message, FloorStatus):
            self._status = message
            if self._plain is not None:
                try:
                    self._plain.show(message)
                except BrokenPipeError:
                    # Whoever read it has gone away, and the floor goes on without being watched.
                    self._plain = None
                    self._runtime.log.info("nobody reads the console")

    def step(self) -> bool:
        """Draw, ten times a second at most."""
        if self._live is not None and self._status is not None and time.monotonic() - self._drawn >= _FRAME_SECONDS:
            self._drawn = time.monotonic()
            self._pictures += 1
            self._live.update(self._view.render(self._status), refresh=True)
        return False

    def wait(self, seconds: float) -> None:
        """Sleep until a message or the next frame."""
        self._runtime.wait_for_message(min(seconds, _FRAME_SECONDS) if self._live is not None else seconds)

    def progress(self) -> Progress:
        """Return pictures drawn; what is not drawn is left out."""
        return Progress(self._pictures, 0)

    def traders_held(self) -> TradersHeld | None:
        """No trader runs here."""
        return None

    def details(self) -> dict[str, float]:
        """Return the figures of this worker."""
        return {"pictures": self._pictures}

    def close(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()
        self._board.close()


def make(runtime: Runtime, settings: WorkerSettings) -> ConsoleWorker:
    """Make the worker of a console slot."""
    assert isinstance(settings, ConsoleSettings)
    return ConsoleWorker(runtime, settings)
