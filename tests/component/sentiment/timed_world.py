"""The incident world with its loops running in virtual time, and store operations counted.

Several processes may run; one is killed by cancelling its loops, with its leases left as they are.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.sentiment.domain.paging.escalation import Policy
from services.sentiment.domain.paging.page_text import PageMessage
from services.sentiment.domain.paging.pages import Outcome
from tests.component.sentiment.incident_world import NOON, POLICY, Process, World


class Counted:
    """A part of the store; its operations are counted by name."""

    def __init__(self, part: Any, name: str, operations: Counter[str]) -> None:
        self._part = part
        self._name = name
        self._operations = operations

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not inspect.iscoroutinefunction(found) and not inspect.isasyncgenfunction(found):
            return found

        def counting(*arguments: Any, **named: Any) -> Any:
            self._operations[f"{self._name}.{name}"] += 1
            return found(*arguments, **named)

        return counting


@dataclass
class TimedChannel:
    """A pager that notes when it accepted what, in seconds of virtual time."""

    takes_s: float = 0.05
    accepted: list[tuple[float, PageMessage]] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)

    async def send(self, message: PageMessage) -> Outcome:
        self.calls.append(seconds())
        await asyncio.sleep(self.takes_s)
        self.accepted.append((seconds(), message))
        return Outcome("sent", "0")


class TimedWorld(World):
    """A world whose clock is the loop's."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.timed = {name: TimedChannel() for name in self.channels}
        for name in ("leases", "counters", "rows", "book"):
            setattr(self, name, Counted(getattr(self, name), name, self.operations))
        for name, store in self.stores.items():
            counted: Any = Counted(store, name, self.operations)
            self.stores[name] = counted
        channels: Any = self.timed
        self.channels = channels

    @property
    def now(self) -> int:
        return NOON + round(seconds() * 1000)

    @now.setter
    def now(self, _value: int) -> None:
        """The loop's clock can't be set."""


def seconds() -> float:
    """Virtual time since the test began."""
    return asyncio.get_running_loop().time()


class Running:
    """A process with its loops at work."""

    def __init__(self, world: TimedWorld, policy: Policy = POLICY) -> None:
        self.process: Process = world.process(policy=policy)
        loops = (self.process.evaluator, self.process.pager, self.process.historian)
        self._tasks = [asyncio.create_task(loop.run()) for loop in loops]

    async def consume(self) -> None:
        """Take what is in the log."""
        await self.process.consume()

    def kill(self) -> None:
        """No more steps; nothing is given back."""
        for task in (*self._tasks, *self.process.pager._dispatcher._tasks):
            task.cancel()

    async def end(self) -> None:
        """Stop, so that the test can end."""
        self.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until(condition: Callable[[], Any], patience_s: float = 600.0) -> None:
    """Poll in virtual time."""
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.01)
