"""The real candle files beside the repository, read as columns. They are never copied into it."""

import csv
import gzip
from functools import cache
from pathlib import Path

import pytest

from tests.feeds.recorded import find_data_directory

DATA = find_data_directory()
FILES = sorted((DATA / "candles").glob("*.csv.gz")) if DATA is not None else []


@cache
def candles(path: Path) -> dict[str, list[float]]:
    with gzip.open(path, "rt") as file:
        rows = [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]
    return {name: [row[name] for row in rows] for name in ("open", "high", "low", "close", "volume")}


def need_candles() -> None:
    if not FILES:
        pytest.skip("no candle files beside the repository; set TICKFLOOR_DATA to the data directory")
