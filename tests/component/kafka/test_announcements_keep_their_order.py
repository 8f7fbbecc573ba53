"""A group of announcements is through when it, and all before it, are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.errors import TransientError
from shared.kafka.announcer import Announcer
from shared.kafka.bookkeeping import Entry
from shared.kafka.ports import OutgoingRecord
from shared.testing.memory_log import MemoryPublisher
from shared.testing.silent_observer import SilentObserver
from tests.component.kafka.test_runner_in_memory import until


class SlowPublisher(MemoryPublisher):
    """Takes what it is given once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.asked = 0

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        self.asked += 1
        await self.may.wait()
        await super().publish(records)


def entry(name: str) -> Entry:
    return Entry(name, "TagAssigned", "/test", 1_700_000_000_000, "tag-changes.v1", "k", b"{}", "")


async def test_an_empty_group_waits_for_the_group_before_it_that_is_on_its_way() -> None:
    publisher = SlowPublisher()
    announcer = Announcer(publisher, "group", SilentObserver())
    first = announcer.announce([entry("a")])
    await until(lambda: publisher.asked == 1)
    empty = announcer.announce([])
    for _ in range(10):
        await asyncio.sleep(0)
    assert not empty.done(), "its offsets come after those of the first group"
    publisher.may.set()
    await asyncio.gather(first, empty)
    assert publisher.ids("tag-changes.v1") == ["a"]


async def test_an_empty_group_waits_for_the_group_before_it_that_is_still_queued() -> None:
    publisher = SlowPublisher()
    announcer = Announcer(publisher, "group", SilentObserver())
    announcer.announce([entry("a")])
    empty = announcer.announce([])
    assert not empty.done()
    publisher.may.set()
    await empty
    assert publisher.ids("tag-changes.v1") == ["a"]


async def test_an_empty_group_with_nothing_before_it_is_through_at_once() -> None:
    publisher = SlowPublisher()
    announcer = Announcer(publisher, "group", SilentObserver())
    assert announcer.announce([]).done()
    publisher.may.set()
    await announcer.announce([entry("a")])
    assert announcer.announce([]).done()


async def test_a_failure_holds_back_what_came_later_and_keeps_the_order() -> None:
    publisher = MemoryPublisher()
    publisher.failures = [TransientError("away")]
    announcer = Announcer(publisher, "group", SilentObserver())
    entries = [entry("a"), entry("b"), entry("c")]
    groups = [announcer.announce([one]) for one in entries]
    await asyncio.gather(*groups)
    assert publisher.ids("tag-changes.v1") == ["a", "b", "c"]
    assert {one.progress for one in entries} == {"acknowledged"}


async def test_what_is_stopped_before_it_is_through_is_cancelled_and_not_acknowledged() -> None:
    publisher = SlowPublisher()
    announcer = Announcer(publisher, "group", SilentObserver())
    left = entry("a")
    groups = [announcer.announce([left]), announcer.announce([])]
    await until(lambda: publisher.asked == 1)
    await announcer.stop(0.01)
    later = announcer.announce([entry("b")])
    assert [one.cancelled() for one in (*groups, later)] == [True, True, True]
    assert left.progress == "waiting"
