from hypothesis import given
from hypothesis import strategies as st

from tickfloor.supervisor.pool.placement import place

names = st.text(st.characters(codec="ascii"), min_size=1, max_size=6)
columns = st.dictionaries(names, st.lists(st.sampled_from("abcdefgh"), unique=True).map(tuple), max_size=60)


@given(columns, st.integers(1, 16))
def test_every_trader_has_one_worker_and_no_worker_more_than_its_even_share(needed, workers):
    placed = place(needed, workers)
    assert list(placed) == list(needed)
    assert set(placed.values()) <= set(range(workers))
    share = -(-len(needed) // workers)
    assert all(list(placed.values()).count(worker) <= share for worker in range(workers))


@given(columns, st.integers(1, 16))
def test_the_same_traders_are_placed_the_same(needed, workers):
    assert place(needed, workers) == place(needed, workers)


def test_traders_that_share_columns_share_a_worker():
    needed = {f"{group}-{number}": (f"{group}.a", f"{group}.b") for number in range(5) for group in "xyz"}
    placed = place(needed, 3)
    for group in "xyz":
        assert len({placed[f"{group}-{number}"] for number in range(5)}) == 1


def test_traders_without_columns_are_spread():
    assert sorted(place({str(number): () for number in range(8)}, 4).values()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_more_workers_than_traders_leave_some_empty():
    assert place({"one": ("a",)}, 16) == {"one": 0}
