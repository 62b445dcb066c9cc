"""Records as messages: what a reader that does not read shared memory is sent, and who that is."""

import msgspec


class RecordMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record of the tape; fields and units as in :mod:`tickfloor.contracts.records`."""

    sequence: int
    ts_event: int
    ts_init: int
    instrument: int
    kind: int
    code: int
    flags: int
    a: float
    b: float
    c: float
    d: float


class RecordBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Records that follow each other on the tape without a hole; at least one."""

    records: list[RecordMessage]


MAX_BATCH = 256
"""Records of one message."""
MAX_MESSAGE_BYTES = 1 << 15
"""No message is longer: a record takes 75 bytes at most."""


def takes_messages(slot: str, share: int) -> bool:
    """Return whether a trader worker takes messages where ``share`` percent of all do.

    It goes by the number of its slot, so that a worker's successors do as it did. Of the first N workers it is
    N x share / 100, rounded down.
    """
    number = int(slot.rpartition("-")[2])
    return number * share // 100 > (number - 1) * share // 100
