"""How long a venue is left alone: as long as it says, within reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.feeds.live.retry_after import LEAST_SECONDS, MOST_SECONDS, pause_seconds


@pytest.mark.parametrize(("status", "said", "seconds"), [
    (429, "", 10.0), (418, "", 120.0), (404, "", 0.0), (429, "30", 30.0), (503, " 7 ", 7.0), (429, "0", LEAST_SECONDS),
    (418, "99999999999", MOST_SECONDS), (429, "9" * 400, 10.0), (429, "Wed, 21 Oct 2026 07:28:00 GMT", 10.0),
])  # fmt: skip
def test_what_the_venue_says_counts_and_else_what_is_usual(status, said, seconds):
    assert pause_seconds(status, said) == seconds


@given(st.integers(100, 599), st.text())
def test_whatever_it_says_there_is_an_end(status, said):
    assert 0 <= pause_seconds(status, said) <= MOST_SECONDS
