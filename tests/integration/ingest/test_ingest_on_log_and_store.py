"""Ingest on a real log and a real store: acknowledged webhooks, articles, a log that freezes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from deploy.local.parts.embedded_log import EmbeddedLog
from services.ingest.adapters.mongo_articles import MongoArticleIndex
from services.ingest.app import create_app
from services.ingest.domain.articles import NEVER_MS, Article
from services.ingest.handlers.articles import COLLECTION, add_article
from services.ingest.settings import IngestSettings
from shared.events import MassSendAccepted, MessageReceived
from shared.events.envelope import from_headers
from shared.kafka.publisher import KafkaPublisher
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore
from shared.store.ports import GuardedWrite
from shared.testing.memory_log import record_of
from tests.support.platform_pushes import (
    AES_KEY,
    APP_ID,
    GH,
    SHOP_SECRET,
    TOKEN,
    WEIBO_SECRET,
    WEIBO_UID,
    sealed_request,
    text_xml,
)
from tests.support.stalls import Stalls

OPERATIONS = "a-staff-token-of-operations"
ENVIRONMENT = {"TOKEN": TOKEN, "KEY": AES_KEY, "SECRET": WEIBO_SECRET, "SHOP": SHOP_SECRET}
ACCOUNTS = f"""\
wechat:
  - name: brand
    kind: service
    app_id: {APP_ID}
    original_id: {GH}
    token: ${{TOKEN}}
    encoding_aes_key: ${{KEY}}
    app_secret: ${{SECRET}}
    api_base: http://127.0.0.1:9
weibo:
  - name: brand
    uid: "{WEIBO_UID}"
    app_secret: ${{SECRET}}
    access_token: ${{SECRET}}
shops:
  - name: shop
    secrets:
      - ${{SHOP}}
"""


MakeSettings = Callable[..., IngestSettings]


@pytest.fixture
def make_settings(
    store: str, database: str, topic_prefix: str, parts_kind: str, tmp_path: Path
) -> MakeSettings:
    file = tmp_path / "accounts.yaml"
    file.write_text(ACCOUNTS, encoding="utf-8")

    def make(log: str, *, create_topics: bool = parts_kind == "real") -> IngestSettings:
        return IngestSettings(
            kafka_bootstrap_servers=log,
            log_epoch="1",
            topic_prefix=topic_prefix,
            create_topics=create_topics,
            mongodb_url=SecretStr(store),
            mongodb_database=database,
            http_port=0,
            staff_tokens={"operations": (SecretStr(OPERATIONS),)},
            accounts_file=file,
        )

    return make


@asynccontextmanager
async def running(settings: IngestSettings) -> AsyncIterator[httpx.AsyncClient]:
    service = create_app(settings, ENVIRONMENT)
    serving = asyncio.create_task(service.serve())
    try:
        await eventually(lambda: _is(service.port))
        url = f"http://127.0.0.1:{service.port}"
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            await eventually(lambda: _ready(client))
            yield client
    finally:
        service.stop()
        assert await serving == 0


async def _is(value: object) -> bool:
    return bool(value)


async def _ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def eventually(check: Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not await check():
            await asyncio.sleep(0.05)


async def push(client: httpx.AsyncClient, text: str, msg_id: str) -> httpx.Response:
    now = str(int(time.time()))
    request = sealed_request(text_xml(text, msg_id), timestamp=now)
    return await client.post(
        "/wechat/brand",
        params=dict(request.query),
        content=request.body,
        headers={"content-type": "text/xml"},
    )


async def wait_until_taken(client: httpx.AsyncClient) -> None:
    """A young topic may have no leader yet, and an embedded one is made by the first record."""

    async def taken() -> bool:
        return (await push(client, "warm", "900")).status_code == 200

    await eventually(taken)


async def read_topic(settings: IngestSettings, count: int, *, but: str) -> list[Any]:
    """So many records whose text is another."""
    consumer = AIOKafkaConsumer(
        f"{settings.topic_prefix}fan-events.v1",
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        group_id=None,
    )
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            found: list[Any] = []
            while len(found) < count:
                record = await consumer.getone()
                if MessageReceived.model_validate_json(record.value).text != but:
                    found.append(record)
            return found
    finally:
        await consumer.stop()


async def test_an_acknowledged_webhook_is_in_the_log(make_settings: MakeSettings, log: str) -> None:
    settings = make_settings(log)
    async with running(settings) as client:
        await wait_until_taken(client)
        answers = [await push(client, f"消息{number}", str(number)) for number in range(5)]
        assert [(a.status_code, a.content) for a in answers] == [(200, b"success")] * 5
        replayed = await push(client, "消息0", "0")
        assert replayed.content == b"success"
        records = await read_topic(settings, 6, but="warm")
    texts = [MessageReceived.model_validate_json(record.value).text for record in records]
    assert sorted(texts) == ["消息0", "消息0", "消息1", "消息2", "消息3", "消息4"]
    assert len({from_headers(record.headers).id for record in records}) == 5


async def test_articles_come_from_the_log_and_from_staff(
    make_settings: MakeSettings, log: str
) -> None:
    settings = make_settings(log)
    database = connect(settings.mongodb_url.get_secret_value(), settings.mongodb_database)
    async with running(settings) as client:
        publisher = KafkaPublisher(log, topic_prefix=settings.topic_prefix, deadline_s=20)
        await publisher.start()
        sent = MassSendAccepted(
            occurred_at=int(time.time() * 1000), platform="wechat", account=GH, campaign="c",
            wave="w", message_id="1", article="100", fans=2,
        )  # fmt: skip
        await publisher.publish([record_of(sent, "e1")])
        await publisher.stop()
        answer = await client.post(
            "/v1/articles",
            json={"account": "brand", "article": "200"},
            headers={"authorization": f"Bearer {OPERATIONS}"},
        )
        assert answer.status_code == 201

        async def both_were_tried() -> bool:
            found = [document async for document in database[COLLECTION].find()]
            tried = {one["article"] for one in found if one.get("next_poll_at")}
            return tried == {"100", "200"}

        await eventually(both_were_tried)  # the platform is away, so they are planned again

        async def it_is_counted() -> bool:
            metrics = (await client.get("/metrics")).text
            return 'fan_comment_polls_total{outcome="unreachable"}' in metrics

        await eventually(it_is_counted)
    await close(database)


@pytest.fixture
def own_log(tmp_path: Path) -> Iterator[EmbeddedLog]:
    made = EmbeddedLog(tmp_path / "own-log")
    yield made
    made.stop()


async def test_a_frozen_log_is_answered_with_503_in_time_and_service_resumes_by_itself(
    make_settings: MakeSettings, own_log: EmbeddedLog
) -> None:
    # Embedded on real parts too: it makes topics by itself, and has no API to create them.
    settings = make_settings(own_log.start(), create_topics=False)
    async with running(settings) as client, Stalls() as stalls:
        await wait_until_taken(client)
        assert (await push(client, "before", "1")).status_code == 200
        os.kill(own_log.process.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            answers = await asyncio.gather(
                *(push(client, "meanwhile", str(2 + number)) for number in range(5))
            )
            ended = time.monotonic()
            # `test_broker_stops` asks an ingest that is not in this process.
            took_s = ended - started - stalls.excused_s(started, ended)
        finally:
            os.kill(own_log.process.pid, signal.SIGCONT)
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert took_s < 3.5

        async def taken_again() -> bool:
            return (await push(client, "after", "9")).status_code == 200

        await eventually(taken_again, within_s=10)


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_due_articles_are_found_the_longest_due_first(
    store: str, database: str, driver: Literal["motor", "pymongo"]
) -> None:
    handle = connect(store, database, driver=driver)
    documents = MongoGuardedStore(handle, COLLECTION, loops=["articles"])
    index = MongoArticleIndex(handle)
    await documents.prepare()
    await index.prepare()
    planned = {"never-read": None, "late": 500, "soon": 2_000, "later": 900, "old": NEVER_MS}
    for article, next_poll_at in planned.items():
        added = await add_article(documents, Article(GH, article, 0, 1))
        if next_poll_at is not None:
            write = GuardedWrite(added.id, 1, {"next_poll_at": next_poll_at, "known": []})
            assert await documents.write([write]) == set()
    await add_article(documents, Article("gh_other", "never-read", 0, 1))
    found = await index.find_due([GH], 1_000, 10)
    assert found == [f"wechat:{GH}:{name}:0" for name in ("never-read", "late", "later")]
    assert len(await index.find_due([GH], 1_000, 2)) == 2
    assert (await add_article(documents, Article(GH, "late", 0, 7))).new is False
    await close(handle)
