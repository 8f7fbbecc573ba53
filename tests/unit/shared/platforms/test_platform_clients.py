from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from shared.platforms.calls import read_date
from shared.platforms.outcomes import Accepted, Outcome, Reaction, Reason, Refused, Unknown
from shared.platforms.wechat import errors as wechat_errors
from shared.platforms.wechat.client import Comment, CommentPage, MassSent, WeChatClient
from shared.platforms.weibo import errors as weibo_errors
from shared.platforms.weibo.client import WeiboClient

DATE = "Mon, 16 Jul 2012 10:09:20 GMT"
THEN = datetime(2012, 7, 16, 10, 9, 20, tzinfo=UTC)
Answer = httpx.Response | Exception


class Platform:
    """A scripted platform at the wire: gives out tokens t1, t2…, and answers calls in turn."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answers: list[Answer] = []
        self.token_answers: list[Answer] = []
        self.requests: list[httpx.Request] = []
        self.tokens_asked: list[dict[str, Any]] = []
        self.token = 1
        self.dead_tokens: set[str] = set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # lets callers overlap
        if request.url.path.endswith("/cgi-bin/stable_token"):
            asked = json.loads(request.content)
            self.tokens_asked.append(asked)
            if self.token_answers:
                return give(self.token_answers.pop(0))
            self.token += bool(asked["force_refresh"])
            return httpx.Response(200, json={"access_token": f"t{self.token}", "expires_in": 7200})
        self.requests.append(request)
        if request.url.params.get("access_token") in self.dead_tokens:
            return ok(errcode=42001)
        return give(self.answers.pop(0))

    def tokens_used(self) -> list[str]:
        return [request.url.params["access_token"] for request in self.requests]


def give(answer: Answer) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    return answer


def ok(**body: Any) -> httpx.Response:
    return httpx.Response(200, json=body, headers={"date": DATE})


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(platform)) as client:
        yield client


@pytest.fixture
def wechat(platform: Platform, http: httpx.AsyncClient) -> WeChatClient:
    return WeChatClient(
        http,
        app_id="wx1",
        app_secret=SecretStr("s"),
        clock=lambda: platform.now,
        base_url="https://example.test/wechat/",
    )


@pytest.fixture
def weibo(http: httpx.AsyncClient) -> WeiboClient:
    return WeiboClient(http, access_token=SecretStr("wt"), base_url="https://example.test/weibo")


async def test_a_customer_message_goes_out_as_unescaped_utf8(
    wechat: WeChatClient, platform: Platform
) -> None:
    platform.answers = [ok(errcode=0, errmsg="ok")]
    assert await wechat.send_text("o1", "你好") == Accepted("", THEN)
    request = platform.requests[0]
    assert request.url.path == "/wechat/cgi-bin/message/custom/send"
    assert "你好".encode() in request.content
    assert json.loads(request.content) == {
        "touser": "o1",
        "msgtype": "text",
        "text": {"content": "你好"},
    }


@pytest.mark.parametrize("code", sorted(wechat_errors.REFUSALS))
async def test_every_listed_code_is_a_definite_refusal_with_its_reaction(
    wechat: WeChatClient, platform: Platform, code: int
) -> None:
    platform.answers = [ok(errcode=code, errmsg="no"), ok(errcode=code, errmsg="no")]
    reason, reaction = wechat_errors.REFUSALS[code]
    assert await wechat.send_text("o1", "x") == Refused(reason, reaction, code, THEN)
    assert len(platform.requests) == (2 if reaction is Reaction.REFRESH_TOKEN else 1)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok(errcode=-1, errmsg="system error"), Unknown(Reason.BUSY, -1, THEN)),
        (ok(errcode=12345), Unknown(Reason.UNLISTED, 12345, THEN)),
        (ok(errcode="odd"), Unknown(Reason.UNLISTED, -99999, THEN)),
        (httpx.Response(502, json={"errcode": 0}), Unknown(Reason.SERVER_ERROR, 502)),
        (httpx.Response(200, content=b"<html>"), Unknown(Reason.UNREADABLE, 200)),
        (httpx.Response(200, content=b"[]"), Unknown(Reason.UNREADABLE, 200)),
        (httpx.ReadTimeout("slow"), Unknown(Reason.TIMEOUT)),
        (httpx.WriteTimeout("slow"), Unknown(Reason.TIMEOUT)),
        (httpx.ReadError("cut"), Unknown(Reason.CONNECTION_LOST)),
        (httpx.RemoteProtocolError("cut"), Unknown(Reason.CONNECTION_LOST)),
        (httpx.ConnectError("down"), Refused(Reason.UNREACHABLE, Reaction.RETRY)),
        (httpx.ConnectTimeout("down"), Refused(Reason.UNREACHABLE, Reaction.RETRY)),
    ],
)
async def test_what_may_have_happened_is_unknown_and_never_sent_again(
    wechat: WeChatClient, platform: Platform, answer: Answer, expected: Outcome[str]
) -> None:
    platform.answers = [answer]
    assert await wechat.send_text("o1", "x") == expected
    assert len(platform.requests) == 1


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_refused_token_is_replaced_once_and_the_call_made_again(
    wechat: WeChatClient, platform: Platform, code: int
) -> None:
    platform.answers = [ok(errcode=code), ok(errcode=0)]
    assert isinstance(await wechat.send_text("o1", "x"), Accepted)
    assert platform.tokens_used() == ["t1", "t2"]
    # the plain question came first; only since it gave the same token was one forced
    assert [asked["force_refresh"] for asked in platform.tokens_asked] == [False, False, True]


async def test_a_token_is_not_forced_again_at_once(
    wechat: WeChatClient, platform: Platform
) -> None:
    platform.answers = [ok(errcode=40001), ok(errcode=0), ok(errcode=40001)]
    await wechat.send_text("o1", "x")
    outcome = await wechat.send_text("o1", "x")
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.reaction) == (Reason.TOKEN, Reaction.RETRY)
    assert sum(asked["force_refresh"] for asked in platform.tokens_asked) == 1


async def test_callers_refused_together_share_one_renewal(
    wechat: WeChatClient, platform: Platform
) -> None:
    platform.answers = [ok(errcode=0) for _ in range(5)]
    platform.dead_tokens = {"t1"}
    outcomes = await asyncio.gather(*(wechat.send_text("o1", "x") for _ in range(5)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert sum(asked["force_refresh"] for asked in platform.tokens_asked) == 1


async def test_a_token_is_asked_for_once_and_renewed_within_its_last_five_minutes(
    wechat: WeChatClient, platform: Platform
) -> None:
    for moment in (0.0, 6900.0, 6959.0, 6961.0, 7000.0):
        platform.now = moment
        platform.answers = [ok(errcode=0)]
        await wechat.send_text("o1", "x")
    assert len(platform.tokens_asked) == 2
    assert not any(asked["force_refresh"] for asked in platform.tokens_asked)


@pytest.mark.parametrize(
    ("answer", "reason", "reaction"),
    [
        (ok(errcode=40164), Reason.ADDRESS_NOT_LISTED, Reaction.STOP),
        (ok(errcode=-1), Reason.BUSY, Reaction.RETRY),
        (ok(expires_in=7200), Reason.UNREADABLE, Reaction.RETRY),
        (httpx.ReadTimeout("slow"), Reason.TIMEOUT, Reaction.RETRY),
        (httpx.ConnectError("down"), Reason.UNREACHABLE, Reaction.RETRY),
    ],
)
async def test_without_a_token_the_call_is_not_made_and_that_is_definite(
    wechat: WeChatClient, platform: Platform, answer: Answer, reason: Reason, reaction: Reaction
) -> None:
    platform.token_answers = [answer]
    outcome = await wechat.send_text("o1", "x")
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.reaction) == (reason, reaction)
    assert platform.requests == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            ok(errcode=0, msg_id=34182, msg_data_id=206227730),
            Accepted(MassSent("34182", "206227730", repeated=False), THEN),
        ),
        (ok(errcode=45065, msg_id=34182), Accepted(MassSent("34182", "", repeated=True), THEN)),
        (ok(errcode=45066), Unknown(Reason.SAME_KEY_RUNNING, 45066, THEN)),
        (ok(errcode=45028), Refused(Reason.QUOTA_SPENT, Reaction.WAIT_QUOTA, 45028, THEN)),
        (ok(errcode=0), Unknown(Reason.UNREADABLE, 200, THEN)),
    ],
)
async def test_a_mass_send_is_repeatable_by_its_key(
    wechat: WeChatClient, platform: Platform, answer: Answer, expected: Outcome[MassSent]
) -> None:
    platform.answers = [answer]
    assert await wechat.send_mass_text(["o1", "o2"], "x", client_msg_id="k") == expected
    assert json.loads(platform.requests[0].content)["clientmsgid"] == "k"


@pytest.mark.parametrize(("fans", "key"), [(1, "k"), (10_001, "k"), (2, ""), (2, "é" * 33)])
async def test_a_mass_send_that_wechat_never_takes_is_not_made(
    wechat: WeChatClient, platform: Platform, fans: int, key: str
) -> None:
    with pytest.raises(ValueError, match=r"mass send|clientmsgid"):
        await wechat.send_mass_text(["o"] * fans, "x", client_msg_id=key)
    assert platform.requests == []


async def test_comments_are_read_with_and_without_an_openid(
    wechat: WeChatClient, platform: Platform
) -> None:
    platform.answers = [
        ok(
            errcode=0,
            total=2,
            comment=[
                {
                    "user_comment_id": 2,
                    "create_time": 1700000001,
                    "content": "难吃",
                    "openid": "o1",
                    "comment_type": 1,
                },
                {"user_comment_id": 1, "create_time": 1700000000, "content": "好"},
            ],
        )
    ]
    assert await wechat.list_comments("206227730", 0, begin=0, count=80) == Accepted(
        CommentPage(
            2,
            (
                Comment("2", "o1", 1700000001, "难吃", elected=True),
                Comment("1", "", 1700000000, "好", elected=False),
            ),
        ),
        THEN,
    )
    assert json.loads(platform.requests[0].content) == {
        "msg_data_id": 206227730,
        "index": 0,
        "begin": 0,
        "count": 49,
        "type": 0,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"comment": []},
        {"total": 1, "comment": [{}]},
        {"total": 1, "comment": [7]},
        {"total": 1, "comment": "x"},
        {"total": 1, "comment": [{"user_comment_id": 1, "create_time": "soon"}]},
    ],
)
async def test_a_page_of_comments_is_read_as_a_whole_or_not_at_all(
    wechat: WeChatClient, platform: Platform, body: dict[str, Any]
) -> None:
    platform.answers = [ok(**body)]
    assert await wechat.list_comments("1", 0, begin=0) == Unknown(Reason.UNREADABLE, 200, THEN)


async def test_a_weibo_reply_is_a_form_with_url_encoded_json(
    weibo: WeiboClient, platform: Platform
) -> None:
    platform.answers = [ok(result=True, receiver_id=1)]
    assert await weibo.reply_text("2489518277", "中文消息") == Accepted("", THEN)
    published = b"data=%7B%22text%22%3A%22%E4%B8%AD%E6%96%87%E6%B6%88%E6%81%AF%22%7D"
    assert published in platform.requests[0].content.split(b"&")
    form = parse_qs(platform.requests[0].content.decode())
    assert platform.requests[0].url.path == "/weibo/2/messages/reply.json"
    assert form["access_token"] == ["wt"]
    assert form["receiver_id"] == ["2489518277"]
    assert form["data"] == ['{"text":"中文消息"}']


@pytest.mark.parametrize("code", sorted(weibo_errors.REFUSALS))
async def test_every_listed_weibo_code_is_a_definite_refusal(
    weibo: WeiboClient, platform: Platform, code: int
) -> None:
    platform.answers = [httpx.Response(400, json={"error_code": code}, headers={"date": DATE})]
    reason, reaction = weibo_errors.REFUSALS[code]
    assert await weibo.reply_text("1", "x") == Refused(reason, reaction, code, THEN)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok(error_code=20032), Accepted("", THEN)),
        (ok(result=True, msg_id=7), Accepted("7", THEN)),
        (ok(result=False), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(error_code=10001), Unknown(Reason.BUSY, 10001, THEN)),
        (ok(error_code=9), Unknown(Reason.UNLISTED, 9, THEN)),
        (httpx.Response(503, json={"error_code": 10002}), Unknown(Reason.SERVER_ERROR, 503)),
        (httpx.ReadTimeout("slow"), Unknown(Reason.TIMEOUT)),
    ],
)
async def test_weibos_other_answers_are_success_or_unknown(
    weibo: WeiboClient, platform: Platform, answer: Answer, expected: Outcome[str]
) -> None:
    platform.answers = [answer]
    assert await weibo.reply_text("1", "x") == expected


@pytest.mark.parametrize("header", [None, "", "soon", "Mon, 16 Jul 2012 10:09:20 -0000"])
def test_a_date_that_names_no_instant_is_none(header: str | None) -> None:
    assert read_date(header) is None


def test_codes_stand_in_one_table_only() -> None:
    assert not set(wechat_errors.REFUSALS) & set(wechat_errors.UNKNOWN_CODES)
    assert not set(weibo_errors.REFUSALS) & weibo_errors.BUSY_CODES
