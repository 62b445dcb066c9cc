"""Waits for one group of streams, again and again; ccxt connects and subscribes by itself when it is asked."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from tickfloor.contracts.feeds import ConnectionReport, ConnectionState
from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, in_words
from tickfloor.feeds.live.ccxt_venue.news import news_of
from tickfloor.feeds.live.ccxt_venue.streams import Group
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.venue import Channel

ROUTE: Final = "ccxt, slower"

Take = Callable[[int, str, Any], None]
"""Given receive time, ns UTC, symbol and what is new of it."""


class Watch:
    """One group. What was lost while it was down is not known, unless the ids of trades say it.

    Its instruments are stale from the moment that it is made until it speaks, and again when it is lost or refused.

    Attributes:
        group: which streams.
        frames: calls that have returned something.
        state: as of a connection.
        asked_ns: receive time at which it was last asked for after a loss.
        heard_ns: receive time of its newest item; 0 before the first.
        refused: why the exchange gives none of it; empty: it does.
        reason: of the last loss.
    """

    def __init__(
        self,
        group: Group,
        *,
        venue: str,
        exchange: Exchange,
        takes: Mapping[Channel, Take],
        staleness: Staleness,
        now: Callable[[], int],
        on_news: Callable[[], None],
        refusals: tuple[type[Exception], ...],
        log: LogPort,
    ) -> None:
        """Ask for nothing yet.

        Args:
            on_news: called when something has been published.
            refusals: errors after which asking again is no use.
        """
        self.group = group
        self.frames = 0
        self.state = ConnectionState.CONNECTING
        self.asked_ns = now()
        self.heard_ns = 0
        self.refused = ""
        self.reason = ""
        self._venue = venue
        self._news = [
            (takes[channel], news_of(exchange, channel, group.method, group.symbols)) for channel in group.channels
        ]
        self._call = getattr(exchange, group.method)
        self._staleness = staleness
        self._now = now
        self._on_news = on_news
        self._refusals = refusals
        self._log = log
        self._attempts = 0
        self._opened_ns = 0
        self._mark()

    def __str__(self) -> str:
        """Return its name, as a reason why instruments are stale."""
        return self.group.name

    async def run(self) -> None:
        """Wait until cancelled, or until the exchange says that it never gives this."""
        backoff = Backoff()
        task = asyncio.current_task()
        assert task is not None
        self.asked_ns = self._now()
        while not task.cancelling():
            try:
                returned = await self._call(self.group.symbols[0] if self.group.single else list(self.group.symbols))
            except asyncio.CancelledError:
                if task.cancelling():
                    raise
                # ccxt cancels what waits for a connection that is closed.
                reason = "the connection was dropped"
            except Exception as error:  # noqa: BLE001 - ccxt raises whatever an exchange's answer leads it to
                reason = in_words(error)
                if isinstance(error, self._refusals):
                    self._refuse(reason)
                    return
            else:
                self._take(returned)
                continue
            if task.cancelling():
                break
            await asyncio.sleep(self._lose(reason, backoff))
            self.state = ConnectionState.CONNECTING
            self.asked_ns = self._now()
        # Something in between has taken the cancellation for an error, or for nothing.
        raise asyncio.CancelledError

    def leave(self) -> None:
        """Take its mark from its instruments."""
        self._staleness.remove(self.group.symbols, self, self._now())

    def report(self, name: str) -> ConnectionReport:
        """Return it as a connection of the venue called ``name``; bytes are not known."""
        now = self._now()
        up = self.state is ConnectionState.OPEN
        keys = self.group.keys
        return ConnectionReport(
            name=self.group.name,
            route=ROUTE,
            url=f"{name}.{self.group.method}",
            state=self.state,
            age=(now - self._opened_ns) / 1e9 if up else None,
            streams=0 if self.refused else len(keys),
            silent=0,
            refused={f"{key.channel} {key.symbol}": self.refused for key in keys} if self.refused else {},
            frames=self.frames,
            bytes=0,
            malformed=0,
            quiet=(now - self.heard_ns) / 1e9 if self.heard_ns else None,
            attempts=self._attempts,
            reason=self.reason,
        )

    def _take(self, returned: object) -> None:
        now = self.heard_ns = self._now()
        if self.state is not ConnectionState.OPEN:
            self.state = ConnectionState.OPEN
            self._opened_ns = now
            self._attempts = 0
            self.leave()
        self.frames += 1
        for take, news in self._news:
            for symbol, item in news(returned):
                take(now, symbol, item)
        self._on_news()

    def _lose(self, reason: str, backoff: Backoff) -> float:
        """Note a loss, and return after how many seconds it is to be asked for again."""
        now = self._now()
        lived = (now - self._opened_ns) / 1e9 if self.state is ConnectionState.OPEN else 0.0
        self.state = ConnectionState.WAITING
        self.reason = reason
        self._attempts += 1
        self._mark()
        seconds = backoff.seconds(lived)
        self._log.warning(
            "streams lost", venue=self._venue, streams=self.group.name, reason=reason, attempts=self._attempts,
            then=f"asked for again in {seconds:.1f} s; their instruments are stale meanwhile",
        )  # fmt: skip
        return seconds

    def _refuse(self, reason: str) -> None:
        self.refused = self.reason = reason
        self.state = ConnectionState.CLOSED
        self._mark()
        self._log.warning(
            "streams refused", venue=self._venue, streams=self.group.name, reason=reason,
            then="not asked for again; their instruments are stale",
        )  # fmt: skip

    def _mark(self) -> None:
        # By itself: its successor may have its name, and other instruments.
        self._staleness.add(self.group.symbols, self, self._now())
