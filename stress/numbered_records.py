"""Tape records whose every field follows from their sequence, so that any reader can check any record alone."""

import numpy as np
from numpy.typing import NDArray

from tickfloor.board.tape_writer import TapeWriter

DTYPE = np.dtype(
    [
        ("sequence", "<u8"), ("ts_event", "<i8"), ("ts_init", "<i8"), ("instrument", "<u4"), ("kind", "u1"),
        ("code", "u1"), ("flags", "<u2"), ("a", "<f8"), ("b", "<f8"), ("c", "<f8"), ("d", "<f8"),
    ]
)  # fmt: skip


def append(writer: TapeWriter) -> None:
    """Append the record that belongs at the writer's sequence."""
    n = writer.sequence
    writer.append(
        3 * n, 5 * n, n & 0xFFFF_FFFF, n & 0x7F, n >> 7 & 0x7F, n & 0xFFFF, 1.0 * n, 2.0 * n, -1.0 * n, 0.5 * n
    )


def parse(copy: bytes) -> NDArray[np.void]:
    """Return records as a structured array."""
    return np.frombuffer(copy, DTYPE)


def wrong(records: NDArray[np.void]) -> int:
    """Return how many records hold anything that does not follow from their own sequence."""
    n = records["sequence"].astype(np.int64)
    number = n.astype(np.float64)
    right = (
        (records["ts_event"] == 3 * n)
        & (records["ts_init"] == 5 * n)
        & (records["instrument"] == n & 0xFFFF_FFFF)
        & (records["kind"] == n & 0x7F)
        & (records["code"] == n >> 7 & 0x7F)
        & (records["flags"] == n & 0xFFFF)
        & (records["a"] == number)
        & (records["b"] == 2 * number)
        & (records["c"] == -number)
        & (records["d"] == number / 2)
    )
    return len(records) - int(np.count_nonzero(right))
