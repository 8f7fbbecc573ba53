"""Ends waits that last too long, with one timer for all: one each cost a tenth of a webhook.

The clock is `time.monotonic`: asking the loop for its own costs a system call on Python 3.11.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

LOOK_EVERY_S = 0.1
"""A wait may last so much longer than allowed."""


class Deadlines:
    """Futures that may stay open for `seconds` each; then they end with `TimeoutError`.

    It looks only while something waits, and holds no future for longer than its time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, future: asyncio.Future[Any], began: float) -> None:
        """End the future when `seconds` have passed since `began` (`time.monotonic`)."""
        self._waiting.append((began, future))
        if self._timer is None:
            self._look_later()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        overdue = time.monotonic() - self._seconds
        while self._waiting:
            began, future = self._waiting[0]
            if not future.done():
                if began > overdue:
                    break
                future.set_exception(TimeoutError())
            self._waiting.popleft()
        if self._waiting:
            self._look_later()
