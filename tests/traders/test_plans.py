"""Plans that are made before anybody runs them."""

import msgspec

from tests.traders.strategies.hosting import sample
from tests.traders.tapes import trader
from tickfloor.traders import plans
from tickfloor.traders.worker import prepare


def test_what_is_prepared_is_not_planned_again_and_what_is_not_valid_harms_nothing(monkeypatch):
    good = [trader(f"close > {number}.25", f"t{number}", when="close", interval="5m") for number in range(3)]
    bad = [trader("close >", "bad"), trader("close > 1", "no-interval", interval="7m"), sample("Counting")]
    prepare(msgspec.msgpack.encode([good[0], *bad, *good[1:]]))
    monkeypatch.setattr(plans, "plan", lambda spec: 1 / 0)
    for spec in good:
        assert plans.planned(spec).columns


def test_no_more_than_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(plans, "_plans", {})
    monkeypatch.setattr(plans, "MOST_KEPT", 2)
    prepare(msgspec.msgpack.encode([trader(f"close > {number}") for number in range(5)]))
    assert [rule for rule, *_ in plans._plans] == ["close > 3", "close > 4"]
