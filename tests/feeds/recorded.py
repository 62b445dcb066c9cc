"""Finds the recorded market data beside the repository."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

CAPTURES = (
    "binance_coinm_btcusd_perp_20240808",
    "binance_spot_3sym_20210404",
    "binance_spot_4sym_20211012",
    "binance_spot_btcusdt_20240808",
    "binance_usdm_4sym_20210722",
    "binance_usdm_btcusdt_20240808",
)


def places() -> list[Path]:
    """Return where the recorded data may be, the likeliest first."""
    named = os.environ.get("TICKFLOOR_DATA")
    return [Path(named)] if named else [parent / "shared" / "data" for parent in Path(__file__).parents]


def find_data_directory() -> Path | None:
    """Return the directory of the recorded data, or None where there is none."""
    return next((place for place in places() if (place / "raw").is_dir()), None)


def data_directory() -> Path:
    """Return the directory of the recorded data, or skip the test."""
    found = find_data_directory()
    if found is None:
        pytest.skip(f"no recorded market data at {' or '.join(map(str, places()[-3:]))}; set TICKFLOOR_DATA")
    return found


def capture_path(name: str) -> Path:
    return data_directory() / "raw" / f"{name}.frames.gz"


def truth(name: str) -> dict[str, Any]:
    return json.loads((data_directory() / "truth" / f"{name}.truth.json").read_text())


def truth_rows(name: str, what: str) -> list[dict[str, str]]:
    path = data_directory() / "truth" / f"{name}.{what}.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))
