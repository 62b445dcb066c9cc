"""Whatever an exchange does, the floor ends up with what the exchange's ledger says: nothing lost, nothing double."""

import asyncio

import pytest

from tests.floor.exchange import Exchange, differences, on_exchange, venue_of
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator

CALM = 0.7
"""Seconds of market without hostility, in which every instrument trades."""


async def hostile(folder, actions, venue="binance"):
    """Run a market through hostilities, one after another, and return what differs at the end."""
    settings = SimulatorSettings(
        venues=(venue,), instruments=4, rate=400, paused=True, seed=5, ping_seconds=1.0, enforce_limits=False
    )
    async with Simulator(settings) as simulator:

        async def play(exchange: Exchange) -> list[str]:
            await exchange.connected()
            simulator.resume()
            await asyncio.sleep(CALM)
            for action, parameters in actions:
                simulator.do(action, **parameters)
                await asyncio.sleep(CALM)
            await asyncio.sleep(CALM)
            simulator.pause()
            await exchange.whole()
            _, figures = await exchange.finish()
            return differences(figures, exchange.ledger(), aggregated=venue != "binance")

        return await on_exchange(folder, simulator, (venue_of(simulator, venue),), play)


SCENARIOS = {
    "calm": [],
    "drop": [("drop", {})],
    "gap": [("gap", {"stream": "btcusdt@trade", "frames": 5})],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_hostility(name, tmp_path):
    found = asyncio.run(hostile(tmp_path, SCENARIOS[name]))
    assert found == []
