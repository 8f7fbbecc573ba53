"""Weibo's replies, the staff's channels, and faults on demand."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from .conftest import ROBOT_KEY, ROUTING_KEY, SERVICE, WEIBO, Stage

CUSTOM_SEND = "/wechat/cgi-bin/message/custom/send"


async def _reply(stage: Stage, fan: str, text: str = "您好", **more: str) -> Any:
    form = {
        "access_token": "weibo-token",
        "type": "text",
        "data": json.dumps({"text": text}),
        "receiver_id": fan,
        **more,
    }
    return await stage.client.post("/weibo/2/messages/reply.json", data=form)


async def test_weibo_answers_only_followers_who_acted_within_48_hours(stage: Stage) -> None:
    assert (await _reply(stage, "1")).json()["error_code"] == 20003
    await stage.act(WEIBO, "follow", "1")
    answers = [await _reply(stage, "1") for _ in range(7)]
    assert {one.json()["result"] for one in answers} == {True}
    stage.pass_time(48 * 3600)
    late = await _reply(stage, "1")
    assert (late.status_code, late.json()["error_code"]) == (400, 20301)
    await stage.act(WEIBO, "text", "1", text="hi")
    await stage.act(WEIBO, "unfollow", "1")
    assert (await _reply(stage, "1")).json()["error_code"] == 20301
    books = await stage.books("weibo")
    assert (books["accepted_sends"], books["over_quota"]) == (7, 2)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"access_token": "wrong"}, 21332),
        ({"receiver_id": ""}, 10016),
        ({"data": "{"}, 10008),
        ({"type": "poem"}, 10008),
        ({"data": json.dumps({"text": "汉" * 300})}, 20012),
        ({"data": json.dumps({"text": "汉" * 299})}, None),
        # "URL-encoded" is what a form is; encoded twice, it is no JSON any more.
        ({"data": quote(json.dumps({"text": "汉"}))}, 10008),
    ],
)
async def test_a_malformed_weibo_reply_is_named(
    stage: Stage, more: dict[str, str], code: int | None
) -> None:
    await stage.act(WEIBO, "follow", "1")
    assert (await _reply(stage, "1", **more)).json().get("error_code") == code


async def test_weibo_comments_are_read_from_the_last_id(stage: Stage) -> None:
    order = {"account": WEIBO, "comments": [{"fan": "7", "text": f"评{n}"} for n in range(3)]}
    ids = (await stage.client.post("/_story/comments", json=order)).json()["ids"]
    query = {"access_token": "weibo-token", "since_id": str(ids[0])}
    found = (await stage.client.get("/weibo/2/comments/to_me.json", params=query)).json()
    assert [one["text"] for one in found["comments"]] == ["评2", "评1"]


async def test_a_robot_takes_twenty_messages_a_minute(stage: Stage) -> None:
    url, good = "/wecom/cgi-bin/webhook/send", {"msgtype": "text", "text": {"content": "告警"}}

    async def send(message: Any, key: str = ROBOT_KEY) -> int:
        answer = await stage.client.post(url, params={"key": key}, json=message)
        assert answer.status_code == 200
        code: int = answer.json()["errcode"]
        return code

    assert await send(good, "wrong") == 93000
    assert await send({"msgtype": "text", "text": {"content": "汉" * 683}}) == 40058
    assert await send({"msgtype": "markdown", "markdown": {"content": "汉" * 1365}}) == 0
    assert await send({"msgtype": "markdown", "markdown": {"content": "汉" * 1366}}) == 40058
    assert await send({"msgtype": "text", "text": {"content": "a", "mentioned_list": "x"}}) == 40058
    assert await send({"msgtype": "dance"}) == 40008
    assert [await send(good) for _ in range(20)] == [0] * 19 + [45009]
    stage.pass_time(60)
    assert await send(good) == 0
    books = await stage.books("wecom")
    assert books["accepted"][-1]["message"] == good


def _event(action: str, key: str = "incident-1", **payload: Any) -> dict[str, Any]:
    return {
        "routing_key": ROUTING_KEY,
        "event_action": action,
        "dedup_key": key,
        "payload": {"summary": "食品安全投诉", "source": "s", "severity": "critical", **payload},
    }


async def test_pagerduty_follows_an_alert_by_its_dedup_key(stage: Stage) -> None:
    async def post(event: Any) -> int:
        return (await stage.client.post("/pagerduty/v2/enqueue", json=event)).status_code

    for action in ("acknowledge", "trigger", "trigger"):
        assert await post(_event(action)) == 202
    assert await post(_event("trigger")) == 429
    stage.pass_time(60)
    assert await post(_event("acknowledge")) == 202
    assert await post(_event("resolve")) == 202
    assert await post(_event("trigger")) == 202
    alerts = (await stage.client.get("/_books")).json()["alerts"]["integration"]
    assert [(one["status"], one["triggers"]) for one in alerts] == [
        ("resolved", 2),
        ("triggered", 1),
    ]
    effects = [one["reason"] for one in (await stage.books("pagerduty"))["accepted"]]
    expected = ["dropped", "opened", "deduplicated", "acknowledged", "resolved", "opened"]
    assert effects == expected


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        _event("shout"),
        _event("trigger") | {"routing_key": "x" * 32},
        _event("trigger", key="k" * 256),
        _event("trigger", summary="s" * 1025),
        _event("trigger", severity="bad"),
        _event("trigger", source=""),
        {"routing_key": ROUTING_KEY, "event_action": "resolve"},
    ],
)
async def test_pagerduty_refuses_an_invalid_event(stage: Stage, event: Any) -> None:
    answer = await stage.client.post("/pagerduty/v2/enqueue", json=event)
    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("fault", "status", "accepted"),
    [
        ({"fault": "http_error", "status": 502}, 502, 0),
        ({"fault": "http_error_after", "status": 504}, 504, 1),
        ({"fault": "busy"}, 200, 0),
        ({"fault": "busy_after"}, 200, 1),
        ({"fault": "errcode", "code": 45009}, 200, 0),
        ({"fault": "latency", "latency_s": 0}, 200, 1),
    ],
)
async def test_a_fault_happens_as_often_as_ordered_and_has_its_stated_effect(
    stage: Stage, fault: dict[str, Any], status: int, accepted: int
) -> None:
    await stage.act(SERVICE, "subscribe")
    token = await stage.token()
    body = {"touser": "o1", "msgtype": "text", "text": {"content": "hi"}}
    order = {"faults": [{"path": CUSTOM_SEND, **fault}]}
    assert (await stage.client.post("/_control", json=order)).status_code == 200
    query = {"access_token": token}
    answer = await stage.client.post(CUSTOM_SEND, params=query, json=body)
    assert answer.status_code == status
    assert len(stage.world.books.entries("wechat")) == accepted
    again = await stage.client.post(CUSTOM_SEND, params=query, json=body)
    assert again.json()["errcode"] == 0


async def test_reset_forgets_faults_alone_or_everything(stage: Stage) -> None:
    await stage.act(SERVICE, "subscribe")
    order = {"faults": [{"path": CUSTOM_SEND, "fault": "busy", "times": 9}], "clock_offset_s": 50}
    await stage.client.post("/_control", json=order)
    assert stage.world.clock.now() == stage.time[0] + 50
    await stage.client.post("/_control/reset", json={"only_faults": True})
    assert await stage.write() == 0
    assert stage.world.clock.now() == stage.time[0]
    await stage.client.post("/_control/reset", json={})
    assert await stage.write() == 40003
    assert (await stage.books("wechat"))["accepted_sends"] == 0


async def test_a_mistake_inside_the_sandbox_is_told_to_whoever_drives_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the handler is closed")

    monkeypatch.setattr(stage.world, "act_all", broken)
    answer = await stage.client.post("/_story/batch", json={"actions": []})
    assert answer.status_code == 500
    assert "the handler is closed" in answer.text
