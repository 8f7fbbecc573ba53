"""The segmenter as a process of its own, on a log and a store: killed, frozen by time, re-ruled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient

from shared.events import Event, FanFollowed, FanUnfollowed, MenuClicked, MessageReceived
from shared.events.envelope import from_headers
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import create_topics
from shared.testing.memory_log import record_of
from tests.support.oracle_segmenter import expected_changes, expected_tags

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60.0
TOKEN = "viewer-token-of-enough-length"
FANS = 30
RULES = """
tags:
  - {tag: 活跃, kind: count, event: MenuClicked, at_least: 3, within: 7d}
  - {tag: 退款, kind: keywords, any_of: [退款], for: 30d}
  - {tag: store, kind: source_scene, prefix: store-}
"""


class Segmenter:
    """One process of the segmenter, and what it needs."""

    def __init__(self, folder: Path, log: str, store: str, database: str, prefix: str) -> None:
        self.folder, self.log, self.store = folder, log, store
        self.database, self.prefix = database, prefix
        self.tags_file = folder / "tags.yaml"
        self.tags_file.write_text(RULES, "utf-8")
        self.output = folder / "segmenter.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = MongoClient[dict[str, Any]](store)
        self.fed: list[Event] = []

    def start(self, **variables: str) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "FAN_KAFKA_BOOTSTRAP_SERVERS": self.log,
            "FAN_LOG_EPOCH": "1",
            "FAN_TOPIC_PREFIX": self.prefix,
            "FAN_CREATE_TOPICS": "false",
            "FAN_SESSION_TIMEOUT_MS": "6000",
            "FAN_REBALANCE_TIMEOUT_MS": "6000",
            "FAN_MONGODB_URL": self.store,
            "FAN_SEGMENTER_MONGODB_DATABASE": self.database,
            "FAN_SEGMENTER_HTTP_PORT": "0",
            "FAN_SEGMENTER_TAGS_FILE": str(self.tags_file),
            "FAN_SEGMENTER_TAGS_FILE_LOOK_S": "0.1",
            "FAN_SEGMENTER_CLOCK_INTERVAL_S": "0.1",
            "FAN_SEGMENTER_EXPIRY_GRACE_S": "0",
            "FAN_STAFF_TOKENS": f'{{"viewer": ["{TOKEN}"]}}',
            "FAN_ACCOUNTS_FILE": "unused",
            **variables,
        }
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.segmenter"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
            )

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def url(self) -> str:
        for line in reversed(self.output.read_text("utf-8").splitlines()):
            if "service.listening" in line:
                return str(yaml.safe_load(line)["url"])
        return ""

    async def ask(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(
            trust_env=False, headers=headers, timeout=DEADLINE_S
        ) as client:
            return await client.get(self.url() + path)

    async def get(self, path: str) -> Any:
        return (await self.ask(path)).json()

    async def until_ready(self) -> None:
        """It listens, and has its partitions."""
        await until(lambda: bool(self.url()))
        async with asyncio.timeout(DEADLINE_S):
            while (await self.ask("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End it in peace, once all it has to announce is announced."""
        unannounced = {"l.segmenter.own": {"$type": "string"}}
        await until(lambda: not self.client[self.database]["fans"].count_documents(unannounced))
        assert self.end(signal.SIGTERM) == 0

    async def feed(self, events: Sequence[Event]) -> None:
        publisher = KafkaPublisher(self.log, topic_prefix=self.prefix, deadline_s=20)
        await publisher.start()
        first = len(self.fed)
        self.fed += events
        await publisher.publish([record_of(e, f"e{first + n}") for n, e in enumerate(events)])
        await publisher.stop()

    def fans(self) -> list[dict[str, Any]]:
        return list(self.client[self.database]["fans"].find())

    def applied(self) -> int:
        return sum(mark["n"] for fan in self.fans() for mark in fan["l"]["segmenter"]["at"])

    def tags(self) -> dict[str, set[str]]:
        return {fan["_id"]: {tag["tag"] for tag in fan["tags"]} for fan in self.fans()}

    async def announced(self) -> dict[str, Any]:
        """Announcements by id; a repeated one must be the same."""
        topic = f"{self.prefix}tag-changes.v1"
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=self.log, auto_offset_reset="earliest")
        await consumer.start()
        found: dict[str, Any] = {}
        try:
            partitions = [
                TopicPartition(topic, number)
                for number in consumer.partitions_for_topic(topic) or set()
            ]
            ends = await consumer.end_offsets(partitions)
            for partition, end in ends.items():
                while await consumer.position(partition) < end:
                    record = await consumer.getone(partition)
                    envelope = from_headers(record.headers)
                    seen = (envelope.type, record.value)
                    assert found.setdefault(envelope.id, seen) == seen
        finally:
            await consumer.stop()
        return found


@pytest.fixture
async def segmenter(
    tmp_path: Path, log: str, store: str, database: str, topic_prefix: str, parts_kind: str
) -> AsyncIterator[Segmenter]:
    if parts_kind == "real":  # the embedded log makes a topic when it is first asked for
        await create_topics(
            log, topic_prefix=topic_prefix, consumed=[("fan-events.v1", "segmenter")]
        )
    running = Segmenter(tmp_path, log, store, database, topic_prefix)
    yield running
    if running.process is not None and running.process.poll() is None:
        running.end(signal.SIGKILL)
    running.client.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.05)


def _who(fan: int, at: int) -> dict[str, Any]:
    return {
        "platform": "wechat",
        "account": "gh_1",
        "fan": f"f{fan}",
        "authenticated_by": "wechat_safe",
        "occurred_at": at,
    }


def _asks(fan: int, at: int) -> Event:
    return MessageReceived(message_type="text", text="退款", **_who(fan, at))


def _story(start: int, count: int) -> Iterator[Event]:
    for n in range(count):
        who = _who(n % FANS, start + n)
        match (n // FANS) % 6:
            case 0:
                yield FanFollowed(scene="store-1" if n % 2 else "", **who)
            case 1 if n % 7 == 0:
                yield FanUnfollowed(**who)
            case 2:
                yield MessageReceived(message_type="text", text="我要退款", **who)
            case _:
                yield MenuClicked(menu_key="a", **who)


async def test_killed_in_the_middle_it_ends_where_the_sequential_model_ends(
    segmenter: Segmenter,
) -> None:
    rules = yaml.safe_load(RULES)["tags"]
    events = list(_story(round(time.time() * 1000) - 3_600_000, 1_200))
    segmenter.start()
    await segmenter.feed(events[:600])
    await until(lambda: segmenter.applied() > 0)
    segmenter.end(signal.SIGKILL)
    await segmenter.feed(events[600:])
    segmenter.start()
    await until(lambda: segmenter.applied() == len(events))
    assert segmenter.tags() == expected_tags(events, rules)
    await segmenter.stop()
    expected = [
        (change.type, change.tag, change.number)
        for changes in expected_changes(events, rules).values()
        for change in changes
    ]
    announced = await segmenter.announced()
    values = [(kind, yaml.safe_load(value)) for kind, value in announced.values()]
    assert sorted((kind, v["tag"], v["number"]) for kind, v in values) == sorted(expected)


async def test_tags_fall_by_time_and_by_a_changed_file_and_staff_can_see_it(
    segmenter: Segmenter,
) -> None:
    segmenter.tags_file.write_text(
        "tags:\n"
        "  - {tag: soon, kind: keywords, any_of: [退款], for: 2s}\n"
        "  - {tag: store, kind: source_scene, prefix: store-}\n",
        "utf-8",
    )
    segmenter.start()
    await segmenter.until_ready()  # it must see a tag that falls some seconds after this
    now = round(time.time() * 1000)
    key = "wechat:gh_1:f1"
    await segmenter.feed(
        [
            FanFollowed(scene="store-1", **_who(1, now)),
            MessageReceived(message_type="text", text="退款", **_who(1, now + 30_000)),
        ]
    )
    await until(lambda: segmenter.tags().get(key) == {"soon", "store"})
    shown = await segmenter.get(f"/v1/fans/{key}")
    assert {tag["tag"] for tag in shown["tags"]} == {"soon", "store"}
    await segmenter.feed([MessageReceived(message_type="text", text="退款", **_who(2, now))])
    await until(lambda: segmenter.tags().get("wechat:gh_1:f2") == set())
    segmenter.tags_file.write_text("tags: [", "utf-8")
    await until(lambda: "segmenter.rules.refused" in segmenter.output.read_text("utf-8"))
    segmenter.tags_file.write_text(
        "tags:\n  - {tag: shop, kind: source_scene, scenes: [store-1]}\n", "utf-8"
    )
    await until(lambda: segmenter.tags()[key] == {"shop"})
    shown = await segmenter.get("/v1/tags")
    assert [(tag["tag"], tag["fans"]) for tag in shown["tags"]] == [("shop", 1)]
    await segmenter.stop()
    because = {
        value["because"]
        for _, raw in (await segmenter.announced()).values()
        for value in [yaml.safe_load(raw)]
    }
    assert because == {"event", "time", "rule_changed"}


@pytest.mark.real  # the embedded log can't move partitions between the members of a group
async def test_no_tag_falls_while_another_process_has_its_renewal_unread(
    segmenter: Segmenter,
) -> None:
    segmenter.tags_file.write_text(
        "tags:\n  - {tag: soon, kind: keywords, any_of: [退款], for: 3s}\n", "utf-8"
    )
    segmenter.start()
    await segmenter.until_ready()
    now = round(time.time() * 1000) + 20_000  # ahead, so that the other one has joined by then
    await segmenter.feed([_asks(n, now) for n in range(FANS)])
    await until(lambda: segmenter.applied() == FANS)
    hanging = AIOKafkaConsumer(
        f"{segmenter.prefix}fan-events.v1",
        bootstrap_servers=segmenter.log,
        group_id=f"{segmenter.prefix}segmenter.fan-events.v1",
        enable_auto_commit=False,
        rebalance_timeout_ms=6_000,
    )
    await hanging.start()
    await until(lambda: bool(hanging.assignment()))
    await segmenter.feed([_asks(n, now + 2_500) for n in range(FANS)])
    await until(lambda: time.time() * 1000 > now + 4_500)  # some looks after the first end
    await hanging.stop()
    await until(lambda: segmenter.applied() == 2 * FANS and not any(segmenter.tags().values()))
    await segmenter.stop()
    changes = [
        (value["fan"], kind, value["occurred_at"])
        for kind, raw in (await segmenter.announced()).values()
        for value in [yaml.safe_load(raw)]
    ]
    assert sorted(changes) == sorted(
        change
        for n in range(FANS)
        for change in ((f"f{n}", "TagAssigned", now), (f"f{n}", "TagRemoved", now + 5_500))
    )


def test_a_wrong_rule_file_ends_the_process_with_code_2_and_names_the_line(
    tmp_path: Path,
) -> None:
    segmenter = Segmenter(tmp_path, "127.0.0.1:9", "mongodb://127.0.0.1:9", "none", "")
    segmenter.tags_file.write_text("tags:\n  - {tag: a, kind: magic}\n", "utf-8")
    segmenter.start()
    assert segmenter.process is not None
    assert segmenter.process.wait(DEADLINE_S) == 2
    assert "tags.yaml:2:14: tags[0].kind: must be one of" in segmenter.output.read_text("utf-8")
    segmenter.client.close()
