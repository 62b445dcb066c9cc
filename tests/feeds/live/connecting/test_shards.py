"""Streams on connections: within the limit, by route, together by symbol, and stable."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.live.venue import FakeDialect, key, keys
from tickfloor.feeds.live.connecting.shards import Shards
from tickfloor.feeds.venue import Channel, StreamKey

CHANNELS = [Channel.TRADES, Channel.QUOTES, Channel.BOOK]


def test_the_streams_of_a_symbol_share_a_connection_of_their_route():
    shards = Shards(FakeDialect(streams_per_connection=2))
    wanted = keys("trades A", "trades B", "quotes A", "quotes B", "book A", "book B", "book C")
    added = shards.add(wanted)
    assert added == {
        "market-1": keys("trades A", "quotes A"),
        "market-2": keys("trades B", "quotes B"),
        "books-1": keys("book A", "book B"),
        "books-2": keys("book C"),
    }
    assert shards.add(wanted) == {}


def test_a_stream_that_is_moved_goes_anywhere_else():
    shards = Shards(FakeDialect())
    shards.add(keys("trades A", "trades B"))
    shards.remove(keys("trades A"))
    assert shards.add(keys("trades A"), avoid="market-1") == {"market-2": keys("trades A")}
    assert shards.of(key("trades B")) == "market-1"


def test_a_symbol_with_more_streams_than_a_connection_may_carry_has_several():
    shards = Shards(FakeDialect(streams_per_connection=1))
    assert shards.add(keys("trades A", "quotes A")) == {"market-1": keys("trades A"), "market-2": keys("quotes A")}


@settings(deadline=None)
@given(
    st.integers(1, 6),
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "move"]),
            st.lists(st.builds(StreamKey, st.sampled_from(CHANNELS), st.sampled_from("ABCDEFGH")), max_size=8),
        ),
        max_size=30,
    ),
)
def test_whatever_comes_and_goes_every_stream_has_one_place_and_no_other_stream_moves(most, steps):
    dialect = FakeDialect(streams_per_connection=most)
    shards = Shards(dialect)
    placed: dict[StreamKey, str] = {}
    for what, some in steps:
        if what == "add":
            changed = shards.add(some)
            assert {key for added in changed.values() for key in added} == set(some) - set(placed)
            placed.update({key: name for name, added in changed.items() for key in added})
        else:
            for name, removed in shards.remove(some).items():
                for each in removed:
                    assert placed.pop(each) == name
            if what == "move":
                for name, added in shards.add(some, avoid="market-1").items():
                    assert name != "market-1"
                    placed.update(dict.fromkeys(added, name))
        assert {each: shards.of(each) for each in placed} == placed
        for name in set(placed.values()):
            carried = [each for each in placed if placed[each] == name]
            assert len(carried) <= most
            assert {dialect.route(each) for each in carried} == {name.rpartition("-")[0]}
