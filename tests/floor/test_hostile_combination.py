"""One round of the stress test: workers killed among several hostilities, and nothing is lost, doubled or unmarked."""

import asyncio

import pytest
from stress.hostile_exchange import HostileExchange


@pytest.mark.slow
def test_a_floor_survives_a_combination_of_troubles(tmp_path, capsys):
    test = HostileExchange(tmp_path, seed=29, troubles=4)
    asyncio.run(test.round(0))
    assert test.tally.passed, capsys.readouterr().err
    assert test.tally.count("equal to the ledger") == 1
    assert test.tally.count("trades") > 100
