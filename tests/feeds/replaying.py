"""Runs captures through the adapters, as the replay's feed worker does."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tickfloor.feeds.audit import Audit
from tickfloor.feeds.binance.adapter import BinanceAdapter
from tickfloor.feeds.capture import Capture
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.merge import merge
from tickfloor.feeds.publisher import MarketPublisher


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
                self.adapters[venue] = BinanceAdapter(venue, publisher, audit=self.audit)
        publishers = list(self.publishers.values())
        for number, (recv_ns, index, kind, ref, payload, line) in enumerate(merge(self.captures), 1):
            capture = self.captures[index]
            adapter = self.adapters[capture.venue]
            # As the feed worker does: at each time that the frames so far have set, before the frame.
            while (due := min(publisher.tick_due_ns for publisher in publishers)) <= recv_ns:
                for publisher in publishers:
                    publisher.tick(due)
            self.kinds[kind] += 1
            try:
                if kind == "F":
                    adapter.on_frame(recv_ns, payload)
                elif kind == "H":
                    adapter.on_http(recv_ns, ref, payload)
                elif kind == "C":
                    adapter.on_connect(recv_ns, ref, payload.decode())
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
