"""A curve in characters, and a picture, of any price."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.cli.price_plot import curve, picture_of

points = st.lists(
    st.tuples(st.integers(0, 10**18), st.integers(-(10**12), 10**12).map(lambda n: n / 1_000)), min_size=1, max_size=60
)


@settings(deadline=None, database=None)
@given(points, st.integers(1, 80))
def test_every_curve_has_its_size_and_its_marks_below_the_points(found, width):
    found.sort()
    times, prices = [at for at, _ in found], [price for _, price in found]
    lines, marks = curve(times, prices, times[:1] + times[-1:], width)
    assert {len(line) for line in (*lines, marks)} == {15 + width}
    assert marks[15] == "▲"
    assert marks[-1] == "▲" or times[0] == times[-1]


def test_a_rising_price_rises_to_the_right():
    lines, _ = curve(range(40), [float(at) for at in range(40)], [], 40)
    heights = [sum(line[15 + column] != " " for line in lines) for column in range(40)]
    assert heights == sorted(heights)
    assert (heights[0], heights[-1]) == (1, len(lines))
    assert lines[0].startswith("            39 ")
    assert lines[-1].startswith("             0 ")


@pytest.mark.parametrize("prices", [[], [5.0], [5.0, 5.0], [1.0, 2.0]])
def test_a_picture_is_whole_whatever_the_price(prices):
    times = list(range(len(prices)))
    signals = [(at, price) for at, price in zip(times, prices, strict=True)]
    picture = ElementTree.fromstring(picture_of("a <b> & \x1b[31m", times, prices, signals))
    assert len(picture.findall("{*}path")) == len(prices)
    assert picture.find("{*}text").text == "a <b> & ?[31m"


def test_a_picture_says_prices_and_times_and_cuts_nothing_off():
    picture = ElementTree.fromstring(picture_of("title", [0, 60_500_000_000], [19_770.125, 0.000012345], []))
    texts = {text.text: text.attrib for text in picture.findall("{*}text")}
    assert texts.keys() == {"title", "19770.125", "1.2345e-05", "1970-01-01 00:00:00", "1970-01-01 00:01:00.500"}
    assert all(float(texts[price]["x"]) > 9 * len(price) for price in ("19770.125", "1.2345e-05"))
