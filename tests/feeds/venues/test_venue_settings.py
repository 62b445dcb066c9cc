"""What may be said of a venue."""

import pytest

from tickfloor.config import Config
from tickfloor.contracts.settings import VenueSettings


@pytest.mark.parametrize("patience", [0.01, 1.0, 100.0])
def test_patience_may_be_a_hundredth_to_a_hundred_times_the_usual(patience):
    assert Config(venues=(VenueSettings(venue="kraken", patience=patience),)).venues[0].patience == patience


@pytest.mark.parametrize("patience", [0.0, -1.0, 0.0099, 100.1, float("nan"), float("inf")])
def test_other_patience_is_refused_with_the_venue_and_the_range(patience):
    with pytest.raises(ValueError, match=r"kraken: patience must be from 0\.01 to 100, not"):
        Config(venues=(VenueSettings(venue="kraken", patience=patience),))
