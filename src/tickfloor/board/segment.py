"""Anonymous shared memory, passed between processes as a descriptor.

A segment has no name, so nothing can be left behind, and it is reserved before it is mapped, so that a
host without memory answers with an error at once and not with a bus error later.
"""

import errno
import mmap
import os
import struct
import tempfile

from tickfloor.board.host_memory import available_memory
from tickfloor.contracts.errors import LayoutMismatchError, OutOfMemoryError, SegmentError

PAGE = mmap.PAGESIZE
HEADER = struct.Struct("<QQQQ")
"""Magic, layout version, run id, writer incarnation: the first words of every segment."""

_INCARNATION = struct.Struct("<Q")
_INCARNATION_OFFSET = HEADER.size - _INCARNATION.size

_MARGIN = 64 << 20
"""Memory, bytes, that a reservation must leave to everybody else on the host."""


def create(name: str, size: int) -> int:
    """Return the descriptor of a new segment of ``size`` bytes, all zero.

    Only the descriptor and its copies refer to it: the memory is gone with the last of them.

    Raises:
        OutOfMemoryError: see :func:`reserve`; for a ``size`` known to be needed whole, call that next.
    """
    try:
        fd = os.memfd_create(f"tickfloor-{name}", os.MFD_CLOEXEC)
    except AttributeError:
        with tempfile.TemporaryFile(prefix=f"tickfloor-{name}-") as unlinked:
            fd = os.dup(unlinked.fileno())
    try:
        os.ftruncate(fd, size)
    except (OSError, OverflowError) as error:
        os.close(fd)
        raise OutOfMemoryError(f"cannot make the {name} segment of {_mib(size)}: {error}") from error
    return fd


def reserve(fd: int, offset: int, length: int, name: str) -> None:
    """Make sure that a part of a segment has memory behind it.

    Raises:
        OutOfMemoryError: the host lacks it; nothing was taken.
    """
    available = available_memory()
    if length + _MARGIN > available:
        raise OutOfMemoryError(
            f"the {name} segment needs {_mib(length)} of shared memory and the host has {_mib(available)} left; "
            "make it smaller (tape_records, board_instruments, board_depth) or free memory"
        )
    try:
        os.posix_fallocate(fd, offset, length)
    except OSError as error:
        if error.errno not in (errno.ENOMEM, errno.ENOSPC, errno.EFBIG):
            raise
        raise OutOfMemoryError(
            f"the {name} segment needs {_mib(length)} of shared memory: {error.strerror}; "
            "make it smaller (tape_records, board_instruments, board_depth) or free memory"
        ) from error


def create_page(name: str) -> int:
    """Return the descriptor of a new segment of one page that has memory behind it, all zero.

    Raises:
        OutOfMemoryError: the host lacks it; nothing is left.
    """
    fd = create(name, PAGE)
    try:
        reserve(fd, 0, PAGE, name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_only(fd: int) -> int:
    """Return a descriptor of the same segment that cannot be written or mapped for writing."""
    return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)


def map_writable(fd: int) -> mmap.mmap:
    """Map a whole segment for its single writer.

    Raises:
        OutOfMemoryError: this process has no address space left.
        PermissionError: the descriptor is a reader's.
        SegmentError: the segment is empty.
    """
    return _map(fd, mmap.PROT_READ | mmap.PROT_WRITE)


def map_read_only(fd: int) -> mmap.mmap:
    """Map a whole segment for a reader, who cannot change it.

    Raises:
        OutOfMemoryError: this process has no address space left.
        SegmentError: the segment is empty.
    """
    return _map(fd, mmap.PROT_READ)


def _map(fd: int, protection: int) -> mmap.mmap:
    size = os.fstat(fd).st_size
    if size == 0:
        raise SegmentError("the segment is empty: it was never made, or made by a process that failed")
    try:
        return mmap.mmap(fd, size, prot=protection)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise OutOfMemoryError(f"cannot map a segment of {_mib(size)}: no address space left") from error


def write_header(mapping: mmap.mmap, magic: int, version: int, run_id: int) -> None:
    """Write the header of a new segment; no writer has it yet."""
    HEADER.pack_into(mapping, 0, magic, version, run_id, 0)


def claim_writer(mapping: mmap.mmap, incarnation: int) -> None:
    """Take a segment over for writing.

    Raises:
        LayoutMismatchError: a later incarnation has taken it already.
    """
    (last,) = _INCARNATION.unpack_from(mapping, _INCARNATION_OFFSET)
    if incarnation <= last:
        raise LayoutMismatchError(f"writer {incarnation} is fenced: writer {last} owns the segment")
    # Only this word: packing clears what it fills first, and a reader may be checking the header meanwhile.
    _INCARNATION.pack_into(mapping, _INCARNATION_OFFSET, incarnation)


def check_header(mapping: mmap.mmap, magic: int, version: int, run_id: int) -> None:
    """Refuse a segment of another kind, layout or run.

    Raises:
        LayoutMismatchError: naming what differs.
    """
    if len(mapping) < HEADER.size:
        raise SegmentError(f"the segment of {len(mapping)} bytes is too small to hold a header")
    found = HEADER.unpack_from(mapping)[:3]
    for what, wanted, got in zip(("kind", "layout version", "run"), (magic, version, run_id), found, strict=True):
        if wanted != got:
            raise LayoutMismatchError(f"the segment's {what} is {got:#x}, this process expects {wanted:#x}")


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"
