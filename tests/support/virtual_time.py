"""An event loop whose time flies: where it would sleep, its clock is put forward instead.

The loops of a service run as they are, with every wait of theirs, and an hour takes a second. For
code without real I/O only: what waits for a socket would wait for ever.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


class _Selector(selectors.SelectSelector):
    """Takes a wait for done, and tells by how much time went on."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is due ever again: a test waits for what nobody does")
        self.passed_s += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._selector_by_hand = _Selector()
        super().__init__(self._selector_by_hand)

    def time(self) -> float:
        return self._selector_by_hand.passed_s


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run to the end, in virtual time from 0 s."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
