"""Lets a fake clock pass while everybody rests, so that paced work takes no time to test."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from itertools import count
from typing import Any, TypeVar

from tests.support.notifier_fakes import FakeClock

T = TypeVar("T")

_TURNS = 300
"""Turns of the event loop after which everybody who can go on has done so."""


class PassingTime:
    """Moves a clock to the next instant that somebody waits for, once nobody can go on.

    Args:
        clock: is moved.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._order = count()
        self._resting: list[tuple[int, int, asyncio.Future[None]]] = []

    async def rest(self, seconds: float) -> None:
        """Wait by the fake clock; see `services.notifier.ports.Rest`."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(
            self._resting, (self._clock.mono + round(seconds * 1000), next(self._order), woken)
        )
        await woken

    async def until(self, *work: Coroutine[Any, Any, T]) -> list[T]:
        """Let time pass until all of this is done."""
        tasks = [asyncio.ensure_future(one) for one in work]
        while not all(task.done() for task in tasks):
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if self._resting and not all(task.done() for task in tasks):
                at, _, woken = heapq.heappop(self._resting)
                self._clock.advance(max(0, at - self._clock.mono))
                woken.set_result(None)
        return [task.result() for task in tasks]
