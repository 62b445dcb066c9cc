"""The real candle files beside the repository, read as columns. They are never copied into it."""

import csv
import gzip
import os
from functools import cache
from pathlib import Path

import pytest

DATA = Path(os.environ.get("TICKFLOOR_DATA", Path(__file__).parents[2] / "../shared/data"))
FILES = sorted((DATA / "candles").glob("*.csv.gz"))


@cache
def candles(path: Path) -> dict[str, list[float]]:
    with gzip.open(path, "rt") as file:
        rows = [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(file)]
    return {name: [row[name] for row in rows] for name in ("open", "high", "low", "close", "volume")}


def need_candles() -> None:
    if not FILES:
        pytest.skip(f"no candle files in {DATA / 'candles'}; set TICKFLOOR_DATA to the data directory")
