"""WeChat's server API over HTTP: what it accepts, what it refuses, and what its books say."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from deploy.sandbox.wechat.aes import Envelope
from deploy.sandbox.wechat.xml import parse_xml

from .conftest import AES_KEY, SERVICE, SUBSCRIPTION, Stage

DAY = 24 * 3600


def _mass(fans: list[str], key: str, **more: Any) -> dict[str, Any]:
    return {
        "touser": fans,
        "msgtype": "text",
        "text": {"content": "新品上市"},
        "clientmsgid": key,
        **more,
    }


async def _follow(stage: Stage, *fans: str, account: str = SERVICE) -> None:
    for fan in fans:
        await stage.act(account, "subscribe", fan)


async def test_a_followers_message_allows_five_answers(stage: Stage) -> None:
    await _follow(stage, "o1")
    stage.pass_time(60)
    assert await stage.write() == 45015
    await stage.act(SERVICE, "text", text="在吗")
    assert [await stage.write() for _ in range(6)] == [0] * 5 + [45047]
    books = await stage.books("wechat")
    assert books["accepted_sends"] == 5
    assert books["over_quota"] == 2
    assert books["errors"] == {"45015": 1, "45047": 1}
    assert books["rejected"][-1]["openid"] == "o1"


async def test_who_left_or_is_unknown_gets_nothing(stage: Stage) -> None:
    await _follow(stage, "o1")
    await stage.act(SERVICE, "unsubscribe")
    await stage.act(SERVICE, "text", "o2", text="没关注")
    assert await stage.write("o1") == 43004
    assert await stage.write("o2") == 50005
    assert await stage.write("o3") == 40003


@pytest.mark.parametrize(
    ("content", "code"),
    [("汉" * 682, 0), ("汉" * 682 + "ab", 0), ("汉" * 683, 45002), ("", 44004), (5, 47003)],
)
async def test_length_of_a_text_counts_in_bytes(stage: Stage, content: Any, code: int) -> None:
    await _follow(stage, "o1")
    body = {"touser": "o1", "msgtype": "text", "text": {"content": content}}
    assert (await stage.wechat("message/custom/send", body))["errcode"] == code


async def test_a_bad_token_is_refused_with_http_200_and_the_platforms_date(stage: Stage) -> None:
    url = "/wechat/cgi-bin/message/custom/send"
    bad = await stage.client.post(url, params={"access_token": "wx01_bad"}, json={})
    assert bad.status_code == 200
    assert bad.json()["errcode"] == 40001
    assert parsedate_to_datetime(bad.headers["date"]).timestamp() == stage.time[0]
    assert (await stage.client.post(url, json={})).json()["errcode"] == 41001
    token = await stage.token()
    await stage.client.post("/_control", json={"revoke_tokens": True})
    revoked = await stage.client.post(url, params={"access_token": token}, json={})
    assert revoked.json()["errcode"] == 40001


async def test_a_token_needs_the_right_appid_secret_and_grant(stage: Stage) -> None:
    good = {"grant_type": "client_credential", "appid": "wx01", "secret": "app-secret"}
    for field, code in (("grant_type", 40002), ("appid", 40013), ("secret", 40125)):
        answer = await stage.client.post("/wechat/cgi-bin/stable_token", json=good | {field: "x"})
        assert answer.json()["errcode"] == code
    classic = await stage.client.get("/wechat/cgi-bin/token", params=good)
    assert classic.json()["expires_in"] == 7200


async def test_a_mass_send_is_accepted_once_and_its_job_is_reported(stage: Stage) -> None:
    await _follow(stage, "o1", "o2")
    first = await stage.wechat("message/mass/send", _mass(["o1", "o2", "ghost"], "c1"))
    assert first["errcode"] == 0
    assert "msg_data_id" not in first
    assert (await stage.wechat("message/mass/send", _mass(["o1", "o2"], "c1")))["errcode"] == 45066
    stage.pass_time(60)
    again = await stage.wechat("message/mass/send", _mass(["o1", "o2"], "c1"))
    assert (again["errcode"], again["msg_id"]) == (45065, first["msg_id"])
    await stage.world.settle()
    sealed = parse_xml(stage.service.requests[-1].content)["Encrypt"]
    event = parse_xml(Envelope(AES_KEY, "wx01").open(sealed))
    assert event["Event"] == "MASSSENDJOBFINISH"
    assert event["MsgID"] == str(first["msg_id"])
    assert (event["TotalCount"], event["SentCount"], event["FilterCount"]) == ("3", "2", "2")
    books = await stage.books("wechat")
    assert books["accepted_sends"] == 3
    assert books["accepted"][0]["not_following"] == ["ghost"]


async def test_a_fifth_mass_message_in_a_month_fails_for_that_fan_only(stage: Stage) -> None:
    await _follow(stage, "o1", "o2", "o3")
    for wave in range(4):
        answer = await stage.wechat("message/mass/send", _mass(["o1", "o2"], f"c{wave}"))
        assert answer["errcode"] == 0
    fifth = await stage.wechat("message/mass/send", _mass(["o1", "o3"], "c5"))
    assert fifth["errcode"] == 0
    none_left = await stage.wechat("message/mass/send", _mass(["o1", "o2"], "c6"))
    assert none_left["errcode"] == 45028
    books = await stage.books("wechat")
    assert books["accepted"][-1]["over_month"] == ["o1"]
    assert books["over_quota"] == 1 + 2
    stage.pass_time(9 * DAY)  # December
    assert (await stage.wechat("message/mass/send", _mass(["o1", "o2"], "c7")))["errcode"] == 0


async def test_a_subscription_account_sends_once_a_day_of_shanghai(stage: Stage) -> None:
    await _follow(stage, "o1", "o2", account=SUBSCRIPTION)
    fans = ["o1", "o2"]

    async def send(key: str) -> int:
        answer = await stage.wechat("message/mass/send", _mass(fans, key), SUBSCRIPTION)
        code: int = answer["errcode"]
        return code

    assert [await send("a"), await send("b")] == [0, 45028]
    stage.pass_time(DAY / 2 - 1)
    assert await send("c") == 45028
    stage.pass_time(1)
    assert await send("d") == 0


@pytest.mark.parametrize(
    ("fans", "key", "code"),
    [
        (["o1"], "k", 40032),
        ([f"o{n}" for n in range(10_001)], "k", 40032),
        (["o1", "o2"], "键" * 22, 45067),
        (["o1", "o2"], "k" * 64, 0),
    ],
)
async def test_a_mass_send_keeps_its_bounds(
    stage: Stage, fans: list[str], key: str, code: int
) -> None:
    await _follow(stage, "o1", "o2")
    assert (await stage.wechat("message/mass/send", _mass(fans, key)))["errcode"] == code


async def test_without_an_id_the_content_and_scope_are_the_id(stage: Stage) -> None:
    await _follow(stage, "o1", "o2", "o3")
    body = _mass(["o1", "o2"], "")
    codes = [
        (await stage.wechat("message/mass/send", one))["errcode"]
        for one in (body, body, _mass(["o1", "o3"], ""))
    ]
    assert codes == [0, 45066, 0]


async def test_comments_of_a_sent_article_are_listed_newest_first_in_pages(stage: Stage) -> None:
    await _follow(stage, "o1", "o2")
    article = {"touser": ["o1", "o2"], "msgtype": "mpnews", "mpnews": {"media_id": "m1"}}
    sent = await stage.wechat("message/mass/send", article)
    msg_data_id = sent["msg_data_id"]
    written = [{"text": f"第{n}条", "fan": "o1" if n % 2 else ""} for n in range(60)]
    order = {"account": SERVICE, "msg_data_id": msg_data_id, "comments": written}
    assert (await stage.client.post("/_story/comments", json=order)).status_code == 200
    page = {"msg_data_id": msg_data_id, "index": 0, "begin": 0, "count": 49, "type": 0}
    first = await stage.wechat("comment/list", page)
    rest = await stage.wechat("comment/list", {**page, "begin": 49})
    ids = [one["user_comment_id"] for one in first["comment"] + rest["comment"]]
    assert ids == list(range(60, 0, -1))
    assert (first["total"], first["comment_cnt"]) == (49, 60)
    assert first["comment"][0]["openid"] == "o1"
    assert "openid" not in first["comment"][1]
    assert (await stage.wechat("comment/list", {**page, "count": 50}))["errcode"] == 88010
    assert (await stage.wechat("comment/list", {**page, "msg_data_id": 7}))["errcode"] == 88001
    assert (await stage.wechat("comment/list", {**page, "type": 2}))["total"] == 0


async def test_books_are_on_the_file_before_the_caller_hears(stage: Stage) -> None:
    await _follow(stage, "o1")
    await stage.write(text="第一句")
    lines = [json.loads(line) for line in stage.books_file.read_text("utf-8").splitlines()]
    assert lines[-1]["call"] == "message/custom/send"
    assert lines[-1]["fans"] == ["o1"]
    assert [line["entry"] for line in lines] == ["reset", "webhook", "call"]
