"""Tells an answer that came late from one that this process was late to read.

On a busy machine the test's own process may not run for seconds. What it measures then is longer
than what it wants to know, by the stall in which a wait began or ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Self

TICK_S = 0.05


class Stalls:
    """Wakes every 50 ms and notes when it woke late; an async context manager."""

    def __init__(self) -> None:
        self.noted: list[tuple[float, float]] = []
        """When each wake was due, and when it came."""
        self.due = time.monotonic() + TICK_S
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def excused_s(self, began: float, ended: float) -> float:
        """How much of a wait was not the other side's.

        Only stalls at its two ends count. During one in the middle the other side's time went on,
        and what it answered was read when the stall was over.

        Args:
            began: `time.monotonic()` at its begin.
            ended: and at its end.
        """
        # An answer that arrives during a stall may be read before the ticker wakes from it.
        stalls = [*self.noted, (self.due, ended)]
        return sum(
            min(woke, ended) - max(due, began)
            for due, woke in stalls
            if due < ended and woke > began
            if due - TICK_S <= began or woke + TICK_S >= ended
        )

    async def _tick(self) -> None:
        while True:
            self.due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            woke = time.monotonic()
            if woke - self.due > TICK_S:
                self.noted.append((self.due, woke))
