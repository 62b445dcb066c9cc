"""A recording's index: which files, in which order, and what must be in them."""

import os
import re
from pathlib import Path
from typing import Final

import msgspec

from tickfloor.contracts.errors import CaptureError

INDEX_NAME: Final = "index.json"
FILE_SUFFIX: Final = ".frames.gz"
_NAME: Final = re.compile(r"-(\d{6,})-\d{8}T\d{6}Z" + re.escape(FILE_SUFFIX) + "$")


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A finished file of a recording.

    Attributes:
        file: its name, in the index's folder.
        first_recv_ns, last_recv_ns: receive times of its first and last line, ns UTC.
        frames: lines after the first, of every kind.
        bytes, sha256: of the text, not compressed.
        compressed_bytes: size of the file.
        not_recorded: frames that were received while it was written and are not in it.
        recovered: whoever wrote it did not live to finish it; what it last received may be missing.
    """

    file: str
    first_recv_ns: int
    last_recv_ns: int
    frames: int
    bytes: int
    compressed_bytes: int
    sha256: str
    not_recorded: int = 0
    recovered: bool = False


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What ``index.json`` holds.

    Attributes:
        venue: whose frames these are.
        files: in the order in which they were recorded.
        format: of the index.
    """

    venue: str
    files: tuple[FileEntry, ...]
    format: int = 1


def read_index(folder: Path) -> Index | None:
    """Return a folder's index, or None where there is none.

    Raises:
        CaptureError: it is there and cannot be used.
    """
    path = folder / INDEX_NAME
    try:
        index = msgspec.json.decode(path.read_bytes(), type=Index)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CaptureError(f"the index {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CaptureError(f"the index {path} is damaged: {str(error)[:200]}") from error
    if index.format != 1:
        raise CaptureError(f"the index {path} has format {index.format}; this tickfloor reads 1")
    for entry in index.files:
        if Path(entry.file).name != entry.file or not entry.file.endswith(FILE_SUFFIX):
            raise CaptureError(f"the index {path} is damaged: {entry.file!r} is no name of a file beside it")
    return index


def write_index(folder: Path, index: Index) -> None:
    """Replace a folder's index, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    partial = folder / f".{INDEX_NAME}.partial"
    content = msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / INDEX_NAME)


def frame_files(folder: Path) -> list[str]:
    """Return the names of a folder's frame files, in the order in which they were begun."""
    names = (entry.name for entry in folder.iterdir() if entry.name.endswith(FILE_SUFFIX))
    return sorted(names, key=in_order)


def place_of(name: str) -> int:
    """Return the place of a file in its recording, from 1; 0 where its name is not of a recorder's making."""
    found = _NAME.search(name)
    return int(found[1]) if found else 0


def in_order(name: str) -> tuple[int, str]:
    """Return what files are sorted by."""
    return place_of(name), name
