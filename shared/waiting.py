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
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


def spread(seconds: float) -> float:
    """About so many seconds: at least as many, and a random bit more."""
    return seconds * (1 + SPREAD * random.random())
