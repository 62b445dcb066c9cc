from hypothesis import given
from hypothesis import strategies as st

from tests.supervisor.fakes import FakeProcess
from tickfloor.contracts.events import AssignInstrument, InstrumentAssigned
from tickfloor.contracts.instruments import Instrument
from tickfloor.supervisor.services.catalogue import Catalogue


@given(st.lists(st.tuples(st.sampled_from(["binance", "kraken"]), st.sampled_from("ABCDEFG"))))
def test_an_instrument_keeps_its_id_and_ids_have_no_holes(asked):
    catalogue = Catalogue()
    found = {key: catalogue.assign(*key) for key in asked}
    assert [catalogue.assign(*key) for key in asked] == [found[key] for key in asked]
    assert sorted(each.id for each in found.values()) == list(range(len(catalogue)))
    assert list(found) == [(each.venue, each.symbol) for each in sorted(found.values(), key=lambda each: each.id)]


def test_the_feed_that_asks_is_answered():
    catalogue, feed = Catalogue(), FakeProcess("feed-1")
    catalogue.answer(feed, AssignInstrument(venue="binance", symbol="ETHUSDT"))
    assert feed.heard == [InstrumentAssigned(instrument=Instrument(0, "binance", "ETHUSDT"))]
