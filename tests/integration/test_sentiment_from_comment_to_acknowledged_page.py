"""The sentiment service on a log, a store and the sandbox's pagers, with the shipped model."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr
from pymongo import MongoClient

from deploy.sandbox.app import create_app as create_sandbox
from deploy.sandbox.config import Integration, Robot, SandboxConfig
from deploy.sandbox.world import World
from services.sentiment.adapters.comments import MongoCommentBook, MongoCounters
from services.sentiment.adapters.pages import MongoPageRows
from services.sentiment.app import create_app
from services.sentiment.domain.documents import (
    StoredComment,
    dump_comment,
    dump_page,
    load_page,
)
from services.sentiment.domain.incidents.comments import left_id
from services.sentiment.domain.paging.escalation import WantedPage
from services.sentiment.domain.paging.pages import new_page
from services.sentiment.settings import SentimentSettings
from shared.events import CommentPosted
from shared.events.envelope import from_headers
from shared.kafka.publisher import KafkaPublisher
from shared.store.client import close, connect
from shared.testing.memory_log import record_of
from shared.testing.settings import settings_for_tests, token_for

ROOT = Path(__file__).resolve().parents[2]
ROBOT_KEY, ROUTING_KEY = "robot-key", "r" * 32
SECRET = "a secret of thirty-two characters"
INCIDENT = "wechat:gh_brand:food_safety:1"
PATIENCE_S = 120.0
COMPLAINTS = (
    "吃完你们家的沙拉食物中毒了，现在在医院",
    "全家上吐下泻，食物中毒，太差了",
    "昨天吃了之后食物中毒，急诊输液",
    "同事三个人都食物中毒了，谁来负责",
    "食物中毒！孩子吐了一晚上",
)
ALERTS = """\
channels:
  robot: {kind: wecom_robot, url: "${ROBOT_URL}", key: "${ROBOT_KEY}"}
  pager: {kind: pagerduty, url: "${PAGER_URL}", routing_key: "${ROUTING_KEY}"}
escalation:
  steps:
    - channels: [robot]
    - {after_seconds: 2, channels: [robot, pager], mention: ["@all"]}
  repeat_seconds: 60
"""


@dataclass
class Pagers:
    """The sandbox, and where it listens."""

    world: World
    url: str

    def accepted(self, platform: str) -> list[dict[str, Any]]:
        entries = [one.as_json() for one in self.world.books.entries(platform)]
        return [one for one in entries if one["code"] == 0]

    def texts(self) -> list[dict[str, Any]]:
        """Accepted messages that name staff: a page may be told twice before the escalation."""
        messages = [one["message"] for one in self.accepted("wecom")]
        return [one["text"] for one in messages if one["msgtype"] == "text"]


@pytest.fixture
async def pagers() -> AsyncIterator[Pagers]:
    world = World(
        SandboxConfig(
            robots=(Robot(key=ROBOT_KEY),), pagerduty=(Integration(routing_key=ROUTING_KEY),)
        )
    )
    config = uvicorn.Config(
        create_sandbox(world), host="127.0.0.1", port=0, log_level="error", date_header=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Pagers(world, f"http://127.0.0.1:{port}")
    server.should_exit = True
    await serving


@pytest.fixture
def variables(pagers: Pagers, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {
        "ROBOT_URL": f"{pagers.url}/wecom/cgi-bin/webhook/send",
        "ROBOT_KEY": ROBOT_KEY,
        "PAGER_URL": f"{pagers.url}/pagerduty/v2/enqueue",
        "ROUTING_KEY": ROUTING_KEY,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def settings(
    log: str, store: str, database: str, topic_prefix: str, parts_kind: str, tmp_path: Path
) -> SentimentSettings:
    alerts = tmp_path / "alerts.yaml"
    alerts.write_text(ALERTS, encoding="utf-8")
    return settings_for_tests(
        SentimentSettings,
        kafka_bootstrap_servers=log,
        log_epoch="1",
        topic_prefix=topic_prefix,
        create_topics=parts_kind == "real",
        mongodb_url=SecretStr(store),
        mongodb_database=database,
        alerts_file=alerts,
        public_url="http://staff.example",
        link_secrets=(SecretStr(SECRET),),
        author_secret=SecretStr(SECRET),
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
        stop_timeout_s=10.0,
    )


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.05)


async def comment(settings: SentimentSettings, count: int, *, first: int = 0) -> None:
    """As many different people complain, now."""
    publisher = KafkaPublisher(
        settings.kafka_bootstrap_servers, topic_prefix=settings.topic_prefix, deadline_s=20
    )
    await publisher.start()
    now = time.time_ns() // 1_000_000
    await publisher.publish(
        [
            record_of(
                CommentPosted(
                    occurred_at=now,
                    platform="wechat",
                    account="gh_brand",
                    authenticated_by="poller",
                    article="100",
                    comment_id=str(number),
                    fan=f"openid{number}",
                    text=COMPLAINTS[number % len(COMPLAINTS)],
                ),
                f"comment-{number}",
            )
            for number in range(first, first + count)
        ]
    )
    await publisher.stop()


async def announced(settings: SentimentSettings) -> list[tuple[str, str]]:
    """(type, id) of each distinct event in `incidents.v1`."""
    topic = settings.topic_prefix + "incidents.v1"
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        found: dict[tuple[str, str], None] = {}
        numbers = consumer.partitions_for_topic(topic) or set()
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in numbers])
        async with asyncio.timeout(PATIENCE_S):
            for partition, end in ends.items():
                while await consumer.position(partition) < end:
                    envelope = from_headers((await consumer.getone(partition)).headers)
                    found[envelope.type, envelope.id] = None
    finally:
        await consumer.stop()
    return list(found)


@asynccontextmanager
async def running(settings: SentimentSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The service in this process, with its HTTP port."""
    service = create_app(settings)
    serving = asyncio.create_task(service.serve())
    await until(lambda: service.port or serving.done())
    base_url = f"http://127.0.0.1:{service.port}"
    async with httpx.AsyncClient(base_url=base_url, timeout=10, trust_env=False) as client:
        async with asyncio.timeout(PATIENCE_S):
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.1)
        yield client
        service.stop()
        assert await serving == 0


async def test_a_wave_of_complaints_pages_escalates_and_is_acknowledged_by_its_link(
    settings: SentimentSettings, pagers: Pagers, variables: dict[str, str]
) -> None:
    del variables
    async with running(settings) as http:
        await comment(settings, 25)
        await until(lambda: pagers.accepted("wecom"))
        first = pagers.accepted("wecom")[0]["message"]
        assert first["msgtype"] == "markdown"
        content = first["markdown"]["content"]
        assert "食品安全" in content
        assert "暂无历史数据：按配置的先验判断" in content
        assert "食物中毒" in content

        await until(lambda: pagers.accepted("pagerduty"))
        await until(pagers.texts)
        assert pagers.texts()[0]["mentioned_list"] == ["@all"]
        (alert,) = pagers.world.alerts[ROUTING_KEY].by_key.values()
        assert (alert.dedup_key, alert.severity) == (INCIDENT, "critical")

        found = re.search(r"http://staff\.example(/i/\S+)", content)
        assert found
        shown = await http.get(found.group(1))
        assert shown.status_code == 200
        assert "等待确认" in shown.text
        oncall = {"Authorization": f"Bearer {token_for('oncall')}"}
        listed = await http.get("/v1/incidents", headers=oncall)
        assert [one["status"] for one in listed.json()["incidents"]] == ["open"]

        clicked = await http.post(found.group(1), data={"action": "acknowledge", "who": "小王"})
        assert clicked.status_code == 303
        await until(lambda: alert.status == "acknowledged")
        ended = await http.post(f"/v1/incidents/{INCIDENT}/resolve", headers=oncall)
        assert ended.json()["pause_promotions"] is False
        await until(lambda: pagers.world.alerts[ROUTING_KEY].closed)

        metrics = (await http.get("/metrics")).text
        assert (
            'fan_sentiment_pages_total{action="trigger",channel="robot",result="sent"}' in metrics
        )
        assert "食物中毒" not in metrics
        assert "openid" not in metrics
        seconds = re.search(r"fan_sentiment_comment_to_page_seconds_sum (\S+)", metrics)
        assert seconds
        assert float(seconds.group(1)) < 10
    names = [kind for kind, _ in await announced(settings)]
    assert sorted(names) == [
        "IncidentAcknowledged",
        "IncidentEscalated",
        "IncidentOpened",
        "IncidentResolved",
    ]


class ServiceProcess:
    """The service as a process of its own, to be killed."""

    def __init__(self, settings: SentimentSettings, variables: dict[str, str]) -> None:
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **variables,
            "FAN_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "FAN_LOG_EPOCH": settings.log_epoch,
            "FAN_TOPIC_PREFIX": settings.topic_prefix,
            "FAN_CREATE_TOPICS": str(settings.create_topics),
            "FAN_SESSION_TIMEOUT_MS": str(settings.session_timeout_ms),
            "FAN_REBALANCE_TIMEOUT_MS": str(settings.rebalance_timeout_ms),
            "FAN_MONGODB_URL": settings.mongodb_url.get_secret_value(),
            "FAN_SENTIMENT_MONGODB_DATABASE": settings.mongodb_database,
            "FAN_HTTP_PORT": "0",
            "FAN_STAFF_TOKENS": "{}",
            "FAN_ACCOUNTS_FILE": "unused",
            "FAN_SENTIMENT_ALERTS_FILE": str(settings.alerts_file),
            "FAN_SENTIMENT_PUBLIC_URL": settings.public_url,
            "FAN_SENTIMENT_LINK_SECRETS": f'["{SECRET}"]',
            "FAN_SENTIMENT_AUTHOR_SECRET": SECRET,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, crash_at: str = "") -> None:
        environment = dict(self._environment)
        if crash_at:
            environment["FAN_SENTIMENT_CRASH_AT"] = crash_at
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.sentiment", "run"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    def ended(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", ["comment_written", "bell_rung", "incident_written", "page_written", "page_called"]
)
async def test_a_process_killed_on_the_way_leaves_the_page_to_the_next_one(
    settings: SentimentSettings, pagers: Pagers, variables: dict[str, str], step: str
) -> None:
    process = ServiceProcess(settings, variables)
    process.start(f"sentiment.incidents/{step}=1")
    await comment(settings, 5)
    await until(lambda: process.ended() is not None)
    assert process.ended() == -signal.SIGKILL
    process.start()
    try:
        await until(lambda: len(pagers.accepted("wecom")) >= (2 if step == "page_called" else 1))
        with MongoClient[dict[str, Any]](settings.mongodb_url.get_secret_value()) as client:
            stored = client[settings.mongodb_database]
            # Some of them are enough for a page; all of them come in time.
            await until(lambda: stored["comments"].count_documents({"negative": True}) >= 5)
            assert stored["comments"].count_documents({"negative": True}) == 5
            incidents = stored["incidents"].find_one({"_id": "wechat:gh_brand"})
            assert incidents is not None
            assert [one["id"] for one in incidents["incidents"]] == [INCIDENT]
    finally:
        assert process.stop() == 0
    opened = [one for one in await announced(settings) if one[0] == "IncidentOpened"]
    assert len(opened) == 1


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_the_adapters_answer_as_their_ports_promise(
    store: str, database: str, driver: Any
) -> None:
    handle = connect(store, database, driver=driver)
    book = MongoCommentBook(handle, "comments")
    rows = MongoPageRows(handle, "pages")
    counters = MongoCounters(handle)
    await book.prepare()
    await book.prepare()
    await rows.prepare()
    comments = [
        StoredComment(
            account="wechat:a" if number < 8 else "wechat:b",
            at=60_000 * number,
            author=f"author{number % 2}",
            negative=number % 2 == 0,
            subject="price",
            fingerprint="f",
            text=f"text {number}",
        )
        for number in range(10)
    ]
    await handle["comments"].insert_many(
        [{"_id": f"c{n}", "v": 1, **dump_comment(one)} for n, one in enumerate(comments)]
    )
    negatives = await book.negatives("wechat:a", 60_000, 360_000)
    assert sorted(one.id for one in negatives) == ["c2", "c4"]
    assert await book.others("wechat:a", 0, 200_000) == {60_000: 1, 180_000: 1}
    assert await book.first_at("wechat:a") == 0
    assert await book.first_at("wechat:none") is None
    assert await book.texts(["c1", "c9", "gone"]) == {"c1": "text 1", "c9": "text 9"}
    left = StoredComment(author="author1", at=180_000)  # when c3 was written
    await handle["comments"].insert_one({"_id": left_id("author1"), "v": 1, **dump_comment(left)})
    await book.forget_left(["author1", "author2"])
    assert await book.texts([f"c{n}" for n in range(6)]) == {
        f"c{n}": f"text {n}" for n in range(6) if comments[n].author != "author1" or n > 3
    }
    await book.forget_texts(540_000)
    assert await book.texts([f"c{n}" for n in range(10)]) == {"c9": "text 9"}

    await counters.raise_by({"wechat:a": 3, "wechat:b": 1})
    await counters.raise_by({"wechat:a": 2})
    assert await counters.all() == {"wechat:a": 5, "wechat:b": 1}

    pages = [
        new_page(WantedPage("i1", "wechat:a", step, "robot", "trigger", due_at=step * 1000))
        for step in range(3)
    ]
    await handle["pages"].insert_many([{"_id": p.id, "v": 1, **dump_page(p)} for p in pages])
    assert [page.id for page in await rows.due(1000, 10)] == [pages[0].id, pages[1].id]
    assert await rows.due(1000, 1) == [pages[0]]
    words = [
        new_page(WantedPage("i2", "wechat:a", 0, "robot", action, due_at=0))
        for action in ("acknowledge", "resolve")
    ]
    await handle["pages"].insert_many([{"_id": p.id, "v": 1, **dump_page(p)} for p in words])
    assert [page.id for page in await rows.due(1000, 2)] == [pages[0].id, pages[1].id]
    assert len(await rows.due(1000, 10)) == 4
    assert await rows.of_incident("i1") == pages
    assert load_page(await handle["pages"].find_one({"_id": pages[2].id})) == pages[2]
    await close(handle)
