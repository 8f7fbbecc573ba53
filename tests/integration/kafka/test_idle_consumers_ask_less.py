"""Where nothing comes, a consumer lets the log rest; where something comes, it is quick again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.support.consumed_topic import ConsumedTopic

WAIT_S = 60.0
FETCHES = 6
LEAST_S = 0.5 * (FETCHES - 1) * 0.9
"""Each fetch of an idle consumer is held for half a second."""


class Fetches:
    """Counts what a consumer asks its log for."""

    def __init__(self, consumer: Any) -> None:
        self.times: list[float] = []
        fetcher = consumer._fetcher
        inner = fetcher._proc_fetch_request

        async def counting(*arguments: Any) -> Any:
            self.times.append(time.monotonic())
            return await inner(*arguments)

        fetcher._proc_fetch_request = counting

    async def seconds_of_the_next(self) -> float:
        """How long the next few fetches take, from the first to the last."""
        first = len(self.times)
        async with asyncio.timeout(WAIT_S):
            while len(self.times) < first + FETCHES:
                await asyncio.sleep(0.01)
        return self.times[first + FETCHES - 1] - self.times[first]


async def applied(consumed: ConsumedTopic, fan: str, clicks: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while await consumed.clicks(fan) != clicks:
            await asyncio.sleep(0.05)


async def test_a_consumer_without_records_asks_less_often_and_quickly_again_after_one(
    consumed: ConsumedTopic,
) -> None:
    await consumed.start()
    consumed.produce("a", "c1")
    await applied(consumed, "a", 1)
    fetches = Fetches(consumed.runner.assignment.consumer())
    async with asyncio.timeout(WAIT_S):
        while await fetches.seconds_of_the_next() < LEAST_S:
            pass  # it is not at rest yet
    consumed.produce("a", "c2")
    await applied(consumed, "a", 2)
    assert await fetches.seconds_of_the_next() < LEAST_S / 2
    async with asyncio.timeout(WAIT_S):
        while await fetches.seconds_of_the_next() < LEAST_S:
            pass
    await consumed.stop()
    assert (await consumed.balance()).balanced
