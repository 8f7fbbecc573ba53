"""Documents are read as they are, and a writer goes on from what was read without reading again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from shared.documents.reader import DocumentReader, Versioned
from shared.errors import TransientError
from shared.events import TagAssigned
from shared.kafka.handler import Announcement, Change
from shared.kafka.writer import DocumentWriter
from shared.testing.memory_log import MemoryPublisher
from shared.testing.memory_store import MemoryGuardedStore
from shared.testing.silent_observer import SilentObserver


class Numbers:
    """A number each."""

    collection: ClassVar[str] = "numbers"
    loop: ClassVar[str] = "numbers"

    def load(self, fields: Mapping[str, Any]) -> int:
        return int(fields.get("number", 0))

    def dump(self, state: int) -> dict[str, Any]:
        return {"number": state}


class CountedStore(MemoryGuardedStore):
    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def read(self, ids: Any) -> dict[str, dict[str, Any]]:
        self.reads += 1
        return await super().read(ids)


class World:
    def __init__(self) -> None:
        self.store = CountedStore()
        self.publisher = MemoryPublisher()
        self.reader = DocumentReader(Numbers(), self.store)

    def writer(self, cached: int = 0) -> DocumentWriter[int]:
        """A writer as in a process of its own."""
        return DocumentWriter(
            Numbers(),
            self.store,
            self.publisher,
            source="/test",
            group="test",
            observer=SilentObserver(),
            cached_documents=cached,
        )


def add_one(_id: str, number: int) -> Change[int]:
    return Change(number + 1)


def add_and_tell(_id: str, number: int) -> Change[int]:
    event = TagAssigned(
        occurred_at=1,
        platform="wechat",
        account="brand",
        fan="f1",
        tag="t",
        rule_version="v1",
        because="event",
        cause="cause",
        tags=("t",),
        number=number + 1,
    )
    return Change(number + 1, (Announcement(event, f"cause-{number}"),))


def leave(_id: str, _number: int) -> None:
    return None


async def test_a_reader_sees_what_another_process_wrote_where_a_caching_writer_does_not() -> None:
    world = World()
    caching = world.writer(cached=10)
    await caching.change(["a"], add_one)
    await world.writer().change(["a"], add_one)
    assert await caching.change(["a"], leave) == {"a": 1}, "a cache is no place to read from"
    assert await world.reader.read_one("a") == 2


async def test_reading_announces_nothing_and_writes_nothing() -> None:
    world = World()
    await world.writer().change(["a"], add_and_tell)
    sent, written = len(world.publisher.records), world.store.writes
    await world.reader.read(["a", "none"])
    assert (len(world.publisher.records), world.store.writes) == (sent, written)


async def test_what_is_not_there_is_read_as_version_nought() -> None:
    found = await World().reader.read(["none", "none"])
    assert {name: (one.state, one.version) for name, one in found.items()} == {"none": (0, 0)}


async def test_a_writer_goes_on_from_what_was_read_and_then_from_what_it_wrote() -> None:
    world = World()
    writer = world.writer()
    read = await world.reader.read(["a"])
    for expected in (1, 2, 3):
        assert await writer.change(["a"], add_one, read=read) == {"a": expected}
    assert world.store.reads == 1
    assert (read["a"].state, read["a"].version) == (3, 3)


async def test_what_was_changed_meanwhile_is_read_again_and_decided_again() -> None:
    world = World()
    read = await world.reader.read(["a", "b"])
    await world.writer().change(["a"], add_one)
    decided: list[tuple[str, int]] = []

    def decide(name: str, number: int) -> Change[int]:
        decided.append((name, number))
        return Change(number + 10)

    assert await world.writer().change(["a", "b"], decide, read=read) == {"a": 11, "b": 10}
    assert decided == [("a", 0), ("b", 0), ("a", 1)]
    assert {name: one.version for name, one in read.items()} == {"a": 2, "b": 1}


async def test_what_was_read_keeps_its_announcements_until_they_are_through() -> None:
    world = World()
    writer = world.writer()
    read: dict[str, Versioned[int]] = {}
    await writer.change(["a"], add_and_tell, read=read)
    await writer.change(["a"], add_and_tell, read=read)
    await writer.change(["a"], add_one, read=read)
    assert len(world.publisher.records) == 2, "each announced once"
    assert world.store.documents["a"]["l"]["numbers"]["out"] == []


async def test_an_old_reading_left_alone_announces_nothing_again() -> None:
    world = World()
    await world.writer().change(["a"], add_and_tell)
    old = await world.reader.read(["a"])
    await world.writer().change(["a"], leave, read=old)
    assert len(world.publisher.records) == 1


async def test_a_write_whose_outcome_is_unknown_leaves_the_reading_as_it_was() -> None:
    world = World()
    writer = world.writer()
    read = await world.reader.read(["a"])
    world.store.failures = [TransientError("away")]
    with pytest.raises(TransientError):
        await writer.change(["a"], add_and_tell, read=read)
    assert (read["a"].state, read["a"].version, read["a"].book.outbox) == (0, 0, [])
    assert await writer.change(["a"], add_and_tell, read=read) == {"a": 1}
    assert len(world.publisher.records) == 1
