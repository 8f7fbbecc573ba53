"""Every push channel: registered, bounded in its content, and honest about each outcome."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.notifier import channels
from services.notifier.channels import PUSH_CHANNELS
from services.notifier.channels.base import Channel, Client
from services.notifier.domain.campaigns import Content, ContentKind
from services.notifier.domain.ledger import DebitKind
from shared.platforms.outcomes import Accepted, Refused, Unknown
from shared.platforms.wechat.client import WeChatClient
from shared.platforms.weibo.client import WeiboClient

TEXT = Content(ContentKind.TEXT, "您好😀")
DATE = "Sun, 22 Nov 2026 04:00:00 GMT"
Answer = Callable[[httpx.Request], httpx.Response]
EVERY = pytest.mark.parametrize("channel", PUSH_CHANNELS.values(), ids=PUSH_CHANNELS.keys())


def connect(channel: type[Channel], answer: Answer) -> tuple[Channel, list[httpx.Request]]:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("stable_token"):
            token = {"access_token": "t", "expires_in": 7200}
            return httpx.Response(200, json=token, headers={"date": DATE})
        requests.append(request)
        return answer(request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    client = Client(
        wechat=WeChatClient(
            http,
            app_id="a",
            app_secret=SecretStr("s"),
            clock=lambda: 0.0,
            base_url="http://platform",
        ),
        weibo=WeiboClient(http, access_token=SecretStr("w"), base_url="http://platform"),
    )
    return channel.connect(client), requests


def openids(channel: type[Channel]) -> list[str]:
    return ["1", "2"] if channel.charge is DebitKind.MASS else ["1"]


def answering(body: dict[str, Any], status: int = 200) -> Answer:
    return lambda _: httpx.Response(status, json=body, headers={"date": DATE})


def test_every_channel_module_is_registered() -> None:
    found = set()
    for module in pkgutil.iter_modules(channels.__path__):
        loaded = importlib.import_module(f"{channels.__name__}.{module.name}")
        found |= {
            value
            for value in vars(loaded).values()
            if isinstance(value, type)
            and issubclass(value, Channel)
            and value.__module__ == loaded.__name__
            and value is not Channel
        }
    assert found == set(PUSH_CHANNELS.values()), "add the channel's line to PUSH_CHANNELS"
    assert all(name == channel.name for name, channel in PUSH_CHANNELS.items())


@EVERY
async def test_an_accepted_call_says_so_with_the_platforms_time(channel: type[Channel]) -> None:
    body = {"errcode": 0, "result": True, "msg_id": 5, "msg_data_id": 6}
    connected, requests = connect(channel, answering(body))
    outcome = await connected.send(openids(channel), TEXT, "key-1")
    assert isinstance(outcome, Accepted)
    assert outcome.platform_time is not None
    assert len(requests) == 1


@EVERY
async def test_a_timeout_is_unknown_and_not_repeated(channel: type[Channel]) -> None:
    def lose(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("lost", request=request)

    connected, requests = connect(channel, lose)
    outcome = await connected.send(openids(channel), TEXT, "key-1")
    assert isinstance(outcome, Unknown)
    assert len(requests) == 1


@EVERY
async def test_a_server_error_and_a_busy_platform_are_unknown(channel: type[Channel]) -> None:
    busy = {"errcode": -1, "error_code": 10001}
    for status, body in ((502, {}), (200, busy)):
        connected, _ = connect(channel, answering(body, status))
        assert isinstance(await connected.send(openids(channel), TEXT, "k"), Unknown)


@EVERY
async def test_a_connection_that_was_never_made_is_a_definite_refusal(
    channel: type[Channel],
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody", request=request)

    connected, _ = connect(channel, fail)
    assert isinstance(await connected.send(openids(channel), TEXT, "k"), Refused)


@EVERY
def test_content_is_bounded_and_a_short_text_is_fine(channel: type[Channel]) -> None:
    assert channel.refuse_content(TEXT) is None
    assert channel.refuse_content(Content(ContentKind.TEXT, "很" * 3000)) is not None


@pytest.mark.parametrize(
    ("text", "fine"), [("字" * 682, True), ("字" * 683, False), ("a" * 2048, True)]
)
def test_wechat_counts_bytes(text: str, fine: bool) -> None:  # noqa: FBT001 - a parameter
    found = PUSH_CHANNELS["wechat_customer_message"].refuse_content(Content(ContentKind.TEXT, text))
    assert (found is None) == fine


@pytest.mark.parametrize(("text", "fine"), [("字" * 299, True), ("字" * 300, False)])
def test_weibo_counts_characters(text: str, fine: bool) -> None:  # noqa: FBT001 - a parameter
    found = PUSH_CHANNELS["weibo_reply"].refuse_content(Content(ContentKind.TEXT, text))
    assert (found is None) == fine


async def test_a_mass_send_carries_its_key_and_names_each_fan() -> None:
    connected, requests = connect(
        PUSH_CHANNELS["wechat_mass_send"], answering({"errcode": 0, "msg_id": 1, "msg_data_id": 2})
    )
    await connected.send(["o1", "o2"], Content(ContentKind.ARTICLE, "media"), "key-1")
    sent = requests[0].content.decode()
    assert '"clientmsgid": "key-1"' in sent
    assert '"touser": ["o1", "o2"]' in sent
    assert '"mpnews": {"media_id": "media"}' in sent


@pytest.mark.parametrize("name", ["wechat_customer_message", "wechat_mass_send"])
async def test_wechat_tells_its_time_by_a_light_call(name: str) -> None:
    connected, requests = connect(PUSH_CHANNELS[name], answering({}))
    assert await connected.ask_time() is not None
    assert not requests
