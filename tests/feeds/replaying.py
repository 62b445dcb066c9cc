"""Runs captures through the adapters, as the replay's feed worker does."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.recording.capture import Capture
from tickfloor.feeds.replaying.merge import merge
from tickfloor.feeds.venue import NoRepairs, Reader
from tickfloor.feeds.venues.binance.adapter import BinanceAdapter


class Replay:
    """The outcome of captures run together into one tape."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        batch: int = 64,
        look: Callable[["Replay", bytes], None] | None = None,
        audit: bool = True,
    ) -> None:
        self.tape = FakeTape()
        self.board = FakeBoard()
        self.audit = Audit() if audit else None
        self.captures = [Capture(path) for path in paths]
        self.kinds: Counter[str] = Counter()
        assign = catalogue()
        self.publishers: dict[str, MarketPublisher] = {}
        self.adapters: dict[str, BinanceAdapter] = {}
        for capture in self.captures:
            venue = capture.venue
            if venue is not None and venue not in self.adapters:
                publisher = MarketPublisher(self.tape, self.board, assign, venue, observer=self.audit)
                self.publishers[venue] = publisher
                joins = TradeJoins(NoRepairs(), hold_ns=0, audit=self.audit)
                self.adapters[venue] = BinanceAdapter(
                    venue, publisher, joins=joins, repairs=NoRepairs(), audit=self.audit
                )
        publishers = list(self.publishers.values())
        readers: dict[tuple[int, str], Reader] = {}
        for number, (recv_ns, index, kind, ref, payload, line) in enumerate(merge(self.captures), 1):
            capture = self.captures[index]
            adapter = self.adapters[capture.venue]
            # As the feed worker does: at each time that the frames so far have set, before the frame.
            while (due := min(publisher.tick_due_ns for publisher in publishers)) <= recv_ns:
                for publisher in publishers:
                    publisher.tick(due)
            self.kinds[kind] += 1
            try:
                if kind == "C" or (kind == "F" and (index, ref) not in readers):
                    readers[index, ref] = adapter.reader(ref)
                if kind == "F":
                    readers[index, ref](recv_ns, payload)
                elif kind == "H":
                    adapter.on_http(recv_ns, ref, payload)
            except FrameError as error:
                capture.note(line, error.reason)
            if look is not None and kind == "F":
                look(self, payload)
            if number % batch == 0:
                self.flush()
        self.flush()

    def flush(self) -> None:
        for publisher in self.publishers.values():
            publisher.write()
        self.tape.publish()

    def figures(self) -> dict[str, dict[str, Any]]:
        return {key: value for adapter in self.adapters.values() for key, value in adapter.figures().items()}
