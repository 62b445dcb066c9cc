"""One writer, N reader processes: how many ticks a second all of them get, every one checked.

A transport gives the two ends; this module starts the readers, times the run and looks at what they found.
"""

import ctypes
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tickfloor.contracts.records import RECORD, RECORD_BYTES

Records = NDArray[np.uint64]
"""Records as rows of eight words; the last four are float64."""

PRICE = 1.5
"""The first payload word of every record that is sent; its sum shows that the payload came too."""

_PR_SET_PDEATHSIG = 1
_READY, _DONE, _LEAVE, _FAILED = 1, 2, 3, 4


class Transport(Protocol):
    """A way from one writer to N readers. Made in the parent before the readers are forked."""

    def open_writer(self) -> None:
        """Open the writer's end, in the parent, once the readers exist."""

    def write(self, count: int) -> None:
        """Send records 0 to count - 1 to every reader."""

    def open_reader(self, index: int) -> None:
        """Open a reader's end, in its process, until records sent from now on will arrive."""

    def read(self) -> bytes:
        """Return the next records, a whole number of them; empty for none yet."""

    def close_reader(self) -> None:
        """Close a reader's end, in its process."""

    def close(self) -> None:
        """Close the writer's end, when the readers are gone."""


class Checker:
    """Checks that records come without a hole and with their payload."""

    def __init__(self) -> None:
        self.expected = 0
        self.total = 0.0

    def check(self, copy: bytes) -> None:
        """Take the next records.

        Raises:
            AssertionError: one is missing, repeated or out of order.
        """
        if len(copy) == RECORD_BYTES:
            # As a reader of single messages would: NumPy would cost it more than the message.
            sequence, *_, price, _, _, _ = RECORD.unpack(copy)
            if sequence != self.expected:
                raise AssertionError(f"record {sequence} came after {self.expected - 1}")
            self.total += price
            self.expected += 1
            return
        records: Records = np.frombuffer(copy, np.uint64).reshape(-1, 8)
        count = len(records)
        sequences = records[:, 0]
        first = self.expected
        # Strictly one more each time, from the one expected: nothing missing, nothing twice.
        if sequences[0] != first or sequences[-1] != first + count - 1 or not (np.diff(sequences) == 1).all():
            raise AssertionError(f"the records after {first - 1} are out of order: {sequences}")
        self.total += float(records.view(np.float64)[:, 4].sum())
        self.expected = first + count

    def finish(self, count: int) -> None:
        """Make sure that this was all, with its payload.

        Raises:
            AssertionError: there was more, or the sum is wrong.
        """
        if self.expected != count or self.total != count * PRICE:
            raise AssertionError(f"{self.expected} of {count} records, payload {self.total}")


def record(sequence: int) -> bytes:
    """Return the record that peers send, made as cheaply as a caller with values in hand can make it."""
    return RECORD.pack(sequence, 1, 2, 3, 1, 0, 0, PRICE, 2.0, 3.0, 4.0)


class BlockOfRecords:
    """64 records in a NumPy array that is renumbered for every batch."""

    def __init__(self, size: int = 64) -> None:
        one = np.frombuffer(record(0), np.uint64)
        self.records = np.tile(one, (size, 1))
        self.records[:, 0] = np.arange(size)
        self._numbers = np.arange(size, dtype=np.uint64)
        self._column = self.records[:, 0]
        self.bytes = self.records.reshape(-1).data.cast("B")

    def renumber(self, first: int) -> None:
        """Give the records the sequences from ``first`` on."""
        np.add(self._numbers, first, out=self._column)


def ticks_per_second(transport: Transport, readers: int, count: int) -> float:
    """Return how many records a second reach every reader, from the first write to the last reader's end."""
    # A state and the time of the end, a cache line for each reader.
    lines = memoryview(mmap.mmap(-1, 64 * readers)).cast("q")
    pids = [_start_reader(transport, index, count, lines[8 * index : 8 * index + 2]) for index in range(readers)]
    try:
        transport.open_writer()
        _wait(lines, _READY, readers)
        began = time.monotonic_ns()
        transport.write(count)
        _wait(lines, _DONE, readers)
        ended = max(lines[8 * index + 1] for index in range(readers))
        for index in range(readers):
            lines[8 * index] = _LEAVE
        for pid in pids:
            os.waitpid(pid, 0)
        pids.clear()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        transport.close()
    return count / (ended - began) * 1e9


def _start_reader(transport: Transport, index: int, count: int, line: memoryview) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        transport.open_reader(index)
        # A forked process copies each page when it first writes it: that is no part of what is measured.
        Checker().check(BlockOfRecords(4096).bytes.tobytes())
        checker = Checker()
        line[0] = _READY
        while checker.expected < count:
            copy = transport.read()
            if copy:
                checker.check(copy)
        checker.finish(count)
        line[1] = time.monotonic_ns()
        line[0] = _DONE
        # Whoever leaves early disturbs those who still read.
        while line[0] != _LEAVE:
            time.sleep(0.001)
        transport.close_reader()
    except Exception:  # noqa: BLE001  (told to the parent)
        traceback.print_exc()
        line[0] = _FAILED
    os._exit(0)


def _wait(lines: memoryview, state: int, readers: int) -> None:
    while True:
        states = [lines[8 * index] for index in range(readers)]
        if _FAILED in states:
            raise RuntimeError("a reader failed; its traceback is above")
        if all(found >= state for found in states):
            return
        time.sleep(0.001)


def sized(make: Callable[[], Transport], readers: int, seconds: float) -> Callable[[], float]:
    """Return a measurement of a transport whose message count makes it take about so many seconds."""
    count = 0

    def measure() -> float:
        nonlocal count
        if not count:
            count = 2048
            while True:
                rate = ticks_per_second(make(), readers, count)
                if count / rate > seconds / 8:
                    break
                count *= 8
            count = max(64, int(rate * seconds) // 64 * 64)
        return ticks_per_second(make(), readers, count)

    return measure
