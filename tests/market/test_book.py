"""A book equals a sorted dictionary."""

from hypothesis import given
from hypothesis import strategies as st

from tickfloor.market.book import BookSide, OrderBook

levels = st.lists(st.tuples(st.integers(1, 12).map(float), st.sampled_from([0.0, 0.0, 1.0, 2.5])), max_size=40)


@given(levels, levels, st.booleans(), st.integers(0, 15))
def test_a_side_equals_a_sorted_dictionary(first, then, descending, count):
    side = BookSide(descending=descending)
    model = {price: size for price, size in dict(first).items() if size}
    side.replace(first if len(dict(first)) == len(first) else list(dict(first).items()))
    for price, size in then:
        if size:
            model[price] = size
        else:
            model.pop(price, None)
    side.apply(then)
    expected = sorted(model.items(), reverse=descending)
    assert side.top(count) == expected[:count]
    assert side.best() == (expected[0] if expected else None)
    assert len(side) == len(expected)


def test_a_book_has_its_best_first_and_can_be_cleared():
    book = OrderBook()
    book.replace([(1.0, 1.0), (2.0, 1.0)], [(4.0, 1.0), (3.0, 1.0)])
    book.apply([(2.5, 3.0), (9.0, 0.0)], [(3.0, 0.0)])
    assert book.top(2) == ([(2.5, 3.0), (2.0, 1.0)], [(4.0, 1.0)])
    book.clear()
    assert book.top(2) == ([], [])
