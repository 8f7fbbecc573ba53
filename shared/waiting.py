"""How a loop waits: for its bell, or until an instant, so that idle costs nothing."""

from __future__ import annotations

import asyncio
import random

SPREAD = 0.2
"""Share of a safety tick that is random, so that processes don't tick together."""


class Bell:
    """Wakes a loop. What rings while nobody waits is not lost."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Don't wait any longer."""
        self._rung.set()

    async def rest(self, seconds: float) -> bool:
        """Wait until it rings, at most so long; whether it rang."""
        is_rung = await rung_within(self._rung, seconds)
        if is_rung:
            self._rung.clear()
        return is_rung


async def rung_within(bell: asyncio.Event, seconds: float) -> bool:
    """Wait for the bell, at most so long; whether it rang. Whoever waits clears it."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await bell.wait()
    except TimeoutError:
        return False
    return True


def spread(seconds: float) -> float:
    """About so many seconds: at least as many, and a random bit more."""
    return seconds * (1 + SPREAD * random.random())
