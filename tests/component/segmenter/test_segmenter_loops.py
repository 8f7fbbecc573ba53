"""The loops go on whatever fails, a changed file is put in force, and the figures are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.segmenter.adapters.rules_file import RulesOnDisk
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.handlers import TagHandler
from services.segmenter.loops import LEASE, ClockSettings, FanClock, RulesWatch, TagCount
from services.segmenter.metrics import (
    FANS_EXAMINED,
    RULES_REFUSED,
    TAG_CHANGES,
    TAG_FANS,
    SegmenterMetrics,
)
from shared.errors import TransientError
from shared.events import MessageReceived
from shared.kafka.runner import Runner
from shared.observe.metrics import Meter
from shared.testing.memory_log import MemoryPublisher, feed
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver
from tests.support.fan_histories import KEY, START, WHO
from tests.support.segmenter_fakes import MemoryFanIndex, MemoryPartitions, RecordingNotes

ONE = "tags: [{tag: refund, kind: keywords, any_of: [退款], for: 10s}]"
TWO = "tags: [{tag: asked, kind: keywords, any_of: [价格]}]"
GROUP = "segmenter.fan-events.v1"


def _says(text: str) -> MessageReceived:
    return MessageReceived(message_type="text", text=text, **WHO | {"occurred_at": START})


class _Failing(MemoryFanIndex):
    """Fails some times before it answers."""

    failures = 2

    async def due(self, until: int, limit: int, skip: int = 0) -> list[str]:
        self._fail()
        return await super().due(until, limit, skip)

    async def count_by_tag(self, tags: Sequence[str]) -> dict[str, int]:
        self._fail()
        return await super().count_by_tag(tags)

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("not now")


async def _until(loop: Callable[[], Coroutine[Any, Any, Any]], done: Callable[[], bool]) -> None:
    working = asyncio.create_task(loop())
    try:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.005)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _runner(handler: TagHandler, store: MemoryGuardedStore) -> Runner[Any]:
    return Runner(
        handler,
        store,
        MemoryPartitionBooks(),
        MemoryPublisher(),
        observer=SilentObserver(),
        service="segmenter",
        topic="fan-events.v1",
        epoch="memory",
    )


async def test_the_clock_goes_on_after_the_store_was_away_and_gives_its_lease_back() -> None:
    store, notes, observer, leases = (
        MemoryGuardedStore(), RecordingNotes(), SilentObserver(), MemoryLeases()
    )  # fmt: skip
    handler = TagHandler(parse_rules(ONE, "tags.yaml"), notes)
    await feed(handler, store, MemoryPublisher(), [("id", _says("退款"))])
    runner = _runner(handler, store)
    clock = FanClock(
        handler,
        runner.writer,
        _Failing(store),
        MemoryPartitions(),
        leases,
        holder="me",
        now=lambda: START + 60_000,
        notes=notes,
        observer=observer,
        group=GROUP,
        settings=ClockSettings(interval_s=0.01, grace_ms=0),
    )
    await _until(clock.run, lambda: store.documents[KEY]["tags"] == [])
    assert observer.failures == [("clock", "TransientError")] * 2
    await clock.stop()
    assert await leases.acquire(LEASE, "another", 15.0, START / 1000)
    await runner.writer.stop()


async def test_a_changed_file_is_put_in_force_and_a_wrong_one_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text(ONE, "utf-8")
    source, notes = RulesOnDisk(file), RecordingNotes()
    handler = TagHandler(source.read(), notes)
    watch = RulesWatch(source, handler, notes, every_s=0.005)
    watch.look()
    assert notes.books == []
    file.write_text("tags: [", "utf-8")
    watch.look()
    watch.look()
    assert handler.book.tags == ("refund",)
    assert len(notes.refusals) == 1
    assert notes.refusals[0][0].startswith(f"{file}:2:1: a value or a closing bracket is missing")
    file.unlink()
    watch.look()
    watch.look()
    assert len(notes.refusals) == 2
    file.write_text(TWO, "utf-8")
    await _until(watch.run, lambda: handler.book.tags == ("asked",))
    assert notes.books == [handler.book.digest]


@pytest.mark.parametrize(
    "text",
    [
        "tags: &a [*a]",
        "a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\ntags: [*b,*b,*b,*b,*b,*b]",
        "tags: [{tag: a, kind: keywords, any_of: [!!timestamp nope]}]",
        "tags: [{tag: a, kind: keywords, any_of: [2026-02-30, 2026-02-31], scenes: 2026-02-30}]",
        "tags: " + "[" * 100_000,
        "tags: [{tag: a, kind: count, event: MenuClicked, within: 7d, at_least: " + "9" * 5_000,
    ],
)
async def test_no_changed_file_takes_the_rules_in_force_away(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text(ONE, "utf-8")
    source, notes = RulesOnDisk(file), RecordingNotes()
    handler = TagHandler(source.read(), notes)
    watch = RulesWatch(source, handler, notes, every_s=1)
    file.write_text(text, "utf-8")
    watch.look()
    assert handler.book.tags == ("refund",)
    assert len(notes.refusals) == 1
    assert all(line.startswith(f"{file}:") for line in notes.refusals[0])
    file.unlink()
    file.mkdir()
    watch.look()
    assert len(notes.refusals) == 2
    file.rmdir()
    file.write_bytes(b"tags:\n  - \xff\n")
    watch.look()
    assert notes.refusals[2] == [f"{file}:2:5: a byte here is not UTF-8; save the file as UTF-8"]
    assert handler.book.tags == ("refund",)


async def test_a_file_that_is_repaired_to_what_it_was_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text(ONE, "utf-8")
    source, notes = RulesOnDisk(file), RecordingNotes()
    handler = TagHandler(source.read(), notes)
    watch = RulesWatch(source, handler, notes, every_s=1)
    file.write_text("tags: [", "utf-8")
    watch.look()
    file.write_text(ONE, "utf-8")
    watch.look()
    file.write_text("tags: [", "utf-8")
    watch.look()
    assert len(notes.refusals) == 2


async def test_the_fans_of_each_tag_are_counted_after_a_failure_too() -> None:
    store, notes, observer = MemoryGuardedStore(), RecordingNotes(), SilentObserver()
    handler = TagHandler(parse_rules(ONE, "tags.yaml"), notes)
    await feed(handler, store, MemoryPublisher(), [("id", _says("退款"))])
    count = TagCount(_Failing(store), handler, notes, observer, group=GROUP, every_s=0.005)
    await _until(count.run, lambda: notes.fans == {"refund": 1})
    assert observer.failures == [("count", "TransientError")] * 2


async def test_the_figures_name_only_tags_of_the_file() -> None:
    meter = Meter()
    metrics = SegmenterMetrics(meter)
    book = parse_rules(ONE, "tags.yaml")
    metrics.rules_read(book.tags, book.digest)
    handler = TagHandler(book, metrics)
    await feed(handler, MemoryGuardedStore(), MemoryPublisher(), [("id", _says("退款"))])
    metrics.counted({"refund": 3, "gone": 4})
    metrics.examined(5)
    metrics.rules_refused(["tags.yaml:1: tags: write"])

    def value(name: str, **labels: str) -> float | None:
        return meter.registry.get_sample_value(name, labels)

    change = {"change": "assigned", "because": "event"}
    assert value(TAG_CHANGES.name, tag="refund", **change) == 1
    assert value(TAG_FANS.name, tag="refund") == 3
    assert value(TAG_FANS.name, tag="gone") is None
    assert (value(FANS_EXAMINED.name), value(RULES_REFUSED.name)) == (5, 1)
    other = parse_rules(TWO, "tags.yaml")
    metrics.rules_read(other.tags, other.digest)
    assert value(TAG_FANS.name, tag="refund") is None
    metrics.changed([_removed()])
    assert value(TAG_CHANGES.name, tag="removed_rule", change="removed", because="time") == 1


def _removed() -> Any:
    from shared.events import TagRemoved

    return TagRemoved(
        occurred_at=1, platform="wechat", account="gh_1", fan="f", tag="refund", rule_version="1",
        because="time", cause="c", tags=(), number=2,
    )  # fmt: skip
