"""The estimate of what is kept, against what is there."""

import sys
import weakref
from collections import defaultdict, deque
from random import Random

import numpy as np
import pytest

from tickfloor.contracts.records import Side
from tickfloor.traders.strategies import kept_memory
from tickfloor.traders.strategies.kept_memory import MOST_OBJECTS, kept_bytes
from tickfloor.traders.strategies.ticks import Trade

FLOAT = sys.getsizeof(1.5)


def floats(count):
    random = Random(7)
    return [random.random() for _ in range(count)]


class Holder:
    def __init__(self, held):
        self.held = held


class Keeper(list):
    """A list that can be pointed at."""


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held


@pytest.mark.parametrize("wrap", [lambda held: held, Holder, Slotted, lambda held: {"a": [held]}, lambda held: (held,)])
@pytest.mark.parametrize("kind", [list, tuple, deque, set, lambda each: dict(enumerate(each, 10**6))])
def test_large_containers_are_estimated_wherever_they_are(wrap, kind):
    held = kind(floats(100_000))
    real = sys.getsizeof(held) + 100_000 * FLOAT + (100_000 * sys.getsizeof(10**6) if isinstance(held, dict) else 0)
    assert kept_bytes([wrap(held)]) == pytest.approx(real, rel=0.02)


def test_containers_in_containers_are_estimated():
    kept = defaultdict(lambda: defaultdict(deque))
    for instrument in range(100):
        for minute in range(20):
            kept[f"instrument {instrument}"][minute] = deque(floats(200), maxlen=200)
    real = 100 * 20 * (sys.getsizeof(deque(range(200))) + 200 * FLOAT)
    assert kept_bytes([kept]) == pytest.approx(real, rel=0.1)


def test_ticks_are_seen_though_the_collector_does_not_know_them():
    trades = [Trade("binance:BTCUSDT", 10**18 + n, n + 0.5, n + 0.25, Side.BUY) for n in range(1_000)]
    each = sys.getsizeof(trades[0]) + 2 * FLOAT + sys.getsizeof(10**18)
    assert kept_bytes([trades]) == pytest.approx(1_000 * each, rel=0.15)


def test_arrays_count_with_their_data():
    assert kept_bytes([{"prices": np.zeros(1_000_000)}]) == pytest.approx(8_000_000, rel=0.01)


def test_what_is_kept_twice_counts_once_and_rings_end():
    held = bytearray(1_000_000)
    ring = [held, held]
    ring.append(ring)
    assert kept_bytes([ring, {"again": held}, Holder(ring)]) == pytest.approx(1_000_000, rel=0.01)


def test_what_is_only_pointed_at_is_not_kept():
    held = Keeper(range(100_000))
    assert kept_bytes([{"weakly": weakref.proxy(held), "also": weakref.ref(held)}]) < 10_000


def test_the_program_is_not_kept():
    large = bytearray(10_000_000)

    def function():
        return large

    assert kept_bytes([function, sys, Holder, Holder(1).__init__, np]) == 0
    assert kept_bytes([Holder(function)]) < 10_000


def test_no_more_is_looked_at_than_there_is_time_for(monkeypatch):
    looked = 0
    sampled = kept_memory._sample_of

    def counted(found):
        nonlocal looked
        looked += 1
        return sampled(found)

    monkeypatch.setattr(kept_memory, "_sample_of", counted)
    deep = [[[[[[n] for n in range(20)] for _ in range(16)] for _ in range(16)] for _ in range(16)]]
    kept_bytes([deep])
    assert looked <= MOST_OBJECTS
