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
TOKEN = {"access_token": "t", "expires_in": 7200}
NO_NUMBER = b'{"access_token":"t","expires_in":NaN}'
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
    tries = 2 if reaction is Reaction.REFRESH_TOKEN else 1
    # the second try was made with a forced token: where that is refused, no token helps
    expected = reaction if tries == 1 else Reaction.STOP
    assert await wechat.send_text("o1", "x") == Refused(reason, expected, code, THEN)
    assert len(platform.requests) == tries


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ok(errcode=-1, errmsg="system error"), Unknown(Reason.BUSY, -1, THEN)),
        (ok(errcode=12345), Unknown(Reason.UNLISTED, 12345, THEN)),
        (ok(errcode="odd"), Unknown(Reason.UNLISTED, -99999, THEN)),
        (httpx.Response(502, json={"errcode": 0}), Unknown(Reason.SERVER_ERROR, 502)),
        (httpx.Response(200, content=b"<html>"), Unknown(Reason.UNREADABLE, 200)),
        (httpx.Response(200, content=b"[]"), Unknown(Reason.UNREADABLE, 200)),
        (ok(), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(errmsg="ok"), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(msgid=7), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(errcode=None), Unknown(Reason.UNLISTED, -99999, THEN)),
        (ok(errcode=""), Unknown(Reason.UNLISTED, -99999, THEN)),
        (ok(errcode=False), Unknown(Reason.UNLISTED, -99999, THEN)),
        (ok(errcode=0.0), Unknown(Reason.UNLISTED, -99999, THEN)),
        (httpx.Response(403, json={"message": "forbidden"}), Unknown(Reason.UNREADABLE, 403)),
        (httpx.Response(403, json={"errcode": 0}), Unknown(Reason.UNREADABLE, 403)),
        (httpx.Response(302, json={"errcode": 0}), Unknown(Reason.UNREADABLE, 302)),
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


async def test_a_token_refused_for_ever_stops_the_channel_until_it_is_taken_again(
    wechat: WeChatClient, platform: Platform
) -> None:
    """The mistake: every five seconds, for ever, another try with a token that does not help."""
    for moment in (0.0, 3600.0, 7200.0):
        platform.now = moment
        platform.answers = [ok(errcode=40001) for _ in range(4)]
        outcome = await wechat.send_text("o1", "x")
        assert isinstance(outcome, Refused)
        assert (outcome.reason, outcome.reaction) == (Reason.TOKEN, Reaction.STOP)
    platform.now = 14_400.0
    platform.answers = [ok(errcode=0), ok(errcode=40001), ok(errcode=0)]
    assert isinstance(await wechat.send_text("o1", "x"), Accepted)
    assert isinstance(await wechat.send_text("o1", "x"), Accepted)
    assert platform.answers == []


async def test_new_tokens_that_are_refused_one_after_the_other_stop_the_channel(
    wechat: WeChatClient, platform: Platform
) -> None:
    def token(name: str) -> httpx.Response:
        return ok(access_token=name, expires_in=7200)

    platform.answers = [ok(errcode=40001) for _ in range(4)]
    platform.token_answers = [token("a"), token("b"), token("c")]
    outcomes = [await wechat.send_text("o1", "x") for _ in range(2)]
    reactions = [one.reaction for one in outcomes if isinstance(one, Refused)]
    # another program may have replaced the first one meanwhile; twice in a row is no accident
    assert reactions == [Reaction.RETRY, Reaction.STOP]


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
        (ok(errcode=40001, errmsg="invalid credential"), Reason.CREDENTIALS, Reaction.STOP),
        (ok(errcode=40125), Reason.CREDENTIALS, Reaction.STOP),
        (ok(errcode=40013), Reason.CREDENTIALS, Reaction.STOP),
        (ok(errcode=41004), Reason.CREDENTIALS, Reaction.STOP),
        (ok(errcode=89507), Reason.CREDENTIALS, Reaction.STOP),
        (ok(errcode=50007), Reason.ACCOUNT_LIMITED, Reaction.STOP),
        (ok(errcode=45011), Reason.TOO_FAST, Reaction.WAIT_MINUTE),
        (ok(errcode=47001), Reason.BAD_CALL, Reaction.STOP),  # never the message's fault
        (ok(errcode=40003), Reason.FAN_UNKNOWN, Reaction.STOP),  # never the fan's
        (ok(access_token="t", expires_in=True), Reason.UNREADABLE, Reaction.RETRY),
        (ok(access_token="t", expires_in=-1), Reason.UNREADABLE, Reaction.RETRY),
        (httpx.Response(200, content=NO_NUMBER), Reason.UNREADABLE, Reaction.RETRY),
        (httpx.Response(403, json={"message": "no"}), Reason.UNREADABLE, Reaction.RETRY),
        (httpx.Response(403, json=TOKEN), Reason.UNREADABLE, Reaction.RETRY),
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
        (ok(errcode=0, msg_id=True), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(msg_id=34182), Unknown(Reason.UNREADABLE, 200, THEN)),
        (
            httpx.Response(403, json={"errcode": 0, "msg_id": 34182}),
            Unknown(Reason.UNREADABLE, 403),
        ),
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
        {"total": 1},
        {"message": "forbidden"},
    ],
)
async def test_what_is_no_page_of_comments_is_unreadable(
    wechat: WeChatClient, platform: Platform, body: dict[str, Any]
) -> None:
    platform.answers = [ok(**body)]
    assert await wechat.list_comments("1", 0, begin=0) == Unknown(Reason.UNREADABLE, 200, THEN)


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"a\x14b", "a\ufffdb"),
        (b"a\\u0000b", "a\ufffdb"),
        (b"a\xe5\xa5", "a\ufffd"),
        (b"a\xffb", "a\ufffdb"),
        (b"a\\ud83db", "a\ufffdb"),
        (b"a\tb\nc", "a\tb\nc"),
    ],
)
async def test_a_broken_character_of_one_comment_costs_that_character_alone(
    wechat: WeChatClient, platform: Platform, content: bytes, read: str
) -> None:
    """The mistake: the page is unreadable, and stays so with every reading."""
    body = (
        b'{"errcode":0,"errmsg":"o\x01k","total":2,"comment":['
        b'{"user_comment_id":2,"openid":"o2","create_time":1764000002,"content":"\xe5\xa5\xbd"},'
        b'{"user_comment_id":1,"openid":"o1","create_time":1764000001,"content":"' + content + b'"}'
        b"]}"
    )
    platform.answers = [httpx.Response(200, content=body)]
    outcome = await wechat.list_comments("1", 0, begin=0)
    assert isinstance(outcome, Accepted)
    assert [one.content for one in outcome.value.comments] == ["好", read]


async def test_one_comment_that_is_not_as_documented_does_not_hide_the_others(
    wechat: WeChatClient, platform: Platform
) -> None:
    good = {"user_comment_id": 2, "create_time": 1700000001, "content": "难吃", "openid": "o1"}
    odd = [
        {"create_time": 1},
        {**good, "create_time": "9" * 5000},
        {**good, "user_comment_id": True},
        7,
    ]
    platform.answers = [ok(errcode=0, total=5, comment=[odd[0], good, *odd[1:]])]
    page = CommentPage(5, (Comment("2", "o1", 1700000001, "难吃", elected=False),), unreadable=4)
    assert await wechat.list_comments("1", 0, begin=0) == Accepted(page, THEN)


@pytest.mark.parametrize("text", [b"o\x01k", b"o\xffk"])
async def test_a_broken_character_of_an_answers_text_does_not_hide_its_code(
    wechat: WeChatClient, weibo: WeiboClient, platform: Platform, text: bytes
) -> None:
    platform.answers = [
        httpx.Response(200, content=b'{"errcode":0,"errmsg":"' + text + b'"}'),
        httpx.Response(200, content=b'{"errcode":45015,"errmsg":"' + text + b'"}'),
        httpx.Response(400, content=b'{"error":"' + text + b'","error_code":20301}'),
    ]
    assert await wechat.send_text("o1", "x") == Accepted("")
    refused = Refused(Reason.WINDOW_CLOSED, Reaction.WAIT_FAN, 45015)
    assert await wechat.send_text("o1", "x") == refused
    assert await weibo.reply_text("1", "x") == Refused(Reason.NOT_FOLLOWING, Reaction.DROP, 20301)


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
        (ok(result=1), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(), Unknown(Reason.UNREADABLE, 200, THEN)),
        (ok(result=True, error_code=None), Unknown(Reason.UNLISTED, -99999, THEN)),
        (httpx.Response(403, json={"message": "forbidden"}), Unknown(Reason.UNREADABLE, 403)),
        (httpx.Response(403, json={"result": True}), Unknown(Reason.UNREADABLE, 403)),
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


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "soon",
        "Mon, 16 Jul 2012 10:09:20 -0000",
        "Mon, 16 Jul 99999 10:09:20 GMT",
        "Mon, 16 Jul 2012 10:09:20 +99999999999999",
        "Mon, 99999999999999999999 Jul 2012 10:09:20 GMT",
    ],
)
def test_a_date_that_names_no_instant_is_none(header: str | None) -> None:
    assert read_date(header) is None


def test_codes_stand_in_one_table_only() -> None:
    assert not set(wechat_errors.REFUSALS) & set(wechat_errors.UNKNOWN_CODES)
    assert not set(weibo_errors.REFUSALS) & weibo_errors.BUSY_CODES


class SlowTokens(Platform):
    """Gives out tokens, but each takes three seconds."""

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/cgi-bin/stable_token"):
            self.now += 3.0
        return await super().__call__(request)


@pytest.mark.parametrize("refused_first", [False, True])
async def test_a_call_whose_time_is_over_when_it_has_its_token_is_not_made(
    *, refused_first: bool
) -> None:
    platform = SlowTokens()
    async with httpx.AsyncClient(transport=httpx.MockTransport(platform)) as http:
        wechat = WeChatClient(
            http,
            app_id="wx1",
            app_secret=SecretStr("s"),
            clock=lambda: platform.now,
            base_url="https://example.test/wechat/",
        )
        if refused_first:
            platform.answers = [ok(errcode=0, errmsg="ok")]
            await wechat.send_text("o1", "before")
            platform.dead_tokens = {"t1"}
        made = len(platform.requests) + refused_first
        latest = platform.now + 1.5
        message = {"touser": "o1", "msgtype": "text", "text": {"content": "hello"}}
        outcome = await wechat.send_customer_message(message, latest=latest)
        assert outcome == Refused(Reason.UNREACHABLE, Reaction.RETRY)
        assert len(platform.requests) == made
        mass = {**message, "touser": ["o1", "o2"]}
        late = await wechat.send_mass(mass, client_msg_id="k", latest=latest)
        assert late == Refused(Reason.UNREACHABLE, Reaction.RETRY)
        assert len(platform.requests) == made
