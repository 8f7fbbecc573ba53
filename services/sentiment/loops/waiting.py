"""How a loop waits: for its bell, or until an instant."""

from __future__ import annotations

import asyncio
import random

SPREAD = 0.2
"""Share of a safety tick that is random, so that processes don't tick together."""


async def rung_within(bell: asyncio.Event, seconds: float) -> bool:
    """Wait for the bell, at most so long; whether it rang."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await bell.wait()
    except TimeoutError:
        return False
    return True


def spread(seconds: float) -> float:
    """About so many seconds: at least as many, and a random bit more."""
    return seconds * (1 + SPREAD * random.random())
