"""Clocks over many times are what Python's calendar says of each."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.traders.history.clock import clock_values
from tickfloor.traders.language.nodes import Clock

READ = {
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "weekday": lambda moment: moment.weekday(),
    "minute_of_day": lambda moment: moment.hour * 60 + moment.minute,
}
ZONES = ["", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", READ)
@settings(deadline=None, database=None)
@given(st.lists(st.integers(946_684_800, 2_000_000_000), min_size=1, max_size=20))
def test_every_clock_in_every_zone(kind, zone, seconds):
    place = ZoneInfo(zone) if zone else UTC
    expected = [float(READ[kind](datetime.fromtimestamp(each, UTC).astimezone(place))) for each in seconds]
    assert clock_values(Clock(kind, zone), np.array(seconds, dtype=np.int64) * 1000).tolist() == expected


def test_the_hour_that_a_clock_is_put_forward_in():
    before = int(datetime(2024, 3, 10, 6, 59, tzinfo=UTC).timestamp() * 1000)
    shown = clock_values(Clock("hour", "America/New_York"), np.array([before, before + 60_000]))
    assert shown.tolist() == [1.0, 3.0]
