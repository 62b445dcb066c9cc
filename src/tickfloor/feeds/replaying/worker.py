"""A feed worker that replays recorded frames."""

import time
from collections.abc import Generator

from tickfloor.contracts.commands import Begin, CommandBody, Progress, Result, StopFeed
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.events import InstrumentAssigned
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.settings import CaptureSource, FeedSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.last_word import last_word
from tickfloor.feeds.publishing.output import STATUS_SECONDS, FeedOutput, StoppedError
from tickfloor.feeds.replaying.merge import MergedFrame
from tickfloor.feeds.replaying.pacing import Pacer
from tickfloor.feeds.replaying.source import CaptureFiles
from tickfloor.feeds.venue import Adapter, NoRepairs, Reader
from tickfloor.feeds.venues.table import adapter_of
from tickfloor.worker.runtime import Runtime

_FRAMES_AT_ONCE = 64
"""Frames between publications when many are due: a socket read's worth."""
_STEP_SECONDS = 0.01


class ReplayWorker:
    """Sends recorded frames through the venues' adapters, in order and at their pace.

    A successor reads them again from the beginning: the same frames give the same records, and the tape
    drops those that its predecessor has published.
    """

    def __init__(self, runtime: Runtime, settings: FeedSettings, source: CaptureSource) -> None:
        self._runtime = runtime
        self._output = FeedOutput(runtime, settings, stopping=lambda: self._stop, repeats=True)
        self._source, self._pacer = CaptureFiles(source.paths), Pacer(source.speed)
        self._adapters: dict[str, Adapter] = {}
        for venue in self._source.venues:
            if venue and venue not in self._adapters:
                self._adapters[venue] = self._adapter(venue)
        self._by_index = [self._adapters.get(venue) for venue in self._source.venues]
        self._readers: dict[tuple[int, str], Reader] = {}
        self._frames: Generator[MergedFrame] | None = None
        self._next: MergedFrame | None = None
        self._due_seconds = 0.0
        self._frame_count = 0
        self._malformed = 0
        self._stop = False
        self._finished = False

    def _adapter(self, venue: str) -> Adapter:
        output, nobody = self._output, NoRepairs()
        joins = TradeJoins(nobody, hold_ns=0, audit=output.audit)
        return adapter_of(venue, output.publisher(venue), joins=joins, repairs=nobody, audit=output.audit)

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Begin, or stop at the frame that is under way."""
        del sequence
        if isinstance(body, Begin):
            self._frames = self._source.frames()
            self._next = next(self._frames, None)
        elif isinstance(body, StopFeed):
            self._stop = True
        else:
            raise TickfloorError(f"a feed worker does not know {type(body).__name__}")
        return None

    def receive(self, message: ToWorker) -> None:
        """Take the answer to an instrument's question."""
        if isinstance(message, InstrumentAssigned):
            self._output.assigned(message.instrument)

    def step(self) -> bool:
        """Take in the frames that are due, and publish."""
        try:
            return self._advance()
        except StoppedError:
            if not self._runtime.stopping:
                self._finish(complete=False)
            return False

    def _advance(self) -> bool:
        if self._stop:
            self._finish(complete=False)
        if self._frames is None or self._finished:
            return False
        until = time.monotonic() + _STEP_SECONDS
        while self._take_due(_FRAMES_AT_ONCE):
            self._output.publish()
            if time.monotonic() >= until:
                self._say_status_if_due()
                return True
        self._output.publish()
        if self._next is None:
            self._finish(complete=True)
        self._say_status_if_due()
        return False

    def wait(self, seconds: float) -> None:
        """Sleep until a frame is due or a message comes."""
        if self._frames is not None and not self._finished:
            seconds = min(seconds, STATUS_SECONDS, max(self._due_seconds, 0.0))
        self._runtime.wait_for_message(seconds)

    def progress(self) -> Progress:
        """Return frames taken in, and whether one is due that nobody holds up."""
        due = self._next is not None and not self._finished and not self._output.held_up and self._due_seconds <= 0
        return Progress(self._frame_count, int(due))

    def traders_held(self) -> TradersHeld | None:
        """No trader runs here."""
        return None

    def details(self) -> dict[str, float]:
        """Return the figures of this worker."""
        return {"frames": self._frame_count, "malformed": self._malformed, **self._output.details()}

    def close(self) -> None:
        """Let go of the files and of the shared memory."""
        if self._frames is not None:
            self._frames.close()
        self._output.close()

    def _take_due(self, limit: int) -> bool:  # hot path
        """Take in at most ``limit`` frames that are due; say whether the next one is due, too."""
        output = self._output
        publishers = output.publishers
        catching_up = output.catching_up
        for _ in range(limit):
            frame = self._next
            if frame is None:
                return False
            recv_ns, index, kind, ref, payload, line = frame
            clock_ns = min((publisher.tick_due_ns for publisher in publishers.values()), default=recv_ns)
            if not catching_up:
                self._due_seconds = self._pacer.seconds_until(min(recv_ns, clock_ns))
                if self._due_seconds > 0:
                    return False
            if clock_ns <= recv_ns:
                # Bars that end before this frame: at the time that the frames so far set, whatever our own pace.
                for publisher in publishers.values():
                    publisher.tick(clock_ns)
                continue
            self._take(index, kind, recv_ns, ref, payload, line)
            assert self._frames is not None
            self._next = next(self._frames, None)
        return True

    def _take(self, index: int, kind: str, recv_ns: int, ref: str, payload: bytes, line: int) -> None:
        try:
            if kind == "F":
                self._frame_count += 1
                try:
                    reader = self._readers[index, ref]
                except KeyError:
                    reader = self._connected(index, ref)
                reader(recv_ns, payload)
            elif kind == "H":
                adapter = self._by_index[index]
                assert adapter is not None
                adapter.on_http(recv_ns, ref, payload)
            elif kind == "C":
                self._connected(index, ref)
        except FrameError as error:
            self._malformed += 1
            self._source.note(index, line, str(error))

    def _connected(self, index: int, ref: str) -> Reader:
        adapter = self._by_index[index]
        assert adapter is not None
        reader = self._readers[index, ref] = adapter.reader(ref)
        return reader

    def _finish(self, *, complete: bool) -> None:
        if self._finished:
            return
        self._finished = True
        self._output.last_words()
        self._say_status()
        count, problems = self._source.problems()
        self._runtime.channel.send(
            last_word(
                self._output,
                self._adapters,
                frames=self._frame_count,
                malformed=self._malformed,
                complete=complete,
                problems=problems,
                problem_count=count,
            )
        )

    def _say_status_if_due(self) -> None:
        self._output.say_status_if_due(self._frame_count, self._malformed, self._source.progress())

    def _say_status(self) -> None:
        self._output.say_status(self._frame_count, self._malformed, self._source.progress())
