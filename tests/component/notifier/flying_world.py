"""The notifier's world with its loops at work in virtual time, and what it asks of its store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.notifier.handlers.fan_events import FanEventsHandler
from services.notifier.handlers.tag_changes import TagChangesHandler
from services.notifier.loops.bells import RingingWriter
from services.notifier.loops.relay import Relay
from tests.support.notifier_counting import count_round_trips
from tests.support.notifier_fakes import FakeClock
from tests.support.notifier_world import NOON, World


def seconds() -> float:
    """Virtual time since the test began."""
    return asyncio.get_running_loop().time()


class FlyingClock(FakeClock):
    """Our clocks are the loop's."""

    def __init__(self) -> None:
        super().__init__(NOON)

    @property
    def wall(self) -> int:
        return NOON + round(seconds() * 1000)

    @wall.setter
    def wall(self, _value: int) -> None:
        """The loop's clock can't be set."""

    @property
    def mono(self) -> int:
        return 5_000_000 + round(seconds() * 1000)

    @mono.setter
    def mono(self, _value: int) -> None:
        """The same."""


class FlyingWorld(World):
    """A world whose clock is the loop's; what its processes ask of the store is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.platform.clock = FlyingClock()
        self.operations = count_round_trips(self)


class Running:
    """A process with its loops at work; what it plans rings for its sender."""

    def __init__(self, world: FlyingWorld) -> None:
        world.restart()
        self.loop = world.loop
        self.calls = world.single.calls
        self.mass_calls = world.mass.calls

        async def ask_time() -> datetime:
            return world.platform.date

        world.mass.ask_time = ask_time  # type: ignore[method-assign] # its time flies, too
        rows = RingingWriter(world.books.rows, [world.loop._bell])
        self.fan_events = FanEventsHandler(rows, world.queries)
        self.tag_changes = TagChangesHandler(rows, world.campaign_queries)
        outboxes: Any = (world.books.rows, world.books.waves)
        relay = Relay(outboxes, world.observer, rest=asyncio.sleep)
        self._tasks = [
            asyncio.create_task(one) for one in (world.loop.run(), world.planner.run(), relay.run())
        ]

    async def end(self) -> None:
        """Stop as a service does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until(condition: Callable[[], Any], patience_s: float = 600.0) -> None:
    """Poll in virtual time."""
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.01)
