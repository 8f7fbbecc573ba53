"""The notifier as a whole on a real log and store, calling the stand-in platforms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from deploy.local.brand import NAME, WECHAT, WEIBO, Brand
from deploy.sandbox.app import create_app as create_sandbox
from deploy.sandbox.config import load_config
from deploy.sandbox.world import World
from services.notifier.app import create_app
from services.notifier.domain import platform_clock, records
from services.notifier.domain.fan import Fan, prefer
from services.notifier.settings import NotifierSettings
from shared.events import Event, FanFollowed, MessageReceived, TagAssigned
from shared.kafka.handler import Change
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.writer import DocumentWriter
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore
from shared.testing.memory_log import MemoryPublisher, record_of
from shared.testing.silent_observer import SilentObserver

TOKEN = "campaigns-token-for-this-test"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Stack:
    """A started notifier, its platforms, and the log in front of it."""

    def __init__(self, api: httpx.AsyncClient, world: World, publisher: KafkaPublisher) -> None:
        self.api = api
        self.world = world
        self._publisher = publisher

    async def follow(self, openid: str, *tags: str, number: int = 1) -> None:
        """A WeChat fan follows and gains tags, as ingest and segmenter would tell."""
        at = int(time.time())
        self.world.wechat[WECHAT].note("subscribe", openid, at)
        who: dict[str, Any] = {"platform": "wechat", "account": WECHAT, "fan": openid}
        await self.tell(
            FanFollowed(occurred_at=at * 1000, authenticated_by="wechat_safe", **who),
            *(_assigned(who, tag, tags, at, number) for tag in tags),
        )

    async def tell(self, *events: Event) -> None:
        await self._publisher.publish(
            [record_of(event, f"{event.key}-{type(event).__name__}") for event in events]
        )

    async def show(self, campaign: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/campaigns/{campaign}")
        found: dict[str, Any] = answer.json()
        return found


def _assigned(
    who: dict[str, Any], tag: str, tags: tuple[str, ...], at: int, number: int
) -> TagAssigned:
    return TagAssigned(
        occurred_at=at * 1000,
        tag=tag,
        rule_version="v1",
        because="event",
        cause="cause",
        tags=tuple(sorted(tags)),
        number=number,
        **who,
    )


@pytest.fixture
def settings(
    log: str,
    store: str,
    database: str,
    topic_prefix: str,
    parts_kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> NotifierSettings:
    brand = Brand.invent()
    brand.write_sandbox_config(tmp_path / "sandbox.yaml", "http://127.0.0.1:9")
    brand.write_accounts(tmp_path / "accounts.yaml", "http://sandbox")
    for entries in yaml.safe_load((tmp_path / "accounts.yaml").read_text()).values():
        for name in _references(entries):
            monkeypatch.setenv(name, getattr(brand, _SECRETS[name]))
    return NotifierSettings(
        kafka_bootstrap_servers=log,
        log_epoch="1",
        topic_prefix=topic_prefix,
        create_topics=parts_kind == "real",
        mongodb_url=SecretStr(store),
        mongodb_database=database,
        staff_tokens={"campaigns": (SecretStr(TOKEN),)},
        accounts_file=tmp_path / "accounts.yaml",
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
        quiet_hours="",
        fan_cap_a_day=5,
    )


_SECRETS = {
    "WECHAT_BRAND_TOKEN": "wechat_token",
    "WECHAT_BRAND_AES_KEY": "wechat_aes_key",
    "WECHAT_BRAND_APP_SECRET": "wechat_app_secret",
    "WEIBO_BRAND_APP_SECRET": "weibo_app_secret",
    "WEIBO_BRAND_ACCESS_TOKEN": "weibo_access_token",
    "SHOP_WEBHOOK_SECRET": "shop_secret",
}


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for one in value for name in _references(one)]
    if isinstance(value, dict):
        return [name for one in value.values() for name in _references(one)]
    text = str(value)
    return [text[2:-1]] if text.startswith("${") else []


@asynccontextmanager
async def another_process(settings: NotifierSettings) -> AsyncIterator[DocumentWriter[Fan]]:
    """The facts' writer of a second notifier, which owns the fans' partitions."""
    database = connect(settings.mongodb_url.get_secret_value(), settings.mongodb_database)
    facts = records.FactDocuments()
    yield DocumentWriter(
        facts,
        MongoGuardedStore(database, facts.collection, loops=[facts.loop]),
        MemoryPublisher(),
        source="/notifier",
        group="notifier",
        observer=SilentObserver(),
    )
    await close(database)


@asynccontextmanager
async def running(settings: NotifierSettings) -> AsyncIterator[Stack]:
    world = World(load_config(settings.accounts_file.with_name("sandbox.yaml")))
    platforms = httpx.AsyncClient(transport=httpx.ASGITransport(create_sandbox(world)))
    service = create_app(settings, http=platforms)
    publisher = KafkaPublisher(
        settings.kafka_bootstrap_servers, topic_prefix=settings.topic_prefix, deadline_s=20
    )
    await publisher.start()
    async with (
        service.started(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(service.asgi), base_url="http://notifier", headers=HEADERS
        ) as api,
    ):
        yield Stack(api, world, publisher)
    await publisher.stop()


async def until_pushes(stack: Stack, name: str, expected: dict[str, int]) -> dict[str, Any]:
    """The campaign, once its pushes are in these states; else an error that shows it."""
    deadline = time.monotonic() + 30
    while (shown := await stack.show(name))["pushes"] != expected:
        assert time.monotonic() < deadline, shown
        await asyncio.sleep(0.1)
    return shown


def campaign(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "account": f"wechat:{NAME}",
        "content": {"text": "欢迎关注！"},
        "promotion": False,
        **fields,
    }


async def test_a_greeting_and_a_mass_send_reach_the_platform_and_are_counted(
    settings: NotifierSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Mass sends are held around Shanghai's midnight, and this test may run then.
    monkeypatch.setattr(platform_clock, "near_boundary", lambda _now: False)
    async with running(settings) as stack:
        greeting = campaign("greeting", channel="wechat_customer_message", trigger={"tag": "new"})
        created = await stack.api.post("/v1/campaigns", json=greeting)
        again = await stack.api.post("/v1/campaigns", json=greeting)
        assert (created.status_code, again.status_code) == (201, 200), created.text
        fans = [f"oFan{number}" for number in range(12)]
        for openid in fans:
            await stack.follow(openid, "vip", "new")

        await until_pushes(stack, "greeting", {"sent": len(fans)})
        article = campaign(
            "article",
            channel="wechat_mass_send",
            audience={"tag": "vip"},
            content={"article": "media-1"},
        )
        assert (await stack.api.post("/v1/campaigns", json=article)).status_code == 201

        shown = await until_pushes(stack, "article", {"sent": len(fans)})
        (wave,) = shown["mass_sends"]
        assert wave["outcome"] == "accepted"
        assert wave["article"]
        books = stack.world.books.as_json()["platforms"]["wechat"]
        assert books["over_quota"] == 0
        assert books["accepted_sends"] == 2 * len(fans)


async def test_an_opt_out_by_keyword_drops_and_a_weibo_reply_goes_out(
    settings: NotifierSettings,
) -> None:
    async with running(settings) as stack:
        reply = campaign(
            "reply",
            account=f"weibo:{WEIBO}",
            channel="weibo_reply",
            trigger={"tag": "asked"},
        )
        assert (await stack.api.post("/v1/campaigns", json=reply)).status_code == 201
        at = int(time.time())
        for uid, text in (("1001", "你好"), ("1002", "退订")):
            stack.world.weibo[WEIBO].note("follow", uid, at)
            who: dict[str, Any] = {"platform": "weibo", "account": WEIBO, "fan": uid}
            await stack.tell(
                MessageReceived(
                    occurred_at=at * 1000,
                    authenticated_by="weibo",
                    message_type="text",
                    text=text,
                    **who,
                ),
                _assigned(who, "asked", ("asked",), at, 1),
            )

        shown = await until_pushes(stack, "reply", {"sent": 1, "dropped": 1})
        assert {(one["state"], one["reason"]) for one in shown["reasons"]} == {
            ("sent", ""),
            ("dropped", "opted_out"),
        }
        answer = await stack.api.get(f"/v1/fans/weibo:{WEIBO}:1002/pushes")
        assert answer.json()["preferences"] == {"pushes": False}


async def test_an_opt_out_that_another_process_applied_is_shown(settings: NotifierSettings) -> None:
    async with running(settings) as stack, another_process(settings) as facts:
        greeting = campaign("greeting", channel="wechat_customer_message", trigger={"tag": "new"})
        assert (await stack.api.post("/v1/campaigns", json=greeting)).status_code == 201
        await stack.follow("oFan", "new")
        await until_pushes(stack, "greeting", {"sent": 1})
        key = f"wechat:{WECHAT}:oFan"
        for opted_out in (True, False, True):
            at = int(time.time() * 1000)
            shown = await stack.api.get(f"/v1/fans/{key}/pushes")  # whoever caches has it now
            assert shown.json()["preferences"] == {"pushes": opted_out}

            def decide(_key: str, fan: Fan, at: int = at, wish: bool = opted_out) -> Change[Fan]:  # noqa: FBT001 - a value
                return Change(replace(fan, facts=prefer(fan.facts, wish, at)))

            await facts.change([key], decide)
            shown = await stack.api.get(f"/v1/fans/{key}/pushes")
            assert shown.json()["preferences"] == {"pushes": not opted_out}
