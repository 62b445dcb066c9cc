"""What tests of several folders share: the recorded data, and private folders that nothing may be left in."""

from pathlib import Path

import pytest

from tests.feeds import recorded


@pytest.fixture(scope="session")
def data() -> Path:
    """The recorded market data, ``shared/data`` beside the repository or ``TICKFLOOR_DATA``; without it, a skip."""
    return recorded.data_directory()


@pytest.fixture(scope="session")
def small_capture(data: Path) -> Path:
    """Three instruments, 90 seconds, 4,716 frames."""
    return data / "raw" / "binance_spot_3sym_20210404.frames.gz"


@pytest.fixture(scope="session")
def many_rules() -> Path:
    """Twelve rules, most of them with state, that give hundreds of signals on a minute of frames."""
    return Path(__file__).parent / "floor" / "many_rules.toml"
