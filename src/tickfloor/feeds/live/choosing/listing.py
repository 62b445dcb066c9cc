"""Asks a venue what it trades, and says which streams that makes."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol, TypeVar

from tickfloor.contracts.ports import LogPort
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.choosing.doubts import Doubts
from tickfloor.feeds.live.choosing.universe import UnknownSymbolsError, channels, check, chosen, keys_of
from tickfloor.feeds.live.repairing.answering import reason_of
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.venue import Adapter, Dialect, Request, StreamKey, Traded

Found = TypeVar("Found")


class Questions(Protocol):
    """What is needed of the repair queue."""

    async def get(self, request: Request, /) -> Answer:
        """Ask for something and wait for the answer, which may be a failure."""

    def allow(self, weight_per_minute: int, /) -> None:
        """Go by another limit from now on."""


class Choice(NamedTuple):
    """What is asked for and traded now."""

    symbols: tuple[str, ...]
    keys: list[StreamKey]


class Listing:
    """One venue's instruments. The adapter is given their metadata with every look at them."""

    def __init__(
        self, settings: VenueSettings, *, adapter: Adapter, dialect: Dialect, questions: Questions, log: LogPort
    ) -> None:
        self._settings = settings
        self._adapter = adapter
        self._dialect = dialect
        self._questions = questions
        self._log = log
        self._doubts = Doubts()

    async def first(self, known: Collection[str]) -> Choice:
        """Return what to subscribe to, however long the venue takes to say it.

        Args:
            known: symbols that a predecessor had. Where there are some, what is asked for was there once: what is not
                traded now is only said.

        Raises:
            ConfigError: the venue has nothing of what is asked for.
        """
        settings = self._settings
        has = {*channels(settings, self._dialect), *self._dialect.along()}
        if missing := [stream for stream in settings.streams if stream not in has]:
            self._log.warning(
                "the venue lacks streams", venue=settings.venue, streams=", ".join(missing),
                then="the others are subscribed to",
            )  # fmt: skip
        listed = await self._read(self._dialect.instruments(), self._take_instruments)
        try:
            check(settings, listed)
        except UnknownSymbolsError as error:
            if not known:
                raise
            then = "the others are subscribed to, and it is looked for again"
            self._log.warning("not traded now", venue=settings.venue, reason=str(error), then=then)
        return await self._choose(listed, known)

    async def again(self, kept: Collection[str]) -> Choice:
        """Return what to be subscribed to from now on; ``kept`` are the symbols that are."""
        return await self._choose(await self._read(self._dialect.instruments(), self._take_instruments), kept)

    async def _choose(self, listed: list[Traded], kept: Collection[str]) -> Choice:
        volumes: Mapping[str, float] = {}
        if self._settings.top:
            volumes = await self._read(self._dialect.volumes(), self._take_volumes)
        symbols = chosen(self._settings, listed, volumes, kept)
        keys = keys_of(symbols, channels(self._settings, self._dialect))
        self._log.info("streams chosen", venue=self._settings.venue, instruments=len(symbols), streams=len(keys))
        return Choice(symbols, keys)

    def _take_instruments(self, answer: Answer) -> list[Traded]:
        listed = list(self._dialect.listed(answer.body))
        self._doubts.check(len(listed))
        weight = self._dialect.weight_allowed(answer.body)
        if weight is not None:
            self._questions.allow(weight)
        self._adapter.on_http(answer.recv_ns, answer.path, answer.body)
        return listed

    def _take_volumes(self, answer: Answer) -> Mapping[str, float]:
        return self._dialect.volumes_of(answer.body)

    async def _read(self, request: Request, read: Callable[[Answer], Found]) -> Found:
        """Return what is read from an answer, however often it has to be asked for."""
        backoff = Backoff()
        while True:
            answer = await self._questions.get(request)
            reason = reason_of(answer)
            if answer.ok:
                try:
                    return read(answer)
                except FrameError as error:
                    reason = error.reason
            seconds = backoff.seconds(0.0)
            self._log.warning(
                "the venue has not said what it trades", venue=self._settings.venue, path=request.path, reason=reason,
                then=f"asked for again in {seconds:.1f} s",
            )  # fmt: skip
            await asyncio.sleep(seconds)
