"""Streams that were accepted and are silent: only quiet, or dead."""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from tickfloor.feeds.venue import Channel, StreamKey

MOST_PATIENCE: Final = 64
USUAL_SHARE: Final = 0.2
"""Weight of the newest gap in a stream's usual gap."""
UNANSWERED_NS: Final = 60_000_000_000

WITNESSES: Final[Mapping[Channel, tuple[Channel, ...]]] = MappingProxyType({
    Channel.TRADES: (),
    Channel.QUOTES: (Channel.TRADES,),
    Channel.BOOK: (Channel.QUOTES, Channel.TRADES),
    Channel.BARS: (Channel.TRADES,),
    Channel.TICKERS: (Channel.TRADES,),
})  # fmt: skip
"""What cannot move for long without this one: a trade takes from the best size, a best price is in the book."""


class Patience(NamedTuple):
    """How long a stream may be silent.

    Attributes:
        trades, quotes, book, bars, tickers: seconds after which a stream of a channel is looked at, at least.
        usual: so many times its own usual gap, if that is longer.
        alone: so many times that, and it is dead, where nothing else can say whether it should have spoken.
        witnesses: looks at which another channel of its symbol had moved, and it is dead.
        late: seconds that a stream may be later than a REST answer, and a trade must be newer than the stream to be
            one that it lacks.
        look: seconds from one look at the streams to the next.
    """

    trades: float = 20.0
    quotes: float = 15.0
    book: float = 10.0
    bars: float = 90.0
    tickers: float = 60.0
    usual: float = 8.0
    alone: float = 20.0
    witnesses: int = 5
    late: float = 2.0
    look: float = 1.0

    def of(self, channel: Channel) -> float:
        """Return the seconds of a channel."""
        return float(getattr(self, channel.value))

    def scaled(self, times: float) -> "Patience":
        """Return one that lets streams be silent for so many times as long, and looks the more often the shorter."""
        return self._replace(
            trades=times * self.trades,
            quotes=times * self.quotes,
            book=times * self.book,
            bars=times * self.bars,
            tickers=times * self.tickers,
            look=min(1.0, times) * self.look,
        )

    @property
    def shortest(self) -> float:
        """The seconds of the least patient channel."""
        return min(self.of(channel) for channel in Channel)


class Market(Protocol):
    """What is needed of :class:`~tickfloor.feeds.live.watching.seen_market.SeenMarket`."""

    @property
    def ahead_ns(self) -> int | None:
        """How far the venue's clock is ahead of ours, at least; None: not known."""

    def newest_trade_ns(self, symbol: str, /) -> int:
        """Return the venue time of the newest trade that is known of a symbol; 0: none is."""


class Verdict(Enum):
    """What is to be done about a stream."""

    ASK = auto()
    """find out by REST whether there is something that it should have brought"""
    DEAD = auto()
    SPEAKS = auto()
    """it was dead, and is not any more"""


class Finding(NamedTuple):
    """A verdict about a stream, with the reason."""

    key: StreamKey
    verdict: Verdict
    reason: str


class _Watch:
    """What is known of one stream."""

    __slots__ = (
        "asked_ns", "baseline", "by_rest", "dead", "evidence_ns", "excused_ns", "first_trade_ns", "gap_ns", "heard_ns",
        "patience", "regained", "since_ns", "witnessed",
    )  # fmt: skip

    def __init__(self, since_ns: int, newest_trade_ns: int) -> None:
        self.heard_ns = 0
        self.gap_ns = 0.0
        self.patience = 1
        self.dead = False
        self.by_rest = True
        self.accepted(since_ns, newest_trade_ns)
        self.begin(since_ns)

    def accepted(self, since_ns: int, newest_trade_ns: int) -> None:
        """Note that a connection has it from now on, and when the newest trade was made that is known already."""
        self.since_ns = since_ns
        self.first_trade_ns = newest_trade_ns
        # What happened while nobody had it shows nowhere, until it is asked for: its own usual gap may be hours.
        self.regained = True
        if not self.dead:
            self.patience = 1

    def begin(self, now: int) -> None:
        """Look at it anew from now on."""
        self.excused_ns = now
        self.asked_ns = 0
        self.baseline = False
        self.evidence_ns = 0
        self.witnessed = 0


class Watchdog:
    """Looks at every accepted stream again and again.

    A stream is suspected when it is silent for longer than its channel may be and than several of its own usual
    gaps. For trades the venue is asked for its newest one: what was made since the stream was accepted, exists and has
    not come a moment later is proof. Other streams are judged by what the rest of their symbol did. A stream that is
    found to be only quiet is given twice the time, until another connection has it.

    It does no IO and has no clock: times are ns UTC.
    """

    def __init__(self, patience: Patience, market: Market) -> None:
        """Begin without streams."""
        self._patience = patience
        self._market = market
        self._watches: dict[StreamKey, _Watch] = {}
        self._looked_ns = 0

    def look(self, now: int, accepted: Mapping[StreamKey, int], heard: Mapping[StreamKey, int]) -> list[Finding]:
        """Return what is to be done.

        Args:
            accepted: since when each stream has been accepted on the connection that has it now. A stream that is
                not in it is not looked at: its connection is down, and known to be.
            heard: when each stream was heard last.
        """
        findings: list[Finding] = []
        for key, since_ns in accepted.items():
            watch = self._watches.get(key)
            if watch is None:
                watch = self._watches[key] = _Watch(since_ns, self._market.newest_trade_ns(key.symbol))
            elif watch.since_ns != since_ns:
                watch.accepted(since_ns, self._market.newest_trade_ns(key.symbol))
                watch.begin(now)
            heard_ns = heard.get(key, 0)
            if heard_ns > watch.heard_ns:
                finding = self._spoke(key, watch, heard_ns)
            else:
                self._count_witnesses(key, watch, heard)
                alone = not any(StreamKey(channel, key.symbol) in accepted for channel in WITNESSES[key.channel])
                finding = self._silent(key, watch, now, heard, alone=alone)
            if finding is not None:
                findings.append(finding)
        self._looked_ns = now
        return findings

    def dead(self) -> list[StreamKey]:
        """Return the streams that were found dead and have not spoken since."""
        return [key for key, watch in self._watches.items() if watch.dead]

    def forget(self, keys: Iterable[StreamKey]) -> None:
        """Watch these no longer."""
        for key in keys:
            self._watches.pop(key, None)

    def answered(self, key: StreamKey, behind_before: int, behind_now: int, now: int) -> None:
        """Take in what the venue's newest trade says.

        Args:
            behind_before, behind_now: how many trades are known to exist that the stream has not come to yet, before
                and after the answer.
        """
        watch = self._watches.get(key)
        if watch is None or not watch.asked_ns:
            return
        watch.regained = False
        if not watch.baseline:
            # It may have been traded before this connection was there; where its time does not say that it was not,
            # only what comes from here on is proof.
            watch.begin(now)
            watch.baseline = True
        elif behind_now > behind_before:
            watch.evidence_ns = now
        else:
            self._only_quiet(watch, now)

    def cannot_ask(self, key: StreamKey) -> None:
        """Note that the venue has no way to be asked about a stream."""
        watch = self._watches.get(key)
        if watch is not None:
            watch.by_rest = False

    def _spoke(self, key: StreamKey, watch: _Watch, heard_ns: int) -> Finding | None:
        if watch.heard_ns >= watch.since_ns:
            watch.gap_ns += USUAL_SHARE * (heard_ns - watch.heard_ns - watch.gap_ns)
        watch.heard_ns = heard_ns
        if heard_ns < watch.since_ns:
            return None
        watch.patience = 1
        watch.regained = False
        watch.begin(heard_ns)
        watch.baseline = True
        if not watch.dead:
            return None
        watch.dead = False
        return Finding(key, Verdict.SPEAKS, "heard again")

    def _lacks_a_trade(self, key: StreamKey, watch: _Watch, heard: Mapping[StreamKey, int]) -> bool:
        """Say whether a trade is known that was made clearly after the stream was accepted, and that it has not said.

        Our clock may be any time behind the venue's. By how much is believed only where another stream has said
        trades meanwhile: what was fetched is as old as it likes, and says nothing about the time it is.
        """
        ahead_ns, made_ns = self._market.ahead_ns, self._market.newest_trade_ns(key.symbol)
        if watch.heard_ns >= watch.since_ns or ahead_ns is None or made_ns <= watch.first_trade_ns:
            return False
        clearly_after_ns = watch.since_ns + round(self._patience.late * 1e9)
        if made_ns <= clearly_after_ns + max(0, ahead_ns):
            return False
        return any(heard_ns > clearly_after_ns for each, heard_ns in heard.items() if each.channel is Channel.TRADES)

    def _count_witnesses(self, key: StreamKey, watch: _Watch, heard: Mapping[StreamKey, int]) -> None:
        moved = max(self._looked_ns, watch.excused_ns)
        for channel in WITNESSES[key.channel]:
            if heard.get(StreamKey(channel, key.symbol), 0) > moved:
                watch.witnessed += 1
                return

    def _silent(
        self, key: StreamKey, watch: _Watch, now: int, heard: Mapping[StreamKey, int], *, alone: bool
    ) -> Finding | None:
        patience = self._patience
        if watch.evidence_ns:
            if now - watch.evidence_ns < patience.late * 1e9:
                return None
            return self._died(key, watch, now, "the venue has newer trades than it brought")
        if watch.baseline and key.channel is Channel.TRADES and self._lacks_a_trade(key, watch, heard):
            watch.evidence_ns = now
            watch.first_trade_ns = self._market.newest_trade_ns(key.symbol)
            return None
        silence_ns = now - watch.excused_ns
        by_rest = key.channel is Channel.TRADES and watch.by_rest
        usual_ns = 0.0 if by_rest and watch.regained else patience.usual * watch.gap_ns
        limit_ns = max(patience.of(key.channel) * 1e9, usual_ns) * watch.patience
        if silence_ns < limit_ns:
            return None
        if by_rest:
            if watch.asked_ns and now - watch.asked_ns < UNANSWERED_NS:
                return None
            watch.asked_ns = now
            return Finding(key, Verdict.ASK, f"silent for {silence_ns / 1e9:.1f} s")
        if watch.witnessed >= patience.witnesses:
            return self._died(
                key, watch, now, f"silent for {silence_ns / 1e9:.1f} s while the others of its symbol moved"
            )
        if alone and silence_ns >= patience.alone * limit_ns:
            return self._died(key, watch, now, f"silent for {silence_ns / 1e9:.1f} s")
        return None

    def _died(self, key: StreamKey, watch: _Watch, now: int, reason: str) -> Finding:
        watch.dead = True
        self._only_quiet(watch, now)
        return Finding(key, Verdict.DEAD, reason)

    def _only_quiet(self, watch: _Watch, now: int) -> None:
        """Give it twice the time: asking for it once more, or moving it again, is not worth the venue's patience."""
        baseline = watch.baseline
        watch.patience = min(MOST_PATIENCE, watch.patience * 2)
        watch.begin(now)
        watch.baseline = baseline
