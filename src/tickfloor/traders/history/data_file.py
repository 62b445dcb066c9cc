"""Reading CSV files of market data, plain or gzip, row by row, so that they may be larger than memory."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

from tickfloor.indicators.protocol import LIMIT
from tickfloor.traders.history.errors import DataFileError

Progress = Callable[[int], None]
"""Told now and then how many more bytes of a file have been read."""

_ROWS_BETWEEN_PROGRESS = 4096
_MOST_SHOWN = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GZIP = b"\x1f\x8b"
_UNITS_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_FIRST_OF_UNIT = ((10**17, "ns"), (10**14, "us"), (10**11, "ms"), (0, "s"))
"""A number of such a unit is at least so large for every time since 1973."""


def unheard(read_bytes: int) -> None:
    """Tell nobody about the progress."""


class DataFile:
    """The rows of a file below its header.

    Args:
        names: what is looked for, each with the names it may have in a header, lower case; a name of a time may end
            in its unit: ``_s``, ``_ms``, ``_us``, ``_ns``.
        needed: which of them there have to be.

    Attributes:
        header: the names in it, lower case.
        places: where each of the names is in a row, if it is there.
        line: of the row that was read last.
    """

    def __init__(
        self, path: Path, names: Mapping[str, Sequence[str]], needed: Sequence[str], progress: Progress = unheard
    ) -> None:
        self.path = path
        self.line = 0
        self.header: tuple[str, ...] = ()
        self.places: dict[str, int] = {}
        self._names = names
        self._needed = needed
        self._progress = progress
        self._time_unit = ""

    def rows(self) -> Iterator[list[str]]:
        """Return the rows.

        Raises:
            DataFileError: the file cannot be read or is none of this kind, or a row has too few cells.
        """
        with self._opened() as (raw, text):
            reader = csv.reader(text)
            reported = 0
            try:
                self._read_header(next(reader, []))
                width = max(self.places.values(), default=-1) + 1
                for row in reader:
                    self.line = reader.line_num
                    if len(row) < width:
                        if not row:
                            continue
                        raise self.error(f"has {len(row)} cells where the header has {width} or more")
                    if self.line % _ROWS_BETWEEN_PROGRESS == 0:
                        at = raw.tell()
                        self._progress(at - reported)
                        reported = at
                    yield row
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                reason = f"the gzip data ends or is damaged after this: {error}"
                raise DataFileError(self.path, self.line, reason) from error
            except UnicodeDecodeError as error:
                raise DataFileError(self.path, self.line, "what follows is no UTF-8 text") from error
            except csv.Error as error:
                raise DataFileError(self.path, reader.line_num, str(error)) from error
            self._progress(raw.tell() - reported)

    def error(self, reason: str) -> DataFileError:
        """Return an error about the row that was read last."""
        return DataFileError(self.path, self.line, reason)

    def number(self, row: Sequence[str], name: str) -> float:
        """Return a cell as a number.

        Raises:
            DataFileError: it is none, or not below the limit.
        """
        cell = row[self.places[name]]
        try:
            value = float(cell)
        except ValueError:
            raise self.error(f"{name} is {_shown(cell)}, which is no number") from None
        if not -LIMIT < value < LIMIT:
            raise self.error(f"{name} is {_shown(cell)}; numbers are below {LIMIT:g}")
        return value

    def time_ns(self, row: Sequence[str]) -> int:
        """Return the cell ``time``, ns UTC: a number since 1970, or a date as in ISO 8601, of UTC if it says no zone.

        Raises:
            DataFileError: it is no time since 1970.
        """
        cell = row[self.places["time"]]
        try:
            number = int(cell) if cell.isdecimal() else Decimal(cell)
            possible = 0 <= number < 1 << 63
        except (InvalidOperation, ValueError):  # no number, not a number, more digits than are read
            return self._date_ns(cell)
        if not possible:
            raise self.error(f"time is {_shown(cell)}, which cannot be")
        if not self._time_unit:
            self._time_unit = next(unit for least, unit in _FIRST_OF_UNIT if number >= least)
        time_ns = int(number * _UNITS_NS[self._time_unit])
        if time_ns >= 1 << 62:
            raise self.error(f"time is {_shown(cell)}, which cannot be in {self._time_unit}")
        return time_ns

    def _date_ns(self, cell: str) -> int:
        try:
            date = datetime.fromisoformat(cell.strip())
            since = (date if date.tzinfo else date.replace(tzinfo=UTC)) - _EPOCH
        except (ValueError, OverflowError):
            what = "a number since 1970, in s, ms, us or ns, or a date such as 2024-08-08 23:54:16"
            raise self.error(f"time is {_shown(cell)}; it must be {what}") from None
        if since.days < 0:
            raise self.error(f"time is {_shown(cell)}, which is before 1970")
        return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) * 1_000

    @contextmanager
    def _opened(self) -> Iterator[tuple[BinaryIO, TextIOWrapper]]:
        try:
            with self.path.open("rb") as raw:
                packed = raw.read(len(_GZIP)) == _GZIP
                raw.seek(0)
                stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
                with TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
                    yield raw, text
        except OSError as error:
            raise DataFileError(self.path, 0, f"cannot be read: {error.strerror}") from error

    def _read_header(self, header: Sequence[str]) -> None:
        self.line = 1
        cells = self.header = tuple(cell.strip().lower() for cell in header)
        for name, others in self._names.items():
            for place, cell in enumerate(cells):
                stem, _, unit = cell.rpartition("_")
                if name == "time" and unit in _UNITS_NS and stem in others:
                    self._time_unit = unit
                elif cell not in others:
                    continue
                self.places[name] = place
                break
        missing = [name for name in self._needed if name not in self.places]
        if missing:
            reason = f"the header {_shown(','.join(header))} names no {' and no '.join(missing)}"
            raise self.error(f"{reason}; the first line names the columns, separated by commas")


def header_of(path: Path) -> tuple[str, ...]:
    """Return the names in a file's header, lower case.

    Raises:
        DataFileError: the file cannot be read.
    """
    file = DataFile(path, {}, ())
    next(file.rows(), None)
    return file.header


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= _MOST_SHOWN else cell[:_MOST_SHOWN] + "…")
