"""The staff API: campaigns are checked, idempotent and counted; fans' choices are kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import SecretStr

from services.notifier.channels import PUSH_CHANNELS
from services.notifier.domain import records
from services.notifier.domain.campaign_request import ChannelRules
from services.notifier.domain.pushes import PushState
from services.notifier.routes import StaffApi
from shared.settings import ServiceSettings
from shared.web.health import Phase
from shared.web.service import Service
from tests.component.notifier.test_pushes_are_held_or_dropped import NIGHT, QUIET, follow, write
from tests.support.notifier_fakes import MemoryFanQueries, MemoryWaveQueries
from tests.support.notifier_world import ACCOUNT, World

PLANNER, VIEWER = "planner-token-of-this-test", "viewer-token-of-this-test"


class ApiSettings(ServiceSettings):
    service: ClassVar[str] = "notifier"


def api_of(world: World, *, token: str = PLANNER) -> httpx.AsyncClient:
    # It caches, as the writer of a process that owns all fans may: nobody must notice.
    api = StaffApi(
        campaigns=world.books.campaigns,
        facts=world.write(records.FactDocuments(), cached=100),
        campaigns_now=world.books.campaigns_now,
        fans_now=world.books.fans_now,
        campaign_queries=world.campaign_queries,
        fan_queries=MemoryFanQueries(world.stores[records.FANS]),
        push_queries=world.queries,
        wave_queries=MemoryWaveQueries(world.stores[records.WAVES]),
        channels={
            name: ChannelRules(one.platform, one.refuse_content)
            for name, one in PUSH_CHANNELS.items()
        },
        accounts={"wechat:shop": ACCOUNT, ACCOUNT: ACCOUNT, "weibo:brand": "weibo:brand"},
        clock=world.clock,
    )
    settings = ApiSettings(
        kafka_bootstrap_servers="unused:1",
        log_epoch="1",
        mongodb_url=SecretStr("mongodb://unused"),
        mongodb_database="unused",
        staff_tokens={"campaigns": (SecretStr(PLANNER),), "viewer": (SecretStr(VIEWER),)},
        accounts_file=Path("unused"),
    )
    service = Service(settings, routes=api.routes())
    service.health.phase = Phase.RUNNING
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(service.asgi),
        base_url="http://notifier",
        headers={"Authorization": f"Bearer {token}"},
    )


def asked(**fields: Any) -> dict[str, Any]:
    body = {
        "id": "c1",
        "name": "greeting",
        "account": ACCOUNT,
        "channel": "wechat_customer_message",
        "trigger": {"tag": "new"},
        "content": {"text": "你好"},
        "promotion": False,
        **fields,
    }
    return {name: value for name, value in body.items() if value is not None}


async def test_an_account_may_be_called_by_our_name_and_is_kept_as_events_name_it() -> None:
    world = World()
    async with api_of(world) as api:
        created = await api.post("/v1/campaigns", json=asked(account="wechat:shop"))
        world.clock.advance(1)
        again = await api.post("/v1/campaigns", json=asked())
    assert (created.status_code, again.status_code) == (201, 200)
    assert created.json()["account"] == ACCOUNT


async def test_posting_a_campaign_again_changes_nothing_and_another_is_refused() -> None:
    world = World()
    async with api_of(world) as api:
        answers = [await api.post("/v1/campaigns", json=asked())]
        world.clock.advance(5_000)
        answers.append(await api.post("/v1/campaigns", json=asked()))
        answers.append(await api.post("/v1/campaigns", json=asked(name="another")))
        assert [one.status_code for one in answers] == [201, 200, 409]
        assert answers[0].json() == answers[1].json()
        listed = (await api.get("/v1/campaigns")).json()
        assert [one["id"] for one in listed["campaigns"]] == ["c1"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"channel": "sms"}, "channel: use one of"),
        ({"account": "wechat:other"}, "account: not in the accounts file"),
        ({"account": "weibo:brand"}, "is one of wechat"),
        ({"account": "brand"}, "account"),
        ({"content": {"text": "很" * 700}}, "2048 bytes"),
        ({"content": {"text": "x", "article": "y"}}, "either text or article"),
        ({"content": {}}, "either text or article"),
        ({"audience": {"tag": "vip"}}, "either audience or trigger"),
        ({"trigger": None}, "either audience or trigger"),
        ({"expires": "2020-01-01T00:00:00Z"}, "expires"),
        ({"expires": "2026-11-30T00:00:00"}, "timezone"),
        ({"expires": "2099-01-01T00:00:00Z"}, "expires: at most"),
        ({"repeat": "hour"}, "repeat"),
        ({"id": "a b"}, "id"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_a_wrong_campaign_is_refused_and_the_field_named(
    fields: Mapping[str, Any], named: str
) -> None:
    world = World()
    async with api_of(world) as api:
        answer = await api.post("/v1/campaigns", json=asked(**fields))
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
    assert not world.stores[records.CAMPAIGNS].documents


async def test_half_a_character_is_refused() -> None:
    async with api_of(World()) as api:
        body = b'{"id":"c1","name":"n","account":"wechat:brand","channel":"wechat_customer_message"'
        body += b',"trigger":{"tag":"t"},"content":{"text":"\\ud800"}}'
        answer = await api.post("/v1/campaigns", content=body)
    assert answer.status_code == 422


async def test_counts_are_by_state_and_reason_with_the_next_time_of_the_held() -> None:
    world = World(now=NIGHT, quiet=QUIET)
    async with api_of(world) as api:
        assert (await api.post("/v1/campaigns", json=asked())).status_code == 201
        await follow(world)
        await world.run()
        shown = (await api.get("/v1/campaigns/c1")).json()
    assert shown["pushes"] == {"held": 1}
    (reason,) = shown["reasons"]
    assert reason["reason"] == "quiet_hours"
    assert reason["next_at"].startswith("2027-01-16T00:00:00")  # eight o'clock in Shanghai


async def test_a_mass_send_is_shown_with_the_counts_that_the_platform_reported() -> None:
    world = World()
    async with api_of(world) as api:
        await follow(world, "f1", "vip")
        await follow(world, "f2", "vip")
        wanted = asked(channel="wechat_mass_send", trigger=None, audience={"tag": "vip"})
        await api.post("/v1/campaigns", json=wanted)
        await world.run()
        shown = (await api.get("/v1/campaigns/c1")).json()
    (wave,) = shown["mass_sends"]
    assert (wave["fans"], wave["outcome"], wave["platform_counts"]) == (2, "accepted", None)


async def test_an_opt_out_by_the_api_drops_the_fans_pushes() -> None:
    world = World()
    async with api_of(world) as api:
        await api.post("/v1/campaigns", json=asked())
        path = f"/v1/fans/{ACCOUNT}:f1"
        await write(world)
        world.clock.advance(1_000)
        answer = await api.put(f"{path}/preferences", json={"pushes": False})
        assert answer.json()["preferences"] == {"pushes": False}
        await world.tag("f1", "new", at=world.clock.wall - 1_000)
        await world.run()
        shown = (await api.get(f"{path}/pushes")).json()
    assert shown["preferences"] == {"pushes": False}
    assert [(one["state"], one["reason"]) for one in shown["pushes"]] == [("dropped", "opted_out")]
    assert world.row("f1").state is PushState.DROPPED


async def test_cancelling_drops_what_was_not_sent() -> None:
    world = World(now=NIGHT, quiet=QUIET)
    async with api_of(world) as api:
        await api.post("/v1/campaigns", json=asked())
        await follow(world)
        await world.run()
        assert (await api.post("/v1/campaigns/c1/cancel")).json()["cancelled"] is True
        world.clock.advance(10 * 3_600_000)
        await world.run()
        shown = (await api.get("/v1/campaigns/c1")).json()
    assert shown["pushes"] == {"dropped": 1}


async def test_roles_are_kept_apart_and_unknown_things_are_not_found() -> None:
    world = World()
    async with api_of(world, token=VIEWER) as api:
        assert (await api.post("/v1/campaigns", json=asked())).status_code == 403
        assert (await api.get("/v1/campaigns")).status_code == 200
        assert (await api.get("/v1/campaigns/none")).status_code == 404
        assert (await api.get("/v1/fans/nobody/pushes")).status_code == 422
    async with api_of(world, token="no-such-token-in-this-test") as api:
        assert (await api.get("/v1/campaigns")).status_code == 401
