"""Waiting, at a service's start, for what it depends on: as long as it takes, and it says so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from shared.errors import TransientError
from shared.observe.observer import Observer
from shared.retry import RetryPolicy

RETRY = RetryPolicy(first_delay_s=0.2, max_delay_s=5.0)


async def until_it_answers(
    step: Callable[[], Awaitable[object]], observer: Observer, group: str
) -> None:
    """Repeat `step` while it raises `TransientError`; each failure is told to the observer."""
    attempt = 0
    while True:
        try:
            await step()
        except TransientError as error:
            attempt += 1
            observer.failure(group, "start", error)
            await asyncio.sleep(RETRY.delay_s(attempt, random.random()))
        else:
            return
