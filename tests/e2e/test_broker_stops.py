"""The log's broker stops, freezes or dies: what ingest answers meanwhile, and how all goes on."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from deploy.local.parts.kafka import KafkaCluster
from deploy.local.stack import Stack
from tests.support.crash_books import read_topic
from tests.support.parts import unique_name, wait_for_leader
from tests.support.till import Till

pytestmark = [pytest.mark.real, pytest.mark.slow]

PROMISED_S = 3.0
NEVER_ABOVE_S = 4.5
RESUMED_WITHIN_S = 10.0
PATIENCE_S = 120.0
"""For what has no promise of its own, or a tighter one that is asserted."""
TOPIC = "fan-events.v1"
Figure = Callable[[str, object], None]


@contextmanager
def a_stack(folder: Path, kafka: KafkaCluster, store: str, copies: int) -> Iterator[Stack]:
    name = unique_name("broker")
    stack = Stack(
        folder,
        kind="real",
        bootstrap_servers=kafka.bootstrap_servers,
        mongodb_url=store,
        topic_prefix=f"{name}.",
        database_prefix=f"{name}-",
        environment={"FAN_REPLICATION_FACTOR": str(copies), "FAN_LOG_LEVEL": "warning"},
        services=("ingest", "segmenter"),
    )
    with stack:
        yield stack
    with MongoClient[dict[str, Any]](store) as client:
        for service in stack.services:
            client.drop_database(stack.database(service))


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def orders_in_log(stack: Stack, kafka: KafkaCluster) -> set[str]:
    topic = stack.topic_prefix + TOPIC
    return {r.value["order_id"] for r in read_topic(kafka.bootstrap_servers, topic)}


def orders_applied(stack: Stack) -> int:
    with MongoClient[dict[str, Any]](stack.mongodb_url) as client:
        fans = client[stack.database("segmenter")]["fans"].find({}, {"l": 1})
        return sum(mark["n"] for fan in fans for mark in fan["l"]["segmenter"]["at"])


def check_refusals(till: Till) -> None:
    """Every order that was not taken was told so in time, and when to come again."""
    refused = till.refused()
    assert refused
    assert {one.status for one in refused} == {503}
    assert all(one.retry_after.isdecimal() for one in refused)
    assert max(one.seconds for one in till.answers) <= NEVER_ABOVE_S
    assert statistics.quantiles([one.seconds for one in refused], n=20)[-1] <= PROMISED_S


async def open_shop(stack: Stack) -> set[str]:
    """Sell until the log is known to take every buyer's orders; answers those that it took."""
    async with Till(stack, name="first") as till:
        await till.open()
        return till.acknowledged()


async def until(is_so: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(is_so):
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_nothing_acknowledged_is_missing_after_the_leader_was_killed_under_load(
    three_kafkas: KafkaCluster, store: str, tmp_path: Path, record_property: Figure
) -> None:
    with a_stack(tmp_path / "stack", three_kafkas, store, copies=3) as stack:
        first = await open_shop(stack)
        async with Till(stack) as till:
            await till.sell(after(2))
            assert not till.refused()
            leader = await wait_for_leader(three_kafkas, stack.topic_prefix + TOPIC)
            selling = asyncio.create_task(till.sell(after(12)))
            await asyncio.sleep(1)
            await asyncio.to_thread(leader.kill)
            died_at = time.monotonic()
            await selling
            assert max(one.seconds for one in till.answers) <= NEVER_ABOVE_S
            assert {one.status for one in till.refused()} <= {503}
            late = [one for one in till.refused() if one.at > died_at + RESUMED_WITHIN_S]
            assert late == []
            taken = first | till.acknowledged()
            assert await asyncio.to_thread(orders_in_log, stack, three_kafkas) >= taken
            await until(lambda: orders_applied(stack) >= len(taken), PATIENCE_S)
            record_property("acknowledged", len(taken))
            record_property("refused", len(till.refused()))


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_while_no_broker_answers_ingest_says_so_in_time_and_all_resumes_by_itself(
    how: str, own_kafka: KafkaCluster, store: str, tmp_path: Path, record_property: Figure
) -> None:
    broker = own_kafka.nodes[0]
    with a_stack(tmp_path / "stack", own_kafka, store, copies=1) as stack:
        first = await open_shop(stack)
        async with Till(stack) as till:
            await till.sell(after(1))
            assert not till.refused()
            selling = asyncio.create_task(till.sell(after(12), pace_s=0.05))
            await asyncio.sleep(0.5)
            if how == "frozen":
                broker.freeze()
            else:
                await asyncio.to_thread(broker.kill)
            await selling
            check_refusals(till)
            if how == "frozen":
                broker.thaw()
            else:
                await asyncio.to_thread(own_kafka.start)
            back_at = time.monotonic()
            async with asyncio.timeout(PATIENCE_S):
                while (answer := await till.post()).status != 200:
                    await asyncio.sleep(0.1)
            answered_s = answer.at - back_at
            taken = first | till.acknowledged()
            applied_s = await until(lambda: orders_applied(stack) >= len(taken), PATIENCE_S)
            assert answered_s <= RESUMED_WITHIN_S
            assert answered_s + applied_s <= RESUMED_WITHIN_S
            assert await asyncio.to_thread(orders_in_log, stack, own_kafka) >= taken
            record_property("acknowledged", len(taken))
            record_property("refused", len(till.refused()))
            record_property("slowest s", round(max(one.seconds for one in till.answers), 2))
            record_property("answered again after s", round(answered_s, 1))
            record_property("applied after s", round(answered_s + applied_s, 1))
