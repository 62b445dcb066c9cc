"""Times as venues write them, held against datetime."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venues.rfc3339 import time_ns

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 1, 0, 0, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - given a zone below


def microseconds(moment: datetime) -> int:
    return (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@given(moments)
def test_a_time_with_microseconds_is_what_datetime_says(moment):
    text = f"{moment.isoformat(timespec='microseconds')}Z"
    assert time_ns(text) == microseconds(moment) * 1_000


@given(moments, st.text("0123456789", max_size=9))
def test_any_number_of_decimals_up_to_nine_is_exact(moment, fraction):
    second = moment.replace(microsecond=0)
    text = f"{second.isoformat()}{'.' * bool(fraction)}{fraction}Z"
    assert time_ns(text) == microseconds(second) * 1_000 + int(fraction.ljust(9, "0") or 0)


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", fullmatch=True))
def test_whatever_is_written_is_a_time_as_datetime_reads_it_or_refused(text):
    try:
        found = time_ns(text)
    except FrameError:
        return
    second, _, fraction = text[:-1].partition(".")
    assert found == microseconds(datetime.fromisoformat(second)) * 1_000 + int(fraction.ljust(9, "0") or 0)


@pytest.mark.parametrize("text", [
    "", "Z", "2023-07-30T15:29:58.343415", "2023-07-30T15:29:58.343415+00:00", "2023-07-30 15:29:58.343415Z",
    "2023-02-30T15:29:58.343415Z", "2023-07-30T24:29:58.343415Z", "2023-07-30T15:29:60.343415Z",
    "1970-01-01T00:00:00.999999Z", "1969-12-31T23:59:59.000000Z", "2023-07-30T15:29:58.Z",
    "2023-07-30T15:29:58.-12345Z",
    "2026-13-09T21:05:48Z", "2026-08-09T21:60:48Z", "2026-08-09T21:05:4Z", "2026-08-09T21:05:48.12x4Z",
    "2026-08-09T21:05:48.1.2Z", "2026-08-09T21:05:+8Z", "2026-08-09T21:05:4²Z", "٢٠٢٦-08-09T21:05:48Z", "Z.Z",
    "2026-08-09T21:05:48,5Z", "2026-08-09T21:05:48ZZ",
    "2023-07-30T15:29:58.٣٤٣٤١٥Z", "2023-07-30T15:29:58.3434151234Z",
])  # fmt: skip
def test_what_is_no_time_is_refused(text):
    with pytest.raises(FrameError, match="not a time"):
        time_ns(text)
