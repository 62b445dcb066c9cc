"""Where a feed's market data goes: the tape, the board, and the readers that want messages."""

import time
from collections.abc import Callable

from tickfloor.board.board_writer import BoardWriter
from tickfloor.board.catch_up import CatchUpBoard
from tickfloor.board.tape_writer import TapeWriter
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.events import AssignInstrument, FeedStatus
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.settings import FeedSettings
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.ports import TapePort
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.publishing.record_sender import RecordSender
from tickfloor.feeds.publishing.takeover import Legacy
from tickfloor.worker.runtime import Runtime

_ASSIGN_SECONDS = 10.0
STATUS_SECONDS = 0.25


class StoppedError(TickfloorError):
    """The floor is stopping; the frame under way is not finished."""


class FeedOutput:
    """The single writer of a tape and a board, and one publisher for each venue.

    Attributes:
        instruments: every instrument that has been asked for, in that order.
        publishers: by venue.
        audit: the exact figures of a report; None: nobody wants them.
        unsure: instruments whose bars may lack or repeat trades, because a predecessor died writing them.
        held_up: whether it waits for somebody else right now.
    """

    def __init__(
        self, runtime: Runtime, settings: FeedSettings, *, stopping: Callable[[], bool], repeats: bool
    ) -> None:
        """Take over tape and board.

        Args:
            stopping: whether a wait is to be given up.
            repeats: a successor makes the records of its predecessor again, and shows none of them meanwhile.
        """
        self._runtime = runtime
        self._stopping = stopping
        descriptors = runtime.descriptors
        doorbells = {
            int(name.removeprefix("doorbell-")): fd for name, fd in descriptors.items() if name.startswith("doorbell-")
        }
        self.tape = TapeWriter(
            descriptors["tape"],
            descriptors["readers"],
            run_id=runtime.run_id,
            incarnation=runtime.incarnation,
            doorbells=doorbells,
            wait_for_readers=settings.wait_for_readers,
            while_waiting=self._while_tape_is_full,
        )
        succeeds = self.tape.resumed_at > 0
        legacy = None
        if succeeds and not repeats:
            legacy = Legacy(descriptors["board"], runtime.run_id)
            self.tape.resume(legacy.complete)
            legacy.follow(self.tape.read_back(legacy.first_to_follow))
        if repeats and succeeds:
            self.board: BoardWriter | CatchUpBoard = CatchUpBoard(
                descriptors["board"], run_id=runtime.run_id, incarnation=runtime.incarnation
            )
        else:
            self.board = BoardWriter(
                descriptors["board"], run_id=runtime.run_id, incarnation=runtime.incarnation, resumes=succeeds
            )
        connections = [fd for name, fd in descriptors.items() if name.startswith("messages-")]
        self.sender = (
            RecordSender(self.tape, connections, patient=settings.wait_for_readers, while_waiting=self._while_waiting)
            if connections
            else None
        )
        self._records: TapePort = self.sender or self.tape
        self.audit = Audit() if settings.audit else None
        self.instruments: list[Instrument] = []
        self._assigned: list[Instrument] = []
        self.publishers: dict[str, MarketPublisher] = {}
        self.held_up = False
        self._said_at = 0.0
        self.unsure: tuple[Instrument, ...] = ()
        if legacy is not None:
            legacy.hand_over(self.publisher)
            self.unsure = legacy.unsure
            self.instruments += legacy.instruments

    def publisher(self, venue: str) -> MarketPublisher:
        """Return the publisher of a venue."""
        publisher = self.publishers.get(venue)
        if publisher is None:
            publisher = self.publishers[venue] = MarketPublisher(
                self._records,
                self.board,
                self._assign,
                venue,
                bar_slots=self.board.layout.ring,
                observer=self.audit,
            )
        return publisher

    @property
    def catching_up(self) -> bool:
        """Whether the records being made are those that a predecessor has published."""
        return self.tape.sequence < self.tape.resumed_at

    def publish(self) -> None:
        """Show what was taken in."""
        for publisher in self.publishers.values():
            publisher.write()
        if isinstance(self.board, CatchUpBoard) and self.board.catching_up and not self.catching_up:
            self.board.show()
        self._records.publish()

    def assigned(self, instrument: Instrument) -> None:
        """Take the answer to an instrument's question."""
        self._assigned.append(instrument)

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
        self.instruments.append(instrument)
        return instrument

    def _while_tape_is_full(self) -> None:
        if self.sender is not None:
            # The readers that are waited for may wait for these.
            self.sender.send_published()
        self._while_waiting()

    def _while_waiting(self) -> None:
        """Hear the supervisor within a long wait, and end it when the floor is stopping."""
        self.held_up = True
        try:
            self._runtime.poll_messages()
        finally:
            self.held_up = False
        if self._stopping() or self._runtime.stopping:
            raise StoppedError("the floor is stopping")

    def details(self) -> dict[str, float]:
        """Return what was written."""
        return {
            "records": self.tape.sequence,
            "instruments": len(self.instruments),
            "rings": self.tape.rings,
            "waits": self.tape.waits,
            **(self.sender.figures() if self.sender is not None else {}),
        }

    def say_status_if_due(self, frames: int, malformed: int, progress: float) -> None:
        """As :meth:`say_status`, four times a second."""
        if time.monotonic() - self._said_at >= STATUS_SECONDS:
            self.say_status(frames, malformed, progress)

    def say_status(self, frames: int, malformed: int, progress: float) -> None:
        """Tell the supervisor how far the feed is: frames taken in and refused, and the part of its source read."""
        self._said_at = time.monotonic()
        metrics = self._runtime.metrics
        metrics.gauge("frames", frames)
        metrics.gauge("records", self.tape.sequence)
        metrics.gauge("malformed", malformed)
        self._runtime.say_telemetry(
            FeedStatus(
                frames=frames,
                records=self.tape.sequence,
                malformed=malformed,
                progress=progress,
                instruments=sum(len(publisher.writers) for publisher in self.publishers.values()),
            )
        )

    def last_words(self) -> None:
        """Publish for the last time: what is read from the tape instead of a message is the last there is."""
        if self.sender is not None:
            self.sender.patient = False
        self.publish()

    def close(self) -> None:
        """Let go of the shared memory."""
        self.tape.close()
        self.board.close()
