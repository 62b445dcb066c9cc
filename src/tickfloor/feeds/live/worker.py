"""A feed worker that is connected to exchanges."""

import asyncio
import os
import time
from pathlib import Path

import uvloop

from tickfloor.contracts.commands import (
    Begin,
    CommandBody,
    FeedReported,
    Progress,
    Reconnect,
    Reconnecting,
    ReportFeed,
    Result,
    StopFeed,
)
from tickfloor.contracts.errors import ConfigError, TickfloorError
from tickfloor.contracts.events import FeedProblem, InstrumentAssigned
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.settings import CCXT, FeedSettings, LiveSource, VenueSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.feeds.live.ccxt_venue.feed import CcxtFeed
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.venue_feed import VenueFeed
from tickfloor.feeds.publishing.last_word import last_word
from tickfloor.feeds.publishing.output import STATUS_SECONDS, FeedOutput
from tickfloor.worker.runtime import Runtime

_CLOSE_SECONDS = 7.0


class LiveWorker:
    """Takes in what exchanges send, for as long as the floor runs.

    The runtime's turns drive an event loop of its own: between two messages of the supervisor the loop runs, and a
    frame is on the tape before the loop turns again. A successor goes on from the board and the tape, and asks the
    venues for what it missed.
    """

    def __init__(self, runtime: Runtime, settings: FeedSettings, source: LiveSource) -> None:
        self._runtime = runtime
        self._output = FeedOutput(runtime, settings, stopping=lambda: self._stop, repeats=False)
        self._lasting = _descriptors_that_outlast_a_loop()
        self._loop = uvloop.new_event_loop()
        self._clock = ReceiveClock(wall=lambda: time.time_ns() + source.ahead_ns)
        self._feeds = {venue.venue: self._feed(venue, source.record) for venue in source.venues}
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = False
        self._finished = False

    def _feed(self, settings: VenueSettings, record: str) -> VenueFeed | CcxtFeed:
        kind = CcxtFeed if settings.venue.startswith(CCXT) else VenueFeed
        return kind.of(
            settings,
            publisher=self._output.publisher(settings.venue),
            audit=self._output.audit,
            clock=self._clock,
            record=Path(record) if record else None,
            on_flush=self._output.publish,
            log=self._runtime.log,
        )

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Begin, stop, or say how the feed stands."""
        del sequence
        match body:
            case Begin():
                self._tasks = [self._loop.create_task(feed.run()) for feed in self._feeds.values()]
                for instrument in self._output.unsure:
                    self._runtime.log.warning("bars taken over in the middle of a write", instrument=instrument.key)
            case StopFeed():
                self._stop = True
            case ReportFeed():
                return FeedReported(venues=tuple(feed.report() for feed in self._feeds.values()))
            case Reconnect(venue=venue, connection=connection):
                if venue not in self._feeds:
                    raise TickfloorError(f"the feed has no venue {venue!r}; there are {', '.join(self._feeds)}")
                return Reconnecting(connections=self._feeds[venue].reconnect(connection))
            case _:
                raise TickfloorError(f"a live feed does not know {type(body).__name__}")
        return None

    def receive(self, message: ToWorker) -> None:
        """Take the answer to an instrument's question."""
        if isinstance(message, InstrumentAssigned):
            self._output.assigned(message.instrument)

    def step(self) -> bool:
        """End if that is wanted; the work itself is done by the loop, while the runtime waits."""
        for task in self._tasks:
            if task.done() and (error := task.exception()) is not None:
                if not isinstance(error, ConfigError):
                    raise error
                # No successor would do better.
                self._finish(str(error))
                return False
        if self._stop:
            self._finish()
        self._say_status_if_due()
        return False

    def wait(self, seconds: float) -> None:
        """Run the loop until a message comes, at most so long."""
        self._loop.run_until_complete(self._woken(min(seconds, STATUS_SECONDS)))

    async def _woken(self, seconds: float) -> None:
        woken = self._loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self._loop.call_later(seconds, wake)
        self._loop.add_reader(self._runtime.channel.fileno(), wake)
        try:
            await woken
        finally:
            self._loop.remove_reader(self._runtime.channel.fileno())
            timer.cancel()

    def progress(self) -> Progress:
        """Return frames taken in; what waits for us is with the kernel."""
        return Progress(self._frames, 0)

    def traders_held(self) -> TradersHeld | None:
        """No trader runs here."""
        return None

    def details(self) -> dict[str, float]:
        """Return the figures of this worker."""
        return {"frames": self._frames, "malformed": self._malformed, **self._output.details()}

    def close(self) -> None:
        """Let go of connections and shared memory."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._close_feeds())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            for fd in self._lasting:
                os.close(fd)
        self._output.close()

    @property
    def _frames(self) -> int:
        return sum(feed.frames for feed in self._feeds.values())

    @property
    def _malformed(self) -> int:
        return sum(feed.malformed for feed in self._feeds.values())

    async def _close_feeds(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with asyncio.timeout(_CLOSE_SECONDS):
            await asyncio.gather(*(feed.close() for feed in self._feeds.values()), return_exceptions=True)

    def _finish(self, error: str = "") -> None:
        if self._finished:
            return
        self._finished = True
        self._loop.run_until_complete(self._close_feeds())
        self._tasks.clear()
        self._output.last_words()
        self._output.say_status(self._frames, self._malformed, 0.0)
        problems = tuple(
            FeedProblem(file=venue, line=0, reason=reason)
            for venue, feed in self._feeds.items()
            for reason in feed.problems()
        )
        self._runtime.channel.send(
            last_word(
                self._output,
                {venue: feed.adapter for venue, feed in self._feeds.items()},
                frames=self._frames,
                malformed=self._malformed,
                complete=False,
                problems=problems,
                problem_count=len(problems),
                error=error,
            )
        )

    def _say_status_if_due(self) -> None:
        self._output.say_status_if_due(self._frames, self._malformed, 0.0)


def _descriptors_that_outlast_a_loop() -> set[int]:
    """Return what libuv opens with its first loop, for signals, and leaves open until the process ends."""
    before = _open_descriptors()
    uvloop.new_event_loop().close()
    return _open_descriptors() - before


def _open_descriptors() -> set[int]:
    # The listing's own is closed by the time that it is read.
    return {int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")}  # noqa: PTH110, PTH208
