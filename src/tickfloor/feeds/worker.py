"""The feed worker: the single writer of its tape and board."""

import time
from collections.abc import Generator

import msgspec

from tickfloor.board.board_writer import BoardWriter
from tickfloor.board.catch_up import CatchUpBoard
from tickfloor.board.tape_writer import TapeWriter
from tickfloor.contracts.commands import Begin, CommandBody, Progress, Result, StopFeed
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.events import AssignInstrument, FeedFinished, FeedProblem, FeedStatus, InstrumentAssigned
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.settings import CaptureSource, FeedSettings, WorkerSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.feeds.audit import Audit
from tickfloor.feeds.binance.adapter import BinanceAdapter
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.merge import MergedFrame
from tickfloor.feeds.pacing import Pacer
from tickfloor.feeds.ports import TapePort
from tickfloor.feeds.publisher import MarketPublisher
from tickfloor.feeds.record_sender import RecordSender
from tickfloor.feeds.source import CaptureFiles, FrameSource, SimulatedFrames
from tickfloor.worker.runtime import Runtime

_FRAMES_AT_ONCE = 64
"""Frames between publications when many are due: a socket read's worth."""
_STEP_SECONDS = 0.01
_STATUS_SECONDS = 0.25
_ASSIGN_SECONDS = 10.0


class StoppedError(TickfloorError):
    """The floor is stopping; the frame under way is not finished."""


class FeedWorker:
    """Sends a source's frames through the venues' adapters, in order and at their pace.

    A successor reads the source again from its beginning: the same frames give the same records, and the tape
    drops those that its predecessor has published.
    """

    def __init__(self, runtime: Runtime, settings: FeedSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        descriptors = runtime.descriptors
        doorbells = {
            int(name.removeprefix("doorbell-")): fd for name, fd in descriptors.items() if name.startswith("doorbell-")
        }
        self._tape = TapeWriter(
            descriptors["tape"],
            descriptors["readers"],
            run_id=runtime.run_id,
            incarnation=runtime.incarnation,
            doorbells=doorbells,
            wait_for_readers=settings.wait_for_readers,
            while_waiting=self._while_tape_is_full,
        )
        connections = [fd for name, fd in descriptors.items() if name.startswith("messages-")]
        self._sender = (
            RecordSender(self._tape, connections, patient=settings.wait_for_readers, while_waiting=self._while_waiting)
            if connections
            else None
        )
        self._records: TapePort = self._sender or self._tape
        repeats = self._tape.resumed_at > 0
        self._board: BoardWriter | CatchUpBoard = (CatchUpBoard if repeats else BoardWriter)(
            descriptors["board"], run_id=runtime.run_id, incarnation=runtime.incarnation
        )
        self._source, self._pacer = _source_of(settings)
        self._audit = Audit() if settings.audit else None
        self._instruments: list[Instrument] = []
        self._assigned: list[Instrument] = []
        self._publishers: dict[str, MarketPublisher] = {}
        self._adapters: dict[str, BinanceAdapter] = {}
        for venue in self._source.venues:
            if venue and venue not in self._publishers:
                publisher = MarketPublisher(
                    self._records,
                    self._board,
                    self._assign,
                    venue,
                    bar_slots=self._board.layout.ring,
                    observer=self._audit,
                )
                self._publishers[venue] = publisher
                self._adapters[venue] = BinanceAdapter(venue, publisher, audit=self._audit)
        self._by_index = [self._adapters.get(venue) for venue in self._source.venues]
        self._frames: Generator[MergedFrame] | None = None
        self._next: MergedFrame | None = None
        self._due_seconds = 0.0
        self._frame_count = 0
        self._malformed = 0
        self._said_at = 0.0
        self._held_up = False
        self._stop = False
        self._finished = False

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
            self._assigned.append(message.instrument)

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
            self._publish()
            if time.monotonic() >= until:
                self._say_status_if_due()
                return True
        self._publish()
        if self._next is None:
            self._finish(complete=True)
        self._say_status_if_due()
        return False

    def wait(self, seconds: float) -> None:
        """Sleep until a frame is due or a message comes."""
        if self._frames is not None and not self._finished:
            seconds = min(seconds, _STATUS_SECONDS, max(self._due_seconds, 0.0))
        self._runtime.wait_for_message(seconds)

    def progress(self) -> Progress:
        """Return frames taken in, and whether one is due that nobody holds up."""
        due = self._next is not None and not self._finished and not self._held_up and self._due_seconds <= 0
        return Progress(self._frame_count, int(due))

    def traders_held(self) -> TradersHeld | None:
        """No trader runs here."""
        return None

    def details(self) -> dict[str, float]:
        """Return the figures of this worker."""
        return {
            "frames": self._frame_count,
            "records": self._tape.sequence,
            "malformed": self._malformed,
            "instruments": len(self._instruments),
            "rings": self._tape.rings,
            "waits": self._tape.waits,
            **(self._sender.figures() if self._sender is not None else {}),
        }

    def close(self) -> None:
        """Let go of the source and of the shared memory."""
        if self._frames is not None:
            self._frames.close()
        self._tape.close()
        self._board.close()

    def _take_due(self, limit: int) -> bool:  # hot path
        """Take in at most ``limit`` frames that are due; say whether the next one is due, too."""
        catching_up = self._catching_up()
        for _ in range(limit):
            frame = self._next
            if frame is None:
                return False
            recv_ns, index, kind, ref, payload, line = frame
            clock_ns = min((publisher.tick_due_ns for publisher in self._publishers.values()), default=recv_ns)
            if not catching_up:
                self._due_seconds = self._pacer.seconds_until(min(recv_ns, clock_ns))
                if self._due_seconds > 0:
                    return False
            if clock_ns <= recv_ns:
                # Bars that end before this frame: at the time that the frames so far set, whatever our own pace.
                for publisher in self._publishers.values():
                    publisher.tick(clock_ns)
                continue
            self._take(index, kind, recv_ns, ref, payload, line)
            assert self._frames is not None
            self._next = next(self._frames, None)
        return True

    def _take(self, index: int, kind: str, recv_ns: int, ref: str, payload: bytes, line: int) -> None:
        adapter = self._by_index[index]
        assert adapter is not None
        try:
            if kind == "F":
                self._frame_count += 1
                adapter.on_frame(recv_ns, payload)
            elif kind == "H":
                adapter.on_http(recv_ns, ref, payload)
            elif kind == "C":
                adapter.on_connect(recv_ns, ref, payload.decode(errors="replace"))
        except FrameError as error:
            self._malformed += 1
            self._source.note(index, line, str(error))

    def _publish(self) -> None:
        for publisher in self._publishers.values():
            publisher.write()
        if isinstance(self._board, CatchUpBoard) and self._board.catching_up and not self._catching_up():
            self._board.show()
        self._records.publish()

    def _catching_up(self) -> bool:
        """Whether the records being made are those that a predecessor has published."""
        return self._tape.sequence < self._tape.resumed_at

    def _finish(self, *, complete: bool) -> None:
        if self._finished:
            return
        self._finished = True
        if self._sender is not None:
            # What is read from the tape instead is the last there is; a wait could be cut short before the last word.
            self._sender.patient = False
        self._publish()
        self._say_status()
        count, problems = self._problems()
        self._runtime.channel.send(
            FeedFinished(
                head=max(self._tape.sequence, self._tape.resumed_at),
                frames=self._frame_count,
                malformed=self._malformed,
                complete=complete,
                problems=problems,
                problem_count=count,
                left_out={
                    why: times for adapter in self._adapters.values() for why, times in adapter.left_out().items()
                },
                figures=self._figures(),
            )
        )

    def _problems(self) -> tuple[int, tuple[FeedProblem, ...]]:
        """Return the source's problems, and the instruments that had to be left out whole."""
        count, problems = self._source.problems()
        refused = [f"{venue}:{symbol}" for venue, adapter in self._adapters.items() for symbol in adapter.refused()]
        if not refused:
            return count, problems
        shown = ", ".join(refused[:10]) + (" …" if len(refused) > 10 else "")
        reason = f"no row on the board for {shown}: raise board_instruments"
        return count + 1, (FeedProblem(file="board", line=0, reason=reason), *problems)

    def _figures(self) -> bytes:
        if self._audit is None:
            return b""
        found = {key: figures for adapter in self._adapters.values() for key, figures in adapter.figures().items()}
        # An instrument that the board had no row for has no figures.
        ordered = [instrument.key for instrument in self._instruments if instrument.key in found]
        return msgspec.json.encode({key: found[key] for key in ordered})

    def _assign(self, venue: str, symbol: str) -> Instrument:
        """Return an instrument's identity from the supervisor's catalogue."""
        self._assigned.clear()
        self._runtime.channel.send(AssignInstrument(venue=venue, symbol=symbol))
        until = time.monotonic() + _ASSIGN_SECONDS
        while not self._assigned:
            if time.monotonic() > until:
                raise TickfloorError(f"the catalogue did not answer for {venue}:{symbol} in {_ASSIGN_SECONDS:.0f} s")
            self._runtime.channel.flush()
            self._runtime.wait_for_message(0.1)
            self._while_waiting()
        instrument = self._assigned.pop()
        self._instruments.append(instrument)
        return instrument

    def _while_tape_is_full(self) -> None:
        if self._sender is not None:
            # The readers that are waited for may wait for these.
            self._sender.send_published()
        self._while_waiting()

    def _while_waiting(self) -> None:
        """Hear the supervisor within a long wait, and end it when the floor is stopping."""
        self._held_up = True
        try:
            self._runtime.poll_messages()
        finally:
            self._held_up = False
        if self._stop or self._runtime.stopping:
            raise StoppedError("the floor is stopping")

    def _say_status_if_due(self) -> None:
        if time.monotonic() - self._said_at >= _STATUS_SECONDS:
            self._say_status()

    def _say_status(self) -> None:
        self._said_at = time.monotonic()
        metrics = self._runtime.metrics
        metrics.gauge("frames", self._frame_count)
        metrics.gauge("records", self._tape.sequence)
        metrics.gauge("malformed", self._malformed)
        self._runtime.say_telemetry(
            FeedStatus(
                frames=self._frame_count,
                records=self._tape.sequence,
                malformed=self._malformed,
                progress=self._source.progress(),
                instruments=len(self._instruments),
            )
        )


def _source_of(settings: FeedSettings) -> tuple[FrameSource, Pacer]:
    source = settings.source
    if isinstance(source, CaptureSource):
        return CaptureFiles(source.paths), Pacer(source.speed)
    return SimulatedFrames(source), Pacer(1.0)


def make(runtime: Runtime, settings: WorkerSettings) -> FeedWorker:
    """Make the worker of a feed slot."""
    assert isinstance(settings, FeedSettings)
    return FeedWorker(runtime, settings)
