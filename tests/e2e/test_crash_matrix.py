"""The sceptic's matrix: the four services killed, frozen, doubled and rebalanced under load.

After each, the state equals what sequential models written apart from the services say, every
announcement has its one id, the platforms' books include what they must, and the groups' books
balance. On Apache Kafka and the compiled store only: `make test-real`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from deploy.local.stack import SERVICES, Stack
from services.notifier.loops.mass import ALONE
from shared.events.envelope import Headers
from shared.kafka.ports import OutgoingRecord
from shared.kafka.publisher import KafkaPublisher
from tests.support.crash_books import TOPICS, Sceptic, read_topic
from tests.support.crash_load import Crowd
from tests.support.crash_stack import (
    SESSION_TIMEOUT_S,
    Supervisor,
    crash_stack,
    drain,
    kill_at_random,
    reached,
    supervised,
)

pytestmark = [pytest.mark.real, pytest.mark.slow]

RUNNER_STEPS = (
    "read",
    "decided",
    "set_aside",
    "written",
    "booked",
    "followed_up",
    "announced",
    "committed",
)
"""From "record read" to "offset committed"; see `shared.kafka.processing`."""


def runner_steps(group: str) -> list[str]:
    """A consumer group's steps."""
    return [f"{group}/{step}" for step in RUNNER_STEPS]


def loop_steps(group: str, *steps: str) -> list[str]:
    """Steps of a service's own loop."""
    return [f"{group}/{step}" for step in steps]


CRASH_POINTS = {
    "ingest": [
        *loop_steps("ingest.publisher", "publishing", "published"),
        *runner_steps("ingest.push-outcomes.v1"),
    ],
    "segmenter": [
        *runner_steps("segmenter.fan-events.v1"),
        *loop_steps("segmenter.publisher", "publishing", "published"),
    ],
    "notifier": [
        *runner_steps("notifier.incidents.v1"),
        *loop_steps("notifier.sender", "debited", "committed", "called", "row_settled"),
        *runner_steps("notifier.fan-events.v1"),
        *runner_steps("notifier.tag-changes.v1"),
        *loop_steps("notifier.publisher", "publishing", "published"),
    ],
    "sentiment": [
        # First: there is one incident, and a life that ends at another step might judge it too.
        *loop_steps("sentiment.incidents", "incident_written", "comment_written", "bell_rung"),
        *loop_steps("sentiment.publisher", "publishing", "published"),
        *loop_steps("sentiment.incidents", "page_written", "page_called"),
        *runner_steps("sentiment.fan-events.v1"),
    ],
}
"""Every named step of a service, each the end of one life, also around the log's acknowledgement.

All but one are reached again and again: fans go on coming, and the incident is escalated until
somebody takes it. The services' own loops are in `services.notifier.loops` and
`services.sentiment.loops`.
"""
PHONE = "oncall-phone"
"""Reached last, by the second step."""
SOON_S = 60
"""A held push that is looked at again within this time is on its way."""

Figure = Callable[[str, object], None]


@pytest.fixture
def stack(tmp_path: Path, log: str, store: str) -> Iterator[Stack]:
    with crash_stack(tmp_path / "stack", log, store) as running:
        yield running


@pytest.fixture
async def crowd(stack: Stack) -> AsyncIterator[Crowd]:
    living = Crowd(stack)
    await living.prepare()
    yield living
    await living.close()


async def check_everything(stack: Stack, crowd: Crowd, figure: Figure) -> Sceptic:
    """Let staff take the incidents, wait until nothing moves any more, and compare."""

    async def look() -> dict[str, int]:
        for incident in await asyncio.to_thread(find_paged, stack):
            await crowd.take(incident)
        return await asyncio.to_thread(find_waiting, stack, crowd)

    await drain(stack, look)
    platforms = (await crowd.books())["platforms"]
    sceptic = await asyncio.to_thread(Sceptic, stack, crowd)
    sceptic.check_ingest()
    sceptic.check_segmenter()
    states = sceptic.check_notifier(platforms)
    sceptic.check_sentiment(platforms)
    assert states["sent"] > 0
    figure("events", sceptic.events)
    figure("webhook requests", crowd.counts.sent)
    figure("pushes", dict(states))
    return sceptic


def find_paged(stack: Stack) -> list[str]:
    """The open incidents that were told to everybody; their escalation only repeats itself."""
    with MongoClient[dict[str, Any]](stack.mongodb_url) as client:
        sentiment = client[stack.database("sentiment")]
        called = sentiment["pages"].distinct("incident", {"channel": PHONE, "state": "sent"})
        incidents = [one for found in sentiment["incidents"].find() for one in found["incidents"]]
    return [one["id"] for one in incidents if one["status"] == "open" and one["id"] in called]


def find_waiting(stack: Stack, crowd: Crowd) -> dict[str, int]:
    """Comments, judgements, announcements, pushes, incidents and pages that are on their way."""
    with MongoClient[dict[str, Any]](stack.mongodb_url) as client:

        def count(service: str, name: str, query: dict[str, Any]) -> int:
            return client[stack.database(service)][name].count_documents(query)

        outboxes = {
            f"outboxes of {service} {name} {loop}": count(
                service, name, {f"l.{loop}.own": {"$type": "string"}}
            )
            for service, name, loop in (
                ("segmenter", "fans", "segmenter"),
                ("notifier", "pushes", "rows"),
                ("sentiment", "incidents", "incidents"),
            )
        }
        sentiment = client[stack.database("sentiment")]
        judged = {one["_id"]: one.get("seen", 0) for one in sentiment["incidents"].find()}
        bells = {one["_id"]: one["comments"] for one in sentiment["counters"].find()}
        incidents = [one for found in sentiment["incidents"].find() for one in found["incidents"]]
        told = [(p["incident"], p["channel"], p["action"]) for p in sentiment["pages"].find()]
        words = [one for one in told if one[2] == "acknowledge"]
        soon = {"$lt": round((time.time() + SOON_S) * 1000)}
        moving = [
            {"state": {"$in": ["planned", "calling"]}},
            # A fan who waits for a second one does so until there is one, looked at each minute.
            {"state": "held", "look_at": soon, "reason": {"$ne": ALONE}},
        ]
        waiting = outboxes | {
            "comments": len(crowd.comments)
            - count("sentiment", "comments", {"account": {"$gt": ""}}),
            "judgements": sum(judged.get(account, 0) < bell for account, bell in bells.items()),
            "incidents that nobody took": sum(one["status"] == "open" for one in incidents),
            "words of that": len({one[:2] for one in told}) - len(words),
            "pushes": count("notifier", "pushes", {"$or": moving}),
            "pages": count("sentiment", "pages", {"state": "due"}),
        }
    return {name: number for name, number in waiting.items() if number}


async def test_each_service_is_killed_at_each_named_step(
    stack: Stack, crowd: Crowd, record_property: Figure
) -> None:
    supervisors = [Supervisor(stack, name, CRASH_POINTS[name]) for name in SERVICES]
    await crowd.wave()
    async with supervised(supervisors):
        await crowd.complain()
        await crowd.plan_news()
        await crowd.live(lambda: all(one.is_done for one in supervisors))
        await check_everything(stack, crowd, record_property)
    for one in supervisors:
        assert one.missed == []
        assert reached(stack, one.name) == CRASH_POINTS[one.name]
    record_property("kills", sum(one.deaths for one in supervisors))


async def test_all_four_are_killed_at_random_under_load(
    stack: Stack, crowd: Crowd, record_property: Figure
) -> None:
    supervisors = [Supervisor(stack, name) for name in SERVICES]
    async with supervised(supervisors):
        await crowd.wave()
        await crowd.complain()
        killing = asyncio.create_task(kill_at_random(supervisors, seconds=40, seed=11))
        await crowd.live(killing.done)
        kills = await killing
        assert kills >= 20
        record_property("kills", kills)
        await check_everything(stack, crowd, record_property)


async def test_consumers_frozen_past_their_session_wake_up_beside_those_that_took_over(
    stack: Stack, crowd: Crowd, record_property: Figure
) -> None:
    consumers = ("segmenter", "notifier", "sentiment")
    await crowd.complain()
    for name in consumers:
        await asyncio.to_thread(stack.add_service, name)
    thawed = asyncio.Event()

    async def freeze() -> None:
        for name in consumers:
            stack.applications[name].process.freeze()
        await asyncio.sleep(SESSION_TIMEOUT_S + 3)
        for name in consumers:
            stack.applications[name].process.thaw()
        await asyncio.sleep(1)
        thawed.set()

    freezing = asyncio.create_task(freeze())
    await crowd.live(thawed.is_set)
    await freezing
    await check_everything(stack, crowd, record_property)


async def test_partitions_change_hands_in_the_middle(
    stack: Stack, crowd: Crowd, record_property: Figure
) -> None:
    consumers = ("segmenter", "notifier", "sentiment")
    moved = asyncio.Event()

    async def rebalance() -> None:
        for name in consumers:
            await asyncio.to_thread(stack.add_service, name)
        for name in consumers:
            await asyncio.to_thread(stack.applications[name].process.stop)
        moved.set()

    moving = asyncio.create_task(rebalance())
    await crowd.live(moved.is_set, at_least=400)
    await moving
    await check_everything(stack, crowd, record_property)


async def test_everything_produced_twice_counts_once(
    stack: Stack, log: str, record_property: Figure
) -> None:
    crowd = Crowd(stack, copies=2)
    try:
        await crowd.prepare()
        await crowd.complain()
        await crowd.live(lambda: True, at_least=400)
        before = await check_everything(stack, crowd, record_property)
        publisher = KafkaPublisher(log, topic_prefix=stack.topic_prefix, deadline_s=20)
        await publisher.start()
        for topic in TOPICS:
            records = await asyncio.to_thread(read_topic, log, stack.topic_prefix + topic)
            again = [OutgoingRecord(topic, r.key, r.raw, Headers(r.headers)) for r in records]
            await publisher.publish(again)
        await publisher.stop()
        after = await check_everything(stack, crowd, record_property)
        assert after.events == before.events
    finally:
        await crowd.close()
