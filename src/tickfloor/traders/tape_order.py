"""Records that somebody takes in tape order, without a hole."""

from tickfloor.contracts.records import RECORD_BYTES


def end_of(records: bytes, position: int) -> int:
    """Return the sequence after the last record, or ``position`` if there is none; both count records.

    Raises:
        ValueError: they are not whole records, or do not follow on ``position``.
    """
    if len(records) == RECORD_BYTES:  # far the most, while the market is quiet
        first = int.from_bytes(records[:8], "little")
        if first <= position:
            return first + 1
    if len(records) % RECORD_BYTES:
        raise ValueError(f"{len(records)} bytes are not whole records of {RECORD_BYTES}")
    if not records:
        return position
    sequences = memoryview(records).cast("B").cast("Q")[:: RECORD_BYTES // 8].tolist()
    first, end = sequences[0], sequences[0] + len(sequences)
    if first > position or sequences != list(range(first, end)):
        raise ValueError(
            f"records {first} to {sequences[-1]} do not follow on position {position} without a hole; "
            "resynchronise from the board"
        )
    return end
