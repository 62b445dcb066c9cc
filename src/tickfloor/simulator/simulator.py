"""The simulated exchange as an object: start it, ask it, disturb it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Self

from tickfloor.simulator.clock import MarketClock
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError, SimulatorError
from tickfloor.simulator.face import Face
from tickfloor.simulator.hostility import Hostility, parameters_of, read_hostility
from tickfloor.simulator.playback import PlaybackSource, Progress, unheard
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.rest_server import RestServer
from tickfloor.simulator.seeded import SeededSource
from tickfloor.simulator.server import HOST, StreamServer
from tickfloor.simulator.settings import SimulatorSettings, Step
from tickfloor.simulator.source import Source
from tickfloor.simulator.venues import RECORDED, SEEDED

PAUSE_SECONDS: Final = 0.002
"""Between two looks at the clock when nothing is due."""
NS: Final = 1_000_000_000
REMEMBERED: Final = 1000
"""Hostilities that the state tells of, the newest."""


Told = Callable[[str], None]
"""Told of each trouble, in words, when it begins."""


def untold(_done: str) -> None:
    """Tell nobody about the trouble."""


class Simulator:
    """Use as ``async with Simulator(settings) as simulator``; everything runs in that loop.

    Attributes:
        stream_url: ``ws://…``, before the venues' own paths; each venue is also under a path with its name.
        rest_url: ``http://…``, likewise.
        begins_ns: market time of the beginning, ns UTC.
    """

    def __init__(
        self, settings: SimulatorSettings | None = None, progress: Progress = unheard, trouble: Told = untold
    ) -> None:
        """Prepare an exchange; captures are read once, which takes a while where they are large.

        Args:
            progress: told how far that is.
            trouble: told of every hostility when it begins, whoever has asked for it.

        Raises:
            SimulatorError: a venue is unknown, or a scenario's step has neither a time nor a frame.
            HostilityError: a scenario asks for what there is not, or what can never be done to these venues.
            CaptureError: a capture cannot be read.
        """
        self.settings = settings or SimulatorSettings()
        self._start_ns = self.settings.start_ns or time.time_ns()
        self.conditions = Conditions()
        self._source: Source = self._make_source(progress)
        self._faces: list[Face] = self._source.faces
        self.server = StreamServer(self._faces, self.settings, self.conditions)
        self._rest = RestServer(self, self._faces, self.conditions, enforce_limits=self.settings.enforce_limits)
        self._clock = MarketClock(self._source.now_ns, self.settings.speed)
        self.begins_ns = self._source.now_ns
        self._steps = [(step, _hostility(step)) for step in self.settings.scenario]
        for _, hostility in self._steps:
            hostility.check(self)
        self._trouble = trouble
        self._done: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._going = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stream_url = ""
        self.rest_url = ""

    async def __aenter__(self) -> Self:
        """Listen and begin.

        Raises:
            PortError: a port cannot be had.
        """
        try:
            stream_port = await self.server.open(self.settings.stream_port)
            rest_port = await self._rest.open(self.settings.rest_port)
        except SimulatorError:
            await self.close()
            raise
        self.stream_url = f"ws://{HOST}:{stream_port}"
        self.rest_url = f"http://{HOST}:{rest_port}"
        self._clock.stop(self._source.now_ns)
        if not self.settings.paused:
            self.resume()
        self._task = asyncio.create_task(self._run(), name="simulated market")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop the market and end all connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.server.close()
        await self._rest.close()
        if self._task is not None and not self._task.cancelled():
            # Whatever has stopped the market is not to be missed.
            self._task.result()

    async def wait(self) -> None:
        """Wait until the market ends: a capture does, a seeded market never.

        Raises:
            Exception: whatever has stopped it.
        """
        if self._task is not None:
            await asyncio.shield(self._task)

    def urls(self, venue: str) -> tuple[str, str]:
        """Return where to find a venue, if its own paths are another one's too: stream URL and REST URL.

        Raises:
            SimulatorError: it is not simulated.
        """
        self._face(venue)
        return f"{self.stream_url}/{venue}", f"{self.rest_url}/{venue}"

    def venues(self) -> list[str]:
        """Return the names of the venues."""
        return [face.venue for face in self._faces]

    def recorded(self) -> Mapping[str, Collection[str]]:
        """Return the names of the recorded streams by venue; of a seeded market there are none."""
        return self._source.recorded()

    # What it did

    def ledger(self, venue: str | None = None, symbol: str | None = None) -> dict[str, Any]:
        """Return trades, minute bars, book and frames of every instrument, by venue and symbol.

        Args:
            venue: only this one.
            symbol: only this one, of the venues that have it.

        Raises:
            SimulatorError: there is no such venue or symbol.
        """
        chosen = self._faces if venue is None else [self._face(venue)]
        found: dict[str, Any] = {}
        refusal: SimulatorError | None = None
        for face in chosen:
            try:
                found[face.venue] = face.ledger(symbol)
            except SimulatorError as error:
                refusal = error
        if refusal is not None and not found:
            raise refusal
        return found

    def state(self) -> dict[str, Any]:
        """Return time, connections and counts."""
        return {
            "market_ns": self._source.now_ns,
            "running": self._clock.running,
            "ended": self._source.ended,
            "frames": self.frames(),
            "connections": [
                {
                    "number": each.number,
                    "venue": each.venue,
                    "backlog": each.backlog(),
                    "half_open": each.muted,
                    "subscriptions": [] if each.session is None else each.session.subscriptions(),
                }
                for each in self.server.connections.values()
            ],
            "accepted": self.server.accepted,
            "refused": self.server.refused,
            "too_slow": self.server.too_slow,
            "requests": self._rest.requests,
            "hostility": list(self._done),
        }

    def frames(self) -> int:
        """Return how many frames of streams were written so far, to all connections together."""
        return sum(stream.sent for face in self._faces for stream in face.streams)

    # What to do with it

    def pause(self) -> None:
        """Stop the market; what was due at the next interval, or held back, is sent now, so that all is said."""
        self._clock.stop(self._source.now_ns)
        self._going.clear()
        self._settle()

    def resume(self) -> None:
        """Let the market go on."""
        self._going.set()

    def step(self, seconds: float) -> None:
        """Let so much market time pass at once, also at rest; nothing is left to be sent after it."""
        to_ns = self._source.now_ns + int(seconds * NS)
        while self._source.advance(to_ns):
            self._scenario()
        self._clock.stop(self._source.now_ns)
        self._scenario()
        self._settle()

    def do(self, action: str, **parameters: object) -> str:
        """Do a hostility now, and return what was done in words.

        Raises:
            HostilityError: there is no such one, it does not take such parameters, or what it is to be done to is
                not there.
        """
        done = read_hostility(HOSTILITIES, action, parameters).apply(self)
        self._note(done)
        self.server.flush()
        return done

    def hostilities(self) -> dict[str, Any]:
        """Return every hostility: what it does and its parameters with their defaults."""
        return {
            name: {"does": (kind.__doc__ or "").partition("\n")[0], "parameters": parameters_of(kind)}
            for name, kind in HOSTILITIES.items()
        }

    def faces_of(self, venue: str) -> list[Face]:
        """Return the faces whose venue fits a pattern.

        Raises:
            HostilityError: none does.
        """
        found = [face for face in self._faces if fnmatchcase(face.venue, venue)]
        if not found:
            raise HostilityError(f"no venue is called {venue!r}; there are {', '.join(self.venues())}")
        return found

    # Inside

    def _settle(self) -> None:
        for face in self._faces:
            face.settle()
        self.server.flush()

    async def _run(self) -> None:
        """Let the market follow its clock, and write what it says."""
        while not self._source.ended:
            await self._going.wait()
            if not self._clock.running:
                if not self._source.ready():
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                self._clock.go()
            behind = self._source.advance(self._clock.now_ns())
            self._scenario()
            self.server.flush()
            if self.server.congested() and not self.settings.speed:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                await asyncio.sleep(0 if behind else PAUSE_SECONDS)

    def _scenario(self) -> None:
        if not self._steps:
            return
        elapsed = (self._source.now_ns - self.begins_ns) / NS
        frames = self.frames() if any(step.frame is not None for step, _ in self._steps) else 0
        for each in list(self._steps):
            step, hostility = each
            if (step.at is not None and elapsed >= step.at) or (step.frame is not None and frames >= step.frame):
                self._steps.remove(each)
                try:
                    self._note(hostility.apply(self))
                except HostilityError as error:
                    # What it was for may have gone meanwhile; the market goes on.
                    self._note(f"{step.do}: {error}")
        self.server.flush()

    def _note(self, done: str) -> None:
        self._done.append({"market_ns": self._source.now_ns, "done": done})
        self._trouble(done)

    def _make_source(self, progress: Progress) -> Source:
        if self.settings.captures:
            return PlaybackSource(self.settings, self.conditions, RECORDED, progress)
        unknown = [venue for venue in self.settings.venues if venue not in SEEDED]
        if unknown:
            raise SimulatorError(f"there is no venue {unknown[0]!r}; there are {', '.join(SEEDED)}")
        faces = [SEEDED[venue](self.settings, self.conditions, self._start_ns) for venue in self.settings.venues]
        return SeededSource(faces, self._start_ns, self.settings.rate)

    def _face(self, venue: str) -> Face:
        for face in self._faces:
            if face.venue == venue:
                return face
        raise SimulatorError(f"{venue!r} is not simulated; there are {', '.join(self.venues())}")


def _hostility(step: Step) -> Hostility:
    if (step.at is None) == (step.frame is None):
        raise SimulatorError(f"{step.do}: say when: either at, in seconds, or frame, a number of frames")
    return read_hostility(HOSTILITIES, step.do, step.parameters)
