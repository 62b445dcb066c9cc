"""All groups of streams of a ccxt exchange that are waited for now."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from tickfloor.feeds.live.ccxt_venue.streams import Group, Way, groups
from tickfloor.feeds.live.ccxt_venue.watch import Watch
from tickfloor.feeds.venue import Channel, StreamKey


class Watches:
    """Waits for the streams that are wanted.

    What is wanted is noted first, and asked for by :meth:`settle`: groups change with it, and ccxt cannot end streams
    of every exchange. So everything is asked for anew then, and is stale until it speaks.

    Attributes:
        all: one for each group.
    """

    def __init__(
        self,
        ways_of: Mapping[Channel, Way],
        tasks: asyncio.TaskGroup,
        *,
        kind: Callable[[str], tuple[str, ...]],
        watch: Callable[[Group], Watch],
        drop: Callable[[str], Awaitable[None]],
    ) -> None:
        """Wait for nothing yet.

        Args:
            kind: returns which kind of market a symbol is.
            watch: makes what waits for a group.
            drop: called with the reason when connections have to be made anew.
        """
        self.all: tuple[Watch, ...] = ()
        self._ways = ways_of
        self._tasks = tasks
        self._kind = kind
        self._watch = watch
        self._drop = drop
        self._wanted: dict[StreamKey, None] = {}
        self._running: list[asyncio.Task[None]] = []
        self._earlier_frames = 0

    @property
    def keys(self) -> list[StreamKey]:
        """Every stream that is wanted."""
        return list(self._wanted)

    @property
    def frames(self) -> int:
        """Calls of ccxt that have returned something so far."""
        return self._earlier_frames + sum(watch.frames for watch in self.all)

    def add(self, keys: Iterable[StreamKey]) -> None:
        """Want streams."""
        self._wanted |= dict.fromkeys(keys)

    def remove(self, keys: Iterable[StreamKey]) -> None:
        """Do not want streams any more."""
        for key in keys:
            self._wanted.pop(key, None)

    def unserved(self) -> set[str]:
        """Return nothing: from :meth:`settle` on each watch itself marks what has not spoken yet."""
        return set()

    def mark_refused(self, now: int) -> None:
        """Mark nothing: each watch has marked its instruments already, and a refusal leaves that."""

    async def settle(self) -> None:
        """Ask for what is wanted, if that is not what is waited for."""
        before = self.all
        if self._wanted.keys() == {key for watch in before for key in watch.group.keys}:
            return
        self._earlier_frames = self.frames
        symbols = dict.fromkeys(key.symbol for key in self._wanted)
        # Before the others go, and their reasons with them: there is no moment in which an instrument is live.
        self.all = tuple(
            self._watch(group) for group in groups(self._ways, {each: self._kind(each) for each in symbols})
        )
        if before:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            for watch in before:
                watch.leave()
            await self._drop("other instruments are chosen")
        self._running = [self._tasks.create_task(watch.run(), name=watch.group.name) for watch in self.all]
