"""Reads a floor's tape beside its traders, and remembers what every instrument was said to have done."""

import math
from dataclasses import dataclass, field

from tickfloor.board.tape_reader import TapeReader
from tickfloor.contracts.records import RECORD, RECORD_BYTES, Kind, Quality
from tickfloor.floor import Floor

_KIND_OFFSET = 28
_TRADE, _QUALITY = int(Kind.TRADE), int(Kind.QUALITY)


@dataclass(slots=True)
class Witnessed:
    """One instrument's trades and marks.

    Attributes:
        trades: published, with those that came twice; doubles: the ids of those.
        first_id: least id; next_id: below it nothing is missing; beyond: ids above that one.
        quantity, notional: of all trades.
        marks: receive time, ns UTC, and quality of every QUALITY record.
    """

    trades: int = 0
    doubles: list[int] = field(default_factory=list)
    first_id: int = -1
    next_id: int = -1
    beyond: set[int] = field(default_factory=set)
    quantity: float = 0.0
    notional: float = 0.0
    marks: list[tuple[int, Quality]] = field(default_factory=list)

    def trade(self, trade_id: int, price: float, qty: float) -> None:
        """Take in a trade."""
        self.trades += 1
        self.quantity += qty
        self.notional += price * qty
        if self.first_id < 0:
            self.first_id = self.next_id = trade_id
        if trade_id == self.next_id:
            self.next_id += 1
            while self.next_id in self.beyond:
                self.beyond.remove(self.next_id)
                self.next_id += 1
        elif trade_id < self.next_id or trade_id in self.beyond:
            self.doubles.append(trade_id)
        else:
            self.beyond.add(trade_id)

    def missing(self) -> int:
        """Return how many ids below the newest were never published."""
        return max(self.beyond) + 1 - self.next_id - len(self.beyond) if self.beyond else 0

    def doubted(self, from_ns: int) -> bool:
        """Say whether it was anything but live at a time or after it."""
        before = [quality for at, quality in self.marks if at < from_ns]
        after = [quality for at, quality in self.marks if at >= from_ns]
        return any(quality is not Quality.LIVE for quality in before[-1:] + after)

    def live_again_ns(self) -> int:
        """Return when it became live for the last time, ns UTC; 0 for never."""
        return max((at for at, quality in self.marks if quality is Quality.LIVE), default=0)


class TapeWitness:
    """Call :meth:`read` often enough that the writer does not lap it.

    Attributes:
        seen: by the number of the instrument on the board.
    """

    def __init__(self, floor: Floor) -> None:
        shared = floor._memory.of_feed()
        self._reader = TapeReader(shared["tape"], shared["readers"], run_id=floor.run_id, index=0)
        self.seen: dict[int, Witnessed] = {}

    def read(self) -> None:
        """Take in what has been published since.

        Raises:
            TapeOverrunError: the writer was faster.
        """
        while records := self._reader.read():
            # Most records are quotes, which are not looked at.
            for at in range(0, len(records), RECORD_BYTES):
                kind = records[at + _KIND_OFFSET]
                if kind in (_TRADE, _QUALITY):
                    self._take(records, at)

    def _take(self, records: bytes, at: int) -> None:
        _, _, ts_init, number, kind, code, _, price, qty, trade_id, _ = RECORD.unpack_from(records, at)
        witnessed = self.seen.get(number)
        if witnessed is None:
            witnessed = self.seen[number] = Witnessed()
        if kind == _QUALITY:
            witnessed.marks.append((ts_init, Quality(code)))
        else:
            witnessed.trade(int(trade_id), price, qty)

    def close(self) -> None:
        """Let go of the tape."""
        self._reader.close()


def near(found: float, exact: str) -> bool:
    """Say whether a sum of floats is an exact number, within what adding them up costs."""
    return math.isclose(found, float(exact), rel_tol=1e-9, abs_tol=1e-9)
