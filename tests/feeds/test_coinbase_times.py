from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.feeds.coinbase.times import time_ns
from tickfloor.feeds.errors import FrameError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - hypothesis wants it
    st.integers(0, 999_999_999),
    st.integers(0, 9),
)
def test_times_are_exact_to_the_nanosecond_with_any_number_of_decimals(moment, nanoseconds, decimals):
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    written = f"{nanoseconds:09d}"[:decimals]
    text = f"{whole:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{written}" if written else "") + "Z"
    kept = int(written.ljust(9, "0")) if written else 0
    assert time_ns(text) == (whole - EPOCH) // timedelta(seconds=1) * 1_000_000_000 + kept


@pytest.mark.parametrize(
    "text",
    [
        "", "Z", "2026-08-09T21:05:48", "2026-08-09 21:05:48Z", "2026-08-09T21:05:48+00:00", "2026-13-09T21:05:48Z",
        "2026-08-09T24:05:48Z", "2026-08-09T21:60:48Z", "2026-08-09T21:05:60Z", "2026-08-09T21:05:4Z",
        "2026-08-09T21:05:48.1234567890Z", "2026-08-09T21:05:48.12x4Z", "2026-08-09T21:05:48.-1Z",
        "2026-08-09T21:05:48.1.2Z", "1969-12-31T23:59:59Z", "2026-08-09T21:05:+8Z", "2026-08-09T21:05:4²Z",
        "٢٠٢٦-08-09T21:05:48Z", "2026-08-09T21:05:48.٣Z",
    ],
)  # fmt: skip
def test_what_is_not_a_time_is_refused(text):
    with pytest.raises(FrameError, match="not a time"):
        time_ns(text)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text):
    try:
        found = time_ns(text)
    except FrameError:
        return
    assert found >= 0
