"""What every alert channel promises, walked over every HTTP status and every failure on the way."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from deploy.sandbox.config import Integration, SandboxConfig
from deploy.sandbox.pagers.api import PagerApi
from deploy.sandbox.world import World
from services.sentiment import channels
from services.sentiment.channels import ALERT_CHANNELS
from services.sentiment.channels.base import ChannelKind
from services.sentiment.channels.pagerduty import DEDUP_CHARS, SUMMARY_CHARS
from services.sentiment.channels.wecom_robot import (
    MARKDOWN_BYTES,
    PER_MINUTE,
    TEXT_BYTES,
    WecomRobot,
    WecomRobotConfig,
)
from services.sentiment.domain.paging.page_text import PageMessage, PageText
from services.sentiment.domain.paging.pages import RESULTS, Outcome, dedup_key
from services.sentiment.ports import AlertChannel

SECRET = "very-secret-key-0123456789"
ROUTING_KEY = "r" * 32
CONFIGS: dict[str, dict[str, str]] = {
    "wecom_robot": {"url": "https://robot.example/send", "key": SECRET},
    "pagerduty": {"url": "https://pager.example/v2/enqueue", "routing_key": SECRET},
}
ACCEPTED: dict[str, tuple[int, Any]] = {
    "wecom_robot": (200, {"errcode": 0, "errmsg": "ok"}),
    "pagerduty": (202, {"status": "success", "dedup_key": "k"}),
}
REFUSED: dict[str, list[tuple[int, Any]]] = {
    "wecom_robot": [(200, {"errcode": 93000, "errmsg": "invalid webhook url"})],
    "pagerduty": [
        (202, {"status": "invalid event", "message": "Event object is invalid"}),
        (400, {"status": "invalid event", "errors": ["'routing_key' is invalid"]}),
    ],
}
"""What each platform answers to a call that it does not take, with the status that it uses."""
NOT_THE_PLATFORM: tuple[tuple[str, bytes], ...] = (
    ("nothing", b""),
    ("a sign-in page", b"<html>sign in to the network</html>"),
    ("a list", b"[]"),
    ("a word", b'"success"'),
    ("null", b"null"),
    ("an empty object", b"{}"),
    ("other types", b'{"errcode": false, "status": true}'),
    ("text for numbers", b'{"errcode": "0", "status": ["success"]}'),
    ("broken JSON", b'{"errcode": 0, "status": "success"'),
    ("deep nesting", b"[" * 30_000),
    ("too much", b'{"errcode": 0, "status": "success", "x": "' + b"x" * 70_000 + b'"}'),
)
KINDS = sorted(ALERT_CHANNELS)
Answer = Callable[[httpx.Request], httpx.Response]


def message(**changes: Any) -> PageMessage:
    text = PageText(
        summary="【负面舆情】食品安全（严重度 3/3）微信 gh_brand：5 分钟内 12 人投诉",
        facts=("5 分钟内 12 人发表严重投诉；通常 0.004 人，3 人起报警。", "营销推送已暂停。"),
        samples=("吃完上吐下泻", "食物中毒进了医院", "再也不来了"),
        samples_title="评论示例：",
        link_label="查看并确认",
        link="https://staff.example/i/token",
    )
    made = PageMessage(
        text=text,
        action="trigger",
        page="wechat:gh_brand:food_safety:1/0/x/trigger",
        incident="wechat:gh_brand:food_safety:1",
        dedup_key="wechat:gh_brand:food_safety:1",
        account="wechat:gh_brand",
        subject="food_safety",
        severity=3,
        step=0,
        mention=(),
        occurred_at=1_795_233_600_000,
    )
    return replace(made, **changes)


def huge(**changes: Any) -> PageMessage:
    text = replace(
        message().text,
        summary="危" * 3000,
        facts=("数" * 500,) * 4,
        samples=("骂" * 500,) * 3,
        link="https://staff.example/i/" + "t" * 300,
    )
    return message(text=text, **changes)


def channel(kind: str, answer: Answer) -> AlertChannel:
    made: ChannelKind = ALERT_CHANNELS[kind]
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return made.make(made.config.model_validate(CONFIGS[kind]), client)


async def sent(kind: str, page: PageMessage) -> tuple[Outcome, httpx.Request]:
    requests: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        status, body = ACCEPTED[kind]
        return httpx.Response(status, json=body)

    outcome = await channel(kind, accept).send(page)
    (request,) = requests
    return outcome, request


def test_every_module_of_the_folder_is_registered_and_has_a_contract() -> None:
    modules = {one.name for one in pkgutil.iter_modules(channels.__path__)} - {"base"}
    kinds = {
        value
        for name in modules
        for value in vars(importlib.import_module(f"{channels.__name__}.{name}")).values()
        if isinstance(value, ChannelKind)
    }
    assert len(kinds) == len(modules)
    assert set(ALERT_CHANNELS.values()) == kinds
    assert set(CONFIGS) == set(ACCEPTED) == set(REFUSED) == set(ALERT_CHANNELS)
    for kind, answers in REFUSED.items():  # else a channel that never reads the body would pass
        assert ACCEPTED[kind][0] in {status for status, _ in answers}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
async def test_what_the_platform_accepts_is_sent(kind: str, action: str) -> None:
    outcome, request = await sent(kind, message(action=action))
    assert outcome.result == "sent"
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("kind", KINDS)
async def test_every_status_is_classified_and_none_raises(kind: str) -> None:
    statuses: list[int] = []
    made = channel(kind, lambda _: httpx.Response(statuses[-1], json={}))
    for status in range(200, 600):
        statuses.append(status)
        if kind == "wecom_robot" and isinstance(made, WecomRobot):
            made._sent_at.clear()  # its own rate is another test
        outcome = await made.send(message())
        assert outcome.code != "own_rate"
        assert outcome.result in RESULTS, status
        if status == 429:
            assert outcome.result == "throttled"
        elif status >= 500 or status < 400 or status in {407, 408, 425}:
            # Below 400: the body says nothing, or a proxy leads to its sign-in page.
            assert outcome.result == "unavailable", status
        else:
            assert outcome.result == "refused", status
        assert SECRET not in repr(outcome)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [(kind, status, body) for kind in KINDS for status, body in REFUSED[kind]],
)
async def test_a_body_that_refuses_is_no_acceptance_whatever_the_status(
    kind: str, status: int, body: Any
) -> None:
    made = channel(kind, lambda _: httpx.Response(status, json=body))
    assert (await made.send(message())).result in {"refused", "unavailable"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [raw for _, raw in NOT_THE_PLATFORM], ids=dict(NOT_THE_PLATFORM))
async def test_a_success_that_is_not_the_platforms_own_word_is_tried_again(
    kind: str, status: int, body: bytes
) -> None:
    made = channel(kind, lambda _: httpx.Response(status, content=body))
    assert (await made.send(message())).result == "unavailable"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 201, 202, 203, 206])
async def test_the_platforms_body_is_believed_with_the_platforms_status_only(
    kind: str, status: int
) -> None:
    accepted, body = ACCEPTED[kind]
    made = channel(kind, lambda _: httpx.Response(status, json=body))
    outcome = await made.send(message())
    assert outcome.result == ("sent" if status == accepted else "unavailable")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_wait_that_a_server_asks_for_is_passed_on(kind: str, status: int) -> None:
    made = channel(kind, lambda _: httpx.Response(status, headers={"Retry-After": "17"}))
    assert (await made.send(message())).retry_after_s == 17


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no route"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("nonsense"),
        httpx.PoolTimeout("busy"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_fails_on_the_way_is_tried_again(kind: str, error: httpx.HTTPError) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    assert (await channel(kind, fail).send(message())).result == "unavailable"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_message_names_the_incident_and_the_link(kind: str) -> None:
    _, request = await sent(kind, message())
    body = json.loads(request.content)
    assert "https://staff.example/i/token" in json.dumps(body)
    assert "食品安全" in json.dumps(body, ensure_ascii=False)
    assert "上吐下泻" in json.dumps(body, ensure_ascii=False)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_channels_configuration_hides_its_secret(kind: str) -> None:
    config = ALERT_CHANNELS[kind].config.model_validate(CONFIGS[kind])
    assert SECRET not in repr(config)


@pytest.mark.parametrize(("mention", "limit"), [((), MARKDOWN_BYTES), (("@all",), TEXT_BYTES)])
async def test_a_robot_message_fits_its_bytes_and_keeps_summary_and_link(
    mention: tuple[str, ...], limit: int
) -> None:
    page = huge(mention=mention)
    _, request = await sent("wecom_robot", page)
    body = json.loads(request.content)
    content = body[body["msgtype"]]["content"]
    assert len(content.encode()) <= limit
    assert content.endswith(page.text.link)
    assert "危危" in content


async def test_a_robot_mentions_people_in_a_text_since_markdown_cannot() -> None:
    _, request = await sent("wecom_robot", message(mention=("zhangsan", "@all")))
    body = json.loads(request.content)
    assert body["msgtype"] == "text"
    assert body["text"]["mentioned_list"] == ["zhangsan", "@all"]


@pytest.mark.parametrize(
    ("errcode", "result"),
    [
        (0, "sent"),
        (45009, "throttled"),
        (-1, "unavailable"),
        (93000, "refused"),
        (40058, "refused"),
    ],
)
async def test_a_robot_answers_200_always_so_its_errcode_counts(errcode: int, result: str) -> None:
    made = channel("wecom_robot", lambda _: httpx.Response(200, json={"errcode": errcode}))
    assert (await made.send(message())).result == result


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errcode":"0"}', b'{"errcode":null}'])
async def test_an_answer_that_is_not_wecoms_is_no_acceptance(body: bytes) -> None:
    made = channel("wecom_robot", lambda _: httpx.Response(200, content=body))
    assert (await made.send(message())).result == "unavailable"


async def test_a_robot_is_never_sent_more_than_its_minute_takes() -> None:
    now = [0.0]
    calls: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(200, json={"errcode": 0})

    client = httpx.AsyncClient(transport=httpx.MockTransport(accept))
    robot = WecomRobot(
        WecomRobotConfig.model_validate(CONFIGS["wecom_robot"]), client, clock=lambda: now[0]
    )
    for _ in range(PER_MINUTE):
        now[0] += 1
        assert (await robot.send(message())).result == "sent"
    refused = await robot.send(message())
    assert (refused.result, refused.code) == ("throttled", "own_rate")
    assert refused.retry_after_s == pytest.approx(41)
    assert len(calls) == PER_MINUTE
    now[0] += 41
    assert (await robot.send(message())).result == "sent"


async def test_pagerduty_is_given_what_its_api_demands() -> None:
    _, request = await sent("pagerduty", huge())
    event = json.loads(request.content)
    assert event["event_action"] == "trigger"
    assert len(event["payload"]["summary"]) == SUMMARY_CHARS
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["source"] == "wechat:gh_brand"
    assert event["payload"]["timestamp"] == "2026-11-21T04:00:00.000+00:00"


async def test_pagerduty_gets_one_dedup_key_for_all_that_concerns_an_incident() -> None:
    events = [
        json.loads((await sent("pagerduty", message(action=action, step=step)))[1].content)
        for step, action in enumerate(["trigger", "trigger", "acknowledge", "resolve"])
    ]
    assert {event["dedup_key"] for event in events} == {"wechat:gh_brand:food_safety:1"}
    assert "payload" not in events[2]


async def test_a_dedup_key_that_is_too_long_is_replaced_by_a_stable_one() -> None:
    keys = {
        json.loads((await sent("pagerduty", message(dedup_key="k" * 300)))[1].content)["dedup_key"]
        for _ in range(2)
    }
    assert len(keys) == 1
    assert len(keys.pop()) <= DEDUP_CHARS


async def test_an_incident_that_got_worse_opens_an_alert_of_its_own_at_pagerduty() -> None:
    """PagerDuty takes a trigger on an acknowledged alert for a repetition, and calls nobody."""
    world = World(SandboxConfig(pagerduty=(Integration(routing_key=ROUTING_KEY),)))
    app = Starlette(routes=PagerApi(world).pagerduty_routes())
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app))
    config = {"url": "https://pager.example/v2/enqueue", "routing_key": ROUTING_KEY}
    made = ALERT_CHANNELS["pagerduty"]
    pager = made.make(made.config.model_validate(config), client)
    key, anew = dedup_key("i", 0), dedup_key("i", 1)
    alerts = world.alerts[ROUTING_KEY]
    for action in ("trigger", "acknowledge"):
        assert (await pager.send(message(action=action, dedup_key=key))).result == "sent"
    assert alerts.by_key[key].status == "acknowledged"
    await pager.send(message(dedup_key=anew, earlier_keys=(key,)))
    assert alerts.by_key[anew].status == "triggered"
    await pager.send(message(action="resolve", dedup_key=anew, earlier_keys=(key,)))
    assert [one.dedup_key for one in alerts.closed] == [anew, key]
    assert alerts.by_key == {}
