"""What a feed's last word counts where it is not the first feed of its floor."""

import asyncio
import os
import signal
import time

from tests.floor.exchange import Exchange, on_exchange, until_true, venue_of
from tickfloor.kinds import FEED
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator


def test_the_last_word_counts_the_frames_of_a_feed_that_died_too(tmp_path):
    async def killed(exchange: Exchange) -> tuple[int, int]:
        floor = exchange.floor

        async def counted() -> bool:
            status = floor.status().feed
            return status is not None and status.frames > 500

        await exchange.connected()
        await until_true(counted, "500 frames are counted")
        before = floor.status().feed.frames
        process = floor.supervisor.slot(FEED).process
        os.kill(process.pid, signal.SIGKILL)
        await process.dead.wait()

        async def succeeded() -> bool:
            return floor.supervisor.slot(FEED).process is not process and bool(await exchange.reports())

        await until_true(succeeded, "the feed has a successor")
        await exchange.connected()
        feed, _ = await exchange.finish()
        return before, feed.frames

    async def scenario() -> tuple[int, int]:
        settings = SimulatorSettings(venues=("binance",), seed=3, instruments=2, rate=400.0, start_ns=time.time_ns())
        async with asyncio.timeout(60), Simulator(settings) as simulator:
            return await on_exchange(tmp_path, simulator, (venue_of(simulator, "binance"),), killed)

    before, counted = asyncio.run(scenario())
    assert counted > before
