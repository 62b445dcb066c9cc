"""Kraken's decimal seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venues.kraken.unix_time import unix_ns


@given(st.integers(1, 9_999_999_999), st.text("0123456789", max_size=9))
def test_decimal_seconds_are_exact(seconds, fraction):
    text = f"{seconds}{'.' * bool(fraction)}{fraction}"
    assert unix_ns(text) == seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


@pytest.mark.parametrize(
    "text", ["", "0", "0.5", "-1", "1e9", "1688669597.", ".5", "1688669597.12345678901", "nan", "١"]
)
def test_what_are_no_seconds_is_refused(text):
    with pytest.raises(FrameError, match="not a time"):
        unix_ns(text)
