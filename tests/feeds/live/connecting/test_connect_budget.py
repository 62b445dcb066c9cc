"""A venue's budget of attempts to connect."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.feeds.live.connecting.connect_budget import ConnectBudget


@settings(deadline=None)
@given(
    attempts=st.integers(1, 5), window=st.integers(1, 100), pauses=st.lists(st.integers(0, 60), min_size=1, max_size=40)
)
def test_no_window_ever_holds_more_attempts_than_allowed_and_none_waits_longer_than_it_must(attempts, window, pauses):
    now = 0
    taken = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += round(seconds * 1e9)

    async def main():
        nonlocal now
        budget = ConnectBudget(attempts, window, clock=lambda: now, sleep=sleep)
        for pause in pauses:
            now += pause * 1_000_000_000
            asked = now
            await budget.take()
            taken.append(now)
            if now > asked:
                assert taken[-1] - taken[-1 - attempts] == window * 1_000_000_000

    asyncio.run(main())
    for first, last in zip(taken, taken[attempts:], strict=False):
        assert last - first >= window * 1_000_000_000


def test_who_waits_gets_his_turn_in_order():
    async def main():
        now = 0
        order = []

        async def sleep(seconds: float) -> None:
            nonlocal now
            now += round(seconds * 1e9)
            await asyncio.sleep(0)

        budget = ConnectBudget(1, 10, clock=lambda: now, sleep=sleep)

        async def attempt(name: int) -> None:
            await budget.take()
            order.append((name, now))

        await asyncio.gather(*(attempt(name) for name in range(3)))
        assert order == [(0, 0), (1, 10_000_000_000), (2, 20_000_000_000)]

    asyncio.run(main())
