"""Handing partitions over, full outboxes and silence: the runner's promises at its edges."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.errors import TransientError
from shared.events import TagRemoved
from shared.kafka import fold
from shared.kafka.handler import Announcement, Change
from shared.testing.memory_log import record_of
from tests.component.kafka.test_runner_in_memory import TAGS, TOPIC, Bench, until
from tests.support.counting_handler import Clicks, CountingHandler, click


class SlowHandler(CountingHandler):
    """Prepares a batch for as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def before(self, facts: object) -> None:
        await self.go.wait()


async def revoke(bench: Bench) -> None:
    await bench.runner.assignment.on_partitions_revoked({TopicPartition(TOPIC, 0)})


async def test_a_revoke_waits_for_the_batch_in_work_and_commits_it() -> None:
    bench = Bench()
    bench.handler = SlowHandler()
    bench.runner = bench.make()
    bench.clicks(3)
    await bench.assign()
    delivery = asyncio.create_task(bench.deliver())
    await until(lambda: bench.runner.stuck_s() > 0)
    handover = asyncio.create_task(revoke(bench))
    await asyncio.sleep(0)
    bench.handler.go.set()
    await asyncio.gather(delivery, handover)
    assert bench.state()["clicks"] == 3
    assert bench.consumer.committed_offsets == {0: 3}
    await bench.runner.stop()


async def test_a_revoke_abandons_what_takes_longer_than_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.handler = SlowHandler()
    bench.runner = bench.make()
    bench.runner.assignment.drain_s = 0.05
    bench.clicks(3)
    await bench.assign()
    delivery = asyncio.create_task(bench.deliver())
    await until(lambda: bench.runner.stuck_s() > 0)
    wait_for, bounds = asyncio.wait_for, []

    async def bounded(work: Any, seconds: float) -> Any:
        bounds.append(seconds)
        return await wait_for(work, seconds)

    monkeypatch.setattr("shared.kafka.assignment.asyncio.wait_for", bounded)
    async with asyncio.timeout(30):
        await revoke(bench)
    assert bounds[0] <= 0.05
    assert sum(bounds) < 2
    assert not delivery.done()
    assert not bench.handler.go.is_set()
    assert bench.consumer.commits == []
    bench.handler.go.set()
    await delivery  # a zombie's write: the guard decides, and it commits nothing
    await bench.runner.stop()
    assert bench.consumer.commits == []


async def test_what_is_delivered_while_partitions_change_hands_is_left_alone() -> None:
    bench = Bench()
    await bench.assign()
    bench.clicks(3)
    records = bench.consumer.poll()
    await revoke(bench)
    await bench.runner.handle(records, bench.consumer)
    assert bench.store.documents == {}
    await bench.runner.stop()


async def test_a_zombie_that_writes_late_changes_nothing_twice() -> None:
    bench = Bench()
    bench.clicks(4)
    await bench.assign()
    zombie, records = bench.runner, bench.consumer.poll()
    other = bench.make()
    bench.consumer.positions[0] = 0
    bench.runner = other
    await bench.assign()
    await bench.deliver()
    await zombie.handle(records, bench.consumer)
    await other.stop()
    await zombie.stop()
    assert bench.state()["clicks"] == 4
    assert len(set(bench.publisher.ids(TAGS))) == 1


async def test_a_full_outbox_pauses_the_partition_until_the_log_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fold, "OUTBOX_LIMIT", 2)
    bench = Bench()
    bench.publisher.failures = [TransientError("log away")] * 100_000
    await bench.assign()
    bench.clicks(6)
    await bench.deliver()
    bench.clicks(6, start=6)
    await bench.deliver()
    assert bench.observer.counts["paused_outbox_full"] == 1
    assert bench.state()["clicks"] == 6
    bench.publisher.failures.clear()
    await until(lambda: not bench.consumer.paused and len(bench.publisher.ids(TAGS)) == 2)
    while bench.state()["clicks"] < 12:
        await until(lambda: not bench.consumer.paused)
        await bench.deliver()
    await bench.runner.stop()
    assert len(set(bench.publisher.ids(TAGS))) == 4


async def test_a_partition_waits_while_too_many_batches_are_not_announced() -> None:
    bench = Bench()
    bench.publisher.failures = [TransientError("log away")] * 100_000
    await bench.assign()
    for n in range(6):
        bench.clicks(3, start=3 * n)
        await bench.deliver()
    assert bench.observer.counts["paused_log"] >= 1
    assert bench.state()["clicks"] <= 12
    bench.publisher.failures.clear()
    async with asyncio.timeout(30):
        while bench.state()["clicks"] < 18:
            await bench.deliver()
            await asyncio.sleep(0.01)
    await bench.runner.stop()
    assert bench.consumer.committed_offsets == {0: 18}


async def test_nothing_new_is_taken_before_what_a_crash_left_is_announced() -> None:
    bench = Bench()
    bench.publisher.failures = [TransientError("log away")] * 100_000
    bench.clicks(3)
    await bench.assign()
    await bench.deliver()
    await bench.runner.stop(drain_s=0)
    bench.crash()
    bench.clicks(3, start=3)
    await bench.assign()
    await bench.deliver()
    assert bench.state()["clicks"] == 3  # the next events wait, however long it takes
    bench.publisher.failures.clear()
    async with asyncio.timeout(30):
        while bench.state()["clicks"] < 6:
            await bench.deliver()
            await asyncio.sleep(0.01)
    await bench.runner.stop()
    numbers = [json.loads(record.value or b"")["number"] for record in bench.publisher.of(TAGS)]
    assert numbers == [1, 2]


@pytest.mark.parametrize(("fans", "turns"), [(5_000, 20), (1, 4)])
async def test_a_large_batch_gives_the_event_loop_its_turns(fans: int, turns: int) -> None:
    """Heartbeats share the loop: many decisions, or many records of one fan, must not hold it."""
    bench = Bench()
    for n in range(5_000):
        fan = f"f{n % fans}"
        bench.consumer.append(record_of(click(fan, at=1_700_000_000_000 + n), f"e{n}"))
    await bench.assign()
    await until(lambda: bench.runner.assignment.partitions[0].end == 5_000)
    taken = 0

    async def take_turns() -> None:
        nonlocal taken
        while True:
            await asyncio.sleep(0)
            taken += 1

    other = asyncio.create_task(take_turns())
    await bench.deliver()
    assert taken >= turns
    other.cancel()
    await bench.runner.stop()


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_time_decided_before_a_crash_is_announced_on_assignment_too(
    restarted: bool,  # noqa: FBT001 -- a parameter
) -> None:
    bench = Bench()
    bench.clicks(2)
    await bench.assign()
    await bench.deliver()
    if restarted:  # the document is read from the store, not taken from the cache
        await bench.runner.stop()
        bench.crash()
        await bench.assign()
    bench.publisher.failures = [TransientError("log away")] * 100_000
    fallen = Announcement(
        TagRemoved(
            occurred_at=1_700_000_000_000,
            platform="wechat",
            account="gh_1",
            fan="a",
            tag="t",
            rule_version="1",
            because="time",
            cause="c",
            tags=(),
            number=1,
        ),
        "c",
    )
    await bench.runner.writer.change(
        ["wechat:gh_1:a"], lambda _id, _state: Change(Clicks(), (fallen,)), announced=False
    )
    await bench.runner.stop(drain_s=0)
    bench.publisher.failures.clear()
    bench.crash()
    await bench.assign()
    await until(lambda: len(bench.publisher.ids(TAGS)) == 1)
    await bench.runner.stop()


async def test_a_change_by_time_is_written_and_announced_like_a_records() -> None:
    bench = Bench()
    bench.clicks(3)
    await bench.assign()
    await bench.deliver()
    calls = 0

    def halve(_id: str, state: Clicks) -> Change[Clicks] | None:
        nonlocal calls
        calls += 1
        return Change(Clicks(state.clicks // 2)) if state.clicks == 3 else None

    bench.state()["v"] += 1  # somebody else writes between the read and the write
    bench.store.documents["wechat:gh_1:a"]["other"] = 1
    states = await bench.runner.writer.change(["wechat:gh_1:a", "wechat:gh_1:new"], halve)
    assert states["wechat:gh_1:a"].clicks == 1
    assert calls == 3
    assert "wechat:gh_1:new" not in bench.store.documents
    await bench.runner.stop()
