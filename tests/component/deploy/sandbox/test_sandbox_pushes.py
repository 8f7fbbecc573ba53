"""The pushes of WeChat, Weibo and the shop: wire format, patience, copies and forgeries."""

from __future__ import annotations

import json

import httpx
import pytest

from deploy.sandbox.actions import Action
from deploy.sandbox.config import Delivery
from deploy.sandbox.signing import sha1_of_sorted, standard_webhook_signature
from deploy.sandbox.wechat.aes import Envelope
from deploy.sandbox.wechat.push import WechatPusher
from deploy.sandbox.wechat.xml import build_xml, parse_xml

from .conftest import AES_KEY, SERVICE, SHOP, WEIBO, Stage, config


async def test_safe_mode_shows_only_receiver_and_ciphertext(stage: Stage) -> None:
    await stage.act(SERVICE, "subscribe", key="spring")
    request = stage.service.requests[0]
    query, outer = request.url.params, parse_xml(request.content)
    assert set(outer) == {"ToUserName", "Encrypt"}
    signed = ("webhook-token", query["timestamp"], query["nonce"])
    assert query["signature"] == sha1_of_sorted(*signed)
    assert query["msg_signature"] == sha1_of_sorted(*signed, outer["Encrypt"])
    assert query["encrypt_type"] == "aes"
    event = parse_xml(Envelope(AES_KEY, "wx01").open(outer["Encrypt"]))
    assert event["EventKey"] == "qrscene_spring"
    assert event["Event"] == "subscribe"
    assert event["FromUserName"] == "o1"
    assert event["CreateTime"] == str(int(stage.time[0]))


async def test_plain_and_compatible_mode_show_the_fields(stage: Stage) -> None:
    await stage.act(SERVICE, "text", text="<好>]]>&", mode="plain")
    await stage.act(SERVICE, "click", key="MENU", mode="compatible")
    plain, compatible = (parse_xml(one.content) for one in stage.service.requests)
    assert plain["Content"] == "<好>]]>&"
    assert plain["MsgId"].isdecimal()
    assert "Encrypt" not in plain
    assert "encrypt_type" not in stage.service.requests[0].url.params
    assert compatible["Event"] == "CLICK"
    inner = parse_xml(Envelope(AES_KEY, "wx01").open(compatible["Encrypt"]))
    assert inner["EventKey"] == "MENU"


@pytest.mark.parametrize(
    "kind", ["image", "voice", "video", "location", "link", "scan", "view", "unsubscribe"]
)
async def test_every_kind_of_wechat_push_is_well_formed(stage: Stage, kind: str) -> None:
    answer = await stage.act(SERVICE, kind, key="k", mode="plain")
    assert answer["verdict"] == "acknowledged"
    found = parse_xml(stage.service.requests[0].content)
    assert found["MsgType"] == ("event" if "Event" in found else kind)


async def test_no_answer_is_sent_again_three_times_in_all(stage: Stage) -> None:
    stage.service.script = [httpx.ReadTimeout("slow")] * 3
    answer = await stage.act(SERVICE, "text", text="hi")
    assert answer["verdict"] == "unanswered"
    assert (
        answer["counts"] | {"sent": 3, "unanswered": 3, "retried": 2, "lost": 1}
        == (answer["counts"])
    )
    assert len({one.content for one in stage.service.requests}) == 1


async def test_a_lost_answer_and_a_503_are_sent_again(stage: Stage) -> None:
    stage.service.script = [httpx.Response(503), httpx.Response(200, text="success")]
    answer = await stage.act(SERVICE, "text", text="hi", lost_answers=1)
    assert answer["counts"]["sent"] == 2
    assert answer["counts"]["retried"] == 1
    assert answer["counts"]["unanswered"] == 1
    assert answer["counts"]["lost"] == 0
    answer = await stage.act(SERVICE, "text", text="hi", lost_answers=2)
    assert (answer["counts"]["sent"], answer["counts"]["acknowledged"]) == (3, 3)


async def test_copies_go_out_side_by_side_with_the_same_bytes(stage: Stage) -> None:
    answer = await stage.act(SERVICE, "text", text="hi", copies=3)
    assert answer["counts"]["pushes"] == 1
    assert answer["counts"]["duplicated"] == 2
    assert len(stage.service.requests) == 3
    assert len({one.content for one in stage.service.requests}) == 1


@pytest.mark.parametrize("forge", ["signature", "body", "stale"])
@pytest.mark.parametrize("account", [SERVICE, WEIBO, SHOP])
async def test_a_forgery_changes_nothing_on_the_platform_and_is_counted(
    stage: Stage, forge: str, account: str
) -> None:
    await stage.act(account, "text", "77", text="真", fields={})
    stage.service.script = [httpx.Response(403), httpx.Response(200)]
    refused = await stage.act(account, "text", "78", text="假", forge=forge)
    accepted = await stage.act(account, "text", "78", text="假", forge=forge)
    assert (refused["counts"]["rejected"], refused["counts"]["forged"]) == (1, 1)
    assert accepted["counts"]["forged_accepted"] == 1
    assert accepted["counts"]["pushes"] == 0
    assert "78" not in stage.world.wechat[SERVICE].fans
    assert "78" not in stage.world.weibo[WEIBO].fans


async def test_no_forged_wechat_push_carries_a_valid_signature_of_now(stage: Stage) -> None:
    await stage.act(SERVICE, "text", text="真")
    for forge in ("signature", "body", "stale"):
        await stage.act(SERVICE, "text", text="假", forge=forge)
        request = stage.service.requests[-1]
        query, sealed = request.url.params, parse_xml(request.content)["Encrypt"]
        right = sha1_of_sorted("webhook-token", query["timestamp"], query["nonce"], sealed)
        stale = int(query["timestamp"]) < stage.time[0] - 300
        assert query["msg_signature"] != right or stale


async def test_a_captured_signature_comes_from_a_push_that_was_answered(stage: Stage) -> None:
    await stage.act(WEIBO, "text", "77", text="真")
    genuine = stage.service.requests[0].url.params
    await stage.act(WEIBO, "text", "78", text="假", forge="body")
    forged = stage.service.requests[1]
    assert dict(forged.url.params) == dict(genuine)
    assert forged.content != stage.service.requests[0].content


def test_re_sends_may_be_sealed_anew_and_still_carry_the_same_message() -> None:
    account = config().wechat[0]
    pusher = WechatPusher(account, Delivery(resign_on_retry=True))
    push = pusher.push(Action(account=SERVICE, kind="text", fan="o1", text="hi"), 1.0)
    envelope = Envelope(AES_KEY, "wx01")
    opened = {envelope.open(parse_xml(one.body)["Encrypt"]) for one in push.requests}
    assert (len(push.requests), len({one.body for one in push.requests}), len(opened)) == (3, 3, 1)


def _reply(fan: str, *, sealed: bool, signature: str | None = None) -> httpx.Response:
    xml = build_xml(
        {
            "ToUserName": fan,
            "FromUserName": SERVICE,
            "CreateTime": 1,
            "MsgType": "text",
            "Content": "您好",
        }
    )
    if sealed:
        encrypt = Envelope(AES_KEY, "wx01").seal(xml.encode(), b"0" * 16)
        right = sha1_of_sorted("webhook-token", "5", "n", encrypt)
        xml = build_xml(
            {
                "Encrypt": encrypt,
                "MsgSignature": signature or right,
                "TimeStamp": 5,
                "Nonce": "n",
            }
        )
    return httpx.Response(200, text=xml)


async def test_passive_replies_are_read_as_the_mode_wants(stage: Stage) -> None:
    stage.service.script = [
        httpx.Response(200),
        _reply("o1", sealed=True),
        _reply("o1", sealed=False),
        _reply("someone_else", sealed=True),
        _reply("o1", sealed=True, signature="0" * 40),
        httpx.Response(200, json={"ok": True}),
    ]
    verdicts = [(await stage.act(SERVICE, "text", text="hi"))["verdict"] for _ in range(6)]
    assert verdicts == ["acknowledged"] * 2 + ["malformed"] * 4


async def test_verification_wants_its_echo(stage: Stage) -> None:
    for account in (SERVICE, WEIBO):
        bad = await stage.act(account, "verify")
        request = stage.service.requests[-1]
        assert request.method == "GET"
        assert request.url.params["echostr"]
        assert bad["verdict"] == "malformed"


async def test_weibo_signs_its_query_in_milliseconds_and_sends_json(stage: Stage) -> None:
    await stage.act(WEIBO, "scan_follow", "123", key="42")
    request = stage.service.requests[0]
    query, body = request.url.params, json.loads(request.content)
    assert query["timestamp"] == str(int(stage.time[0] * 1000))
    signed = ("weibo-secret", query["timestamp"], query["nonce"])
    assert query["signature"] == sha1_of_sorted(*signed)
    assert body["type"] == "event"
    assert body["data"]["subtype"] == "scan_follow"
    assert (body["sender_id"], body["receiver_id"]) == (123, int(WEIBO))
    assert body["created_at"] == "Sun Nov 22 12:00:00 +0800 2026"


async def test_weibo_reads_a_url_encoded_reply(stage: Stage) -> None:
    reply = {
        "result": True,
        "sender_id": int(WEIBO),
        "receiver_id": 123,
        "type": "text",
        "data": "%7B%22text%22%3A%22%E4%B8%AD%E6%96%87%E6%B6%88%E6%81%AF%22%7D",
    }
    stage.service.script = [
        httpx.Response(200, json=reply),
        httpx.Response(200, json={**reply, "receiver_id": 9}),
    ]
    verdicts = [(await stage.act(WEIBO, "text", "123", text="hi"))["verdict"] for _ in range(2)]
    assert verdicts == ["acknowledged", "malformed"]


async def test_a_shops_post_is_signed_over_id_time_and_body(stage: Stage) -> None:
    stage.service.script = [
        httpx.Response(410),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(204),
    ]
    refused = await stage.act(SHOP, "order.paid", fields={"order_id": "A1"}, event_id="msg_1")
    answer = await stage.act(SHOP, "order.paid", fields={"order_id": "A1"}, event_id="msg_1")
    request = stage.service.requests[-1]
    assert refused["verdict"] == "rejected"
    assert (answer["verdict"], answer["counts"]["retried"]) == ("acknowledged", 1)
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["webhook-signature"] == standard_webhook_signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_1",
        int(request.headers["webhook-timestamp"]),
        request.content,
    )
    assert json.loads(request.content)["data"]["order_id"] == "A1"


async def test_a_batch_keeps_each_fans_order(stage: Stage) -> None:
    actions = [
        {"account": WEIBO, "kind": "text", "fan": str(fan), "text": str(step)}
        for step in range(5)
        for fan in range(10)
    ]
    answer = await stage.client.post("/_story/batch", json={"actions": actions, "concurrency": 7})
    assert answer.json()["counts"]["acknowledged"] == 50
    by_fan: dict[int, list[str]] = {}
    for request in stage.service.requests:
        body = json.loads(request.content)
        by_fan.setdefault(body["sender_id"], []).append(body["text"])
    assert all(steps == list("01234") for steps in by_fan.values())
    assert len(by_fan) == 10


async def test_what_the_platform_does_not_push_is_an_error_of_the_caller(stage: Stage) -> None:
    for action in (
        {"account": SERVICE, "kind": "teleport", "fan": "o1"},
        {"account": "gh_nobody", "kind": "text", "fan": "o1"},
        {"account": SERVICE, "kind": "text", "colour": "red"},
        {"account": WEIBO, "kind": "text", "fan": "no-number"},
    ):
        assert (await stage.client.post("/_story/send", json=action)).status_code == 400
        batch = {"actions": [action]}
        assert (await stage.client.post("/_story/batch", json=batch)).status_code == 400
