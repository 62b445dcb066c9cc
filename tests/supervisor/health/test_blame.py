from hypothesis import given
from hypothesis import strategies as st

from tickfloor.supervisor.health.blame import BlameLedger, Harm


def test_the_second_time_quarantines_a_trader_however_much_later():
    ledger = BlameLedger()
    assert ledger.blame("mad", 1.0, Harm.DIED, "trader-1") is None
    assert not ledger.is_quarantined("mad")
    found = ledger.blame("mad", 1e9, Harm.HUNG, "trader-2")
    assert found is not None
    assert found.times == (1.0, 1e9)
    assert found.reason == (
        "its worker died and hung while its code ran, the last time trader-2; mend it, then pardon it"
    )
    assert ledger.is_quarantined("mad")
    assert ledger.quarantined() == (found,)


def test_what_lies_longer_apart_than_the_limit_does_not_add_up():
    ledger = BlameLedger(within=60.0)
    for now in (0.0, 61.0, 122.0):
        assert ledger.blame("unlucky", now, Harm.DIED, "trader-1") is None
    assert ledger.blame("unlucky", 182.0, Harm.DIED, "trader-1") is not None


def test_who_is_quarantined_stays_so_until_a_pardon_and_has_two_chances_then():
    ledger = BlameLedger()
    ledger.blame("mad", 1.0, Harm.DIED, "trader-1")
    first = ledger.blame("mad", 2.0, Harm.DIED, "trader-1")
    assert ledger.blame("mad", 3.0, Harm.DIED, "trader-1") == first
    assert ledger.pardon("mad")
    assert not ledger.is_quarantined("mad")
    assert ledger.blame("mad", 4.0, Harm.DIED, "trader-1") is None
    assert ledger.blame("mad", 5.0, Harm.DIED, "trader-1") is not None
    assert ledger.statistics().pardoned == 1


def test_a_pardon_before_the_quarantine_forgets_the_first_time():
    ledger = BlameLedger()
    ledger.blame("mad", 1.0, Harm.DIED, "trader-1")
    assert not ledger.pardon("mad")
    assert ledger.blame("mad", 2.0, Harm.DIED, "trader-1") is None
    assert not ledger.pardon("nobody")


def test_one_strike_may_be_enough():
    assert BlameLedger(strikes=1).blame("mad", 1.0, Harm.HUNG, "trader-1") is not None


def test_the_oldest_suspects_are_forgotten_but_nobody_in_quarantine():
    ledger = BlameLedger(most_suspects=3)
    for _ in range(2):
        ledger.blame("mad", 0.0, Harm.DIED, "trader-1")
    for number in range(10):
        ledger.blame(f"suspect-{number}", 1.0, Harm.DIED, "trader-1")
    statistics = ledger.statistics()
    assert (statistics.suspects, statistics.forgotten, statistics.blamed) == (3, 7, 12)
    assert [each.name for each in statistics.quarantined] == ["mad"]
    assert ledger.blame("suspect-9", 2.0, Harm.DIED, "trader-1") is not None
    assert ledger.blame("suspect-0", 2.0, Harm.DIED, "trader-1") is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans())), st.integers(1, 3))
def test_a_trader_is_quarantined_exactly_when_enough_lies_within_the_limit(told, strikes):
    ledger = BlameLedger(strikes=strikes, within=100.0)
    times, kept_out, now = {}, set(), 0
    for name, pause, pardon in told:
        now += pause
        if pardon:
            assert ledger.pardon(name) == (name in kept_out)
            kept_out.discard(name)
            times.pop(name, None)
            continue
        found = ledger.blame(name, float(now), Harm.DIED, "trader-1")
        times.setdefault(name, []).append(now)
        last = times[name][-strikes:]
        if name not in kept_out and len(last) == strikes and now - last[0] <= 100:
            kept_out.add(name)
        assert (found is not None) == (name in kept_out)
        assert {each.name for each in ledger.quarantined()} == kept_out
