"""What tests of several folders share: the recorded data, and private folders that nothing may be left in."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.feeds import recorded

if TYPE_CHECKING:
    from xdist.remote import Producer

FLOORS = ("tests/floor/", "tests/cli/")
"""Folders whose tests start whole floors."""


class FloorsApart(LoadScopeScheduling):
    """Let whole floors have a process of their own, one after another, while the other tests use what is left.

    A file's tests stay together, in their order. (Groups by mark are lost without a word by pytest-xdist 3.8 under
    pytest 9.2, which no longer takes the name of a group from a test's id.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return "floors" if nodeid.startswith(FLOORS) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> FloorsApart:
    return FloorsApart(config, log)


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
