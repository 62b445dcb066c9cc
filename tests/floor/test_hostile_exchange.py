"""Whatever an exchange does, the floor ends up with what the exchange's ledger says: nothing lost, nothing double."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.floor.exchange import Exchange, differences, on_exchange, venue_of
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator

CALM = 0.6
"""Seconds of market in which every instrument trades."""
Action = tuple[str, dict[str, Any]]


def actions(channel: str) -> list[Action]:
    """Every hostility, and what makes the floor notice it."""
    trades = f"btcusdt@{channel}"
    return [
        ("refuse", {"seconds": 0.5}),
        ("drop", {}),
        ("half_open", {}),
        ("silent_ack", {"requests": 1}),
        ("drop", {}),
        ("silent_channel", {"stream": trades, "seconds": 60.0}),
        ("gap", {"stream": trades, "frames": 5}),
        ("gap", {"stream": "ethusdt@depth*", "frames": 3}),
        ("duplicate", {"frames": 3}),
        ("reorder", {"frames": 4}),
        ("malformed", {"frames": 3}),
        ("oversized", {"size": 70 << 20}),
        ("slow_snapshot", {"delay": 0.5, "seconds": 3.0}),
        ("sequence_reset", {"symbol": "BNBUSDT"}),
        ("cut", {}),
        ("shutdown", {"after": 0.2}),
        ("too_many", {"seconds": 1.0, "retry_after": 1}),
        ("gap", {"stream": trades, "frames": 5}),
        ("banned", {"seconds": 1.0, "retry_after": 1}),
        ("drop", {}),
        ("burst", {"events": 3000}),
        ("clock_skew", {"ahead": 3.0}),
    ]


def test_every_hostility_is_among_those_that_are_tried():
    assert {name for name, _ in actions("trade")} == HOSTILITIES.keys() - {"wrong_checksum"}


async def hostile(folder: Path, venue: str, tried: Sequence[Action]) -> list[str]:
    """Let a market go through hostilities, one after another, and return what differs at the end."""
    settings = SimulatorSettings(
        venues=(venue,), instruments=4, rate=400, paused=True, seed=5, ping_seconds=1.0, enforce_limits=False
    )
    async with Simulator(settings) as simulator:

        async def play(exchange: Exchange) -> list[str]:
            await exchange.connected()
            simulator.resume()
            await asyncio.sleep(CALM)
            for number, (action, parameters) in enumerate(tried):
                simulator.do(action, **parameters)
                await asyncio.sleep(CALM)
                # What only shows with the next trouble has not to be over before it.
                if tried[number + 1 : number + 2] != [("drop", {})]:
                    await exchange.recovered()
            simulator.pause()
            await exchange.whole()
            _, figures = await exchange.finish()
            return differences(figures, exchange.ledger(), aggregated=venue != "binance")

        return await on_exchange(folder, simulator, (venue_of(simulator, venue, patience=0.1),), play)


@pytest.mark.slow
@pytest.mark.parametrize(("venue", "channel"), [("binance", "trade"), ("binance-usdm", "aggTrade")])
def test_after_every_hostility_the_floor_has_what_the_exchange_did(venue, channel, tmp_path):
    assert asyncio.run(hostile(tmp_path, venue, actions(channel))) == []
