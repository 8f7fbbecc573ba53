"""What staff see over HTTP, and who may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.segmenter.app import create_app
from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.handlers import TagHandler
from services.segmenter.routes import staff_routes
from services.segmenter.settings import SegmenterSettings
from shared.errors import TransientError
from shared.events import FanFollowed, FanUnfollowed, MenuClicked, MessageReceived
from shared.settings import SettingsError
from shared.testing.memory_log import MemoryPublisher, feed
from shared.testing.memory_store import MemoryGuardedStore
from shared.web.service import Service
from tests.support.fan_histories import KEY, START, WHO
from tests.support.segmenter_fakes import MemoryFanIndex, RecordingNotes

RULES = """
tags:
  - {tag: 活跃, kind: count, description: 常点菜单, event: MenuClicked, at_least: 2, within: 1h}
  - {tag: refund, kind: keywords, any_of: [退款], for: 1d}
  - {tag: store, kind: source_scene, prefix: store-}
"""
TOKENS = {role: f"{role}-token-of-enough-length" for role in ("campaigns", "oncall", "viewer")}


def _settings(tags_file: Path) -> SegmenterSettings:
    return SegmenterSettings(
        kafka_bootstrap_servers="127.0.0.1:9",
        log_epoch="1",
        mongodb_url=SecretStr("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50"),
        mongodb_database="segmenter",
        staff_tokens={role: (SecretStr(token),) for role, token in TOKENS.items()},
        accounts_file=Path("unused"),
        tags_file=tags_file,
    )


def _at(seconds: int) -> dict[str, Any]:
    return WHO | {"occurred_at": START + seconds * 1_000}


class _Broken(MemoryFanIndex):
    async def find(self, key: str) -> None:
        raise TransientError(f"{len(key)}")


@pytest.fixture
async def store() -> MemoryGuardedStore:
    store = MemoryGuardedStore()
    handler = TagHandler(parse_rules(RULES, "tags.yaml"), RecordingNotes())
    gone = {"fan": "openid-2"}
    history = [
        FanFollowed(scene="store-9", **_at(0)),
        MenuClicked(menu_key="a", **_at(1)),
        MenuClicked(menu_key="a", **_at(2)),
        MessageReceived(message_type="text", text="退款，我的电话13800000000", **_at(3)),
        FanFollowed(scene="store-9", **_at(0) | gone),
        FanUnfollowed(**_at(1) | gone),
    ]
    pairs = [(f"id-{n}", event) for n, event in enumerate(history)]
    await feed(handler, store, MemoryPublisher(), pairs)
    return store


async def _client(index: MemoryFanIndex) -> AsyncIterator[httpx.AsyncClient]:
    handler = TagHandler(parse_rules(RULES, "tags.yaml"), RecordingNotes())
    routes = staff_routes(index, handler, lambda: START + 10_000)
    service = Service(_settings(Path("unused")), routes=routes)
    async with (
        service.started(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(service.asgi), base_url="http://segmenter"
        ) as client,
    ):
        client.headers["Authorization"] = f"Bearer {TOKENS['viewer']}"
        yield client


@pytest.fixture
async def client(store: MemoryGuardedStore) -> AsyncIterator[httpx.AsyncClient]:
    async for client in _client(MemoryFanIndex(store)):
        yield client


async def test_a_fan_is_shown_with_profile_tags_reasons_and_counters(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get(f"/v1/fans/{KEY}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    assert shown["profile"] == {
        "first_seen": "2023-11-14T22:13:20.000Z",
        "following": True,
        "followed_at": "2023-11-14T22:13:20.000Z",
        "source_scene": "store-9",
    }
    tags = {tag.pop("tag"): tag for tag in shown["tags"]}
    assert tags.keys() == {"活跃", "refund", "store"}
    assert tags["store"]["until"] is None
    assert tags["活跃"]["since"] == "2023-11-14T22:13:22.000Z"
    assert tags["活跃"]["until"] == "2023-11-14T23:13:21.000Z"
    assert (tags["refund"]["because"], tags["refund"]["cause"]) == ("event", "id-3")
    assert shown["counters"] == {
        "活跃": {"counted": 2, "at_least": 2},
        "refund": {"word": "退款", "last_at": "2023-11-14T22:13:23.000Z"},
    }
    assert shown["rules_current"] is True
    assert "1380" not in answer.text


async def test_all_tags_are_shown_with_their_rules_and_fans(client: httpx.AsyncClient) -> None:
    shown = (await client.get("/v1/tags")).json()
    assert shown["fans_to_examine"] == 0
    assert [(tag["tag"], tag["fans"]) for tag in shown["tags"]] == [
        ("活跃", 1),
        ("refund", 1),
        ("store", 1),
    ]
    assert shown["tags"][0]["description"] == "常点菜单"
    assert shown["tags"][0]["rule"] == {
        "kind": "count",
        "event": "MenuClicked",
        "at_least": 2,
        "within": "1h",
    }
    assert shown["tags"][1]["rule"] == {"kind": "keywords", "any_of": ["退款"], "for": "1d"}


@pytest.mark.parametrize("fan", ["nobody", "wechat:gh_1:openid-2", "a/b", "%00", "x" * 2_000])
async def test_who_is_not_known_or_has_left_is_not_found(
    client: httpx.AsyncClient, fan: str
) -> None:
    answer = await client.get(f"/v1/fans/{fan}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_fan")


@pytest.mark.parametrize("path", ["/v1/tags", f"/v1/fans/{KEY}"])
async def test_only_known_tokens_with_a_reading_role_may_ask(
    client: httpx.AsyncClient, path: str
) -> None:
    statuses = {}
    for role, token in {**TOKENS, "nobody": "x" * 30}.items():
        answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
        statuses[role] = answer.status_code
    assert statuses == {"campaigns": 200, "oncall": 403, "viewer": 200, "nobody": 401}


async def test_while_the_store_is_away_the_answer_is_503_with_retry_after(
    store: MemoryGuardedStore,
) -> None:
    async for client in _client(_Broken(store)):
        answer = await client.get(f"/v1/fans/{KEY}")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"


async def test_a_wrong_rule_file_refuses_the_start_and_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text("tags:\n  - {tag: a, kind: count}\n", "utf-8")
    with pytest.raises(SettingsError) as caught:
        create_app(_settings(file))
    assert all(p.startswith(f"{file}:2:5: tags[0].") for p in caught.value.problems)
    with pytest.raises(SettingsError, match="there is no such file"):
        create_app(_settings(tmp_path / "missing.yaml"))


async def test_the_whole_service_can_be_built_and_names_what_it_waits_for(tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text(RULES, "utf-8")
    service = create_app(_settings(file))
    status, told = await service.health.readiness()
    await service._hooks[0].stop()  # type: ignore[misc]  # the store's hook has one
    assert status == 503
    assert told["missing"] == ["log", "store"]
