"""What must outlive a worker, in memory that its supervisor holds.

Two regions of an anonymous file and a header that says which is current. A worker that is killed while it
writes leaves the other region untouched, and a successor reads only after its predecessor's death is certain.
"""

import os
import struct
import zlib

from tickfloor.board import segment
from tickfloor.contracts.errors import CheckpointError

_HEADER = struct.Struct("<QQQQ")
"""Number of the checkpoint (0 for none), offset and length of its bytes, CRC-32 of them."""

_FIRST_REGION = segment.PAGE


def create(slot: str) -> int:
    """Return the descriptor of an empty checkpoint."""
    return segment.create(f"{slot}-checkpoint", _FIRST_REGION)


class Checkpoint:
    """One slot's checkpoint, written by the slot's worker."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        number, offset, length, _ = self._header()
        self._number = number
        self._regions = [(_FIRST_REGION, 0), (_FIRST_REGION, 0)]
        if number:
            self._regions[number & 1] = (offset, length)

    def write(self, *pieces: bytes) -> int:
        """Make these bytes, one after the other, the current checkpoint; return how many they are.

        Raises:
            CheckpointError: the host lacks the memory; the checkpoint before stays current.
        """
        number = self._number + 1
        size = sum(map(len, pieces))
        offset, capacity = self._regions[number & 1]
        try:
            if size > capacity:
                offset, capacity = self._room_for(size)
                os.posix_fallocate(self._fd, offset, capacity)
                self._regions[number & 1] = (offset, capacity)
            checksum, at = 0, offset
            for piece in pieces:
                checksum = zlib.crc32(piece, checksum)
                at = _write_all(self._fd, piece, at)
            _write_all(self._fd, _HEADER.pack(number, offset, size, checksum), 0)
        except OSError as error:
            raise CheckpointError(f"a checkpoint of {size:,} bytes: {error.strerror}") from error
        self._number = number
        return size

    def read(self) -> bytes | None:
        """Return the current checkpoint, or None if there is none.

        Raises:
            CheckpointError: its bytes are not those that were written.
        """
        number, offset, length, checksum = self._header()
        if number == 0:
            return None
        if offset + length > os.fstat(self._fd).st_size:
            raise CheckpointError(f"checkpoint {number} is damaged: it shall have {length:,} bytes at {offset:,}")
        state = os.pread(self._fd, length, offset)
        if len(state) != length or zlib.crc32(state) != checksum:
            raise CheckpointError(f"checkpoint {number} of {length:,} bytes is damaged")
        return state

    def _room_for(self, size: int) -> tuple[int, int]:
        """Return offset and capacity of a region that leaves the current one alone.

        Before it, if it fits there: so the file stays small however many incarnations write to it.
        """
        begin, length = self._regions[self._number & 1]
        before = begin - _FIRST_REGION
        return (_FIRST_REGION, before) if size <= before else (begin + length, 2 * size)

    def _header(self) -> tuple[int, int, int, int]:
        found: tuple[int, int, int, int] = _HEADER.unpack(os.pread(self._fd, _HEADER.size, 0))
        return found


def _write_all(fd: int, data: bytes, offset: int) -> int:
    """Write bytes at an offset and return the one after them."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written
    return offset
