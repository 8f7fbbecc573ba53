"""A request costs ingest its length, whoever sends it, and a stranger's costs next to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.ingest.domain.refusals import Refusal
from services.ingest.handlers.webhooks import to_record
from services.ingest.ports import Request
from services.ingest.routes import read_query
from shared.platforms.wechat import messages
from shared.platforms.wechat.crypto import MessageCipher
from tests.support.cost import JSON_INPUTS, TEXT_INPUTS, XML_INPUTS, cost_of
from tests.support.platform_pushes import (
    NOW,
    plain_request,
    sealed_request,
    shop_door,
    shop_headers,
    text_xml,
    wechat_door,
    weibo_door,
    weibo_request,
)

HOSTILE = {f"xml: {n}": m for n, m in XML_INPUTS.items()} | {
    f"json: {n}": m for n, m in JSON_INPUTS.items()
}


def taken(door: Any, request: Request) -> None:
    found = door.read(request, NOW)
    if not isinstance(found, Refusal):
        to_record(found)


def from_a_stranger(body: bytes) -> None:
    query = sealed_request(b"", encrypted="A", signature="", msg_signature="0" * 40).query
    assert isinstance(wechat_door().read(Request(query, {}, body), NOW), Refusal)


def to_a_wechat_account(body: bytes) -> None:
    taken(wechat_door(allow_plain=True), plain_request(body))


def to_a_weibo_account(body: bytes) -> None:
    taken(weibo_door(), weibo_request(body))


def from_a_shop(body: bytes) -> None:
    data = {"platform": "wechat", "account": "brand", "fan": "o6"}
    document = json.dumps({"type": "x", "data": data}).encode()
    post = document[:-1] + b"," + body[1:]
    taken(shop_door(), Request({}, shop_headers(post), post))


@pytest.mark.parametrize("sender", [from_a_stranger, to_a_wechat_account, to_a_weibo_account])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_push_costs_its_length(sender: Callable[[bytes], None], name: str) -> None:
    cost = cost_of(sender, HOSTILE[name])
    assert cost.is_fair, cost


@pytest.mark.parametrize("name", JSON_INPUTS)
def test_a_shops_post_costs_its_length(name: str) -> None:
    cost = cost_of(from_a_shop, JSON_INPUTS[name])
    assert cost.is_fair, cost


@pytest.mark.parametrize("name", TEXT_INPUTS)
def test_a_query_costs_its_length(name: str) -> None:
    cost = cost_of(read_query, TEXT_INPUTS[name])
    assert cost.is_fair, cost


def test_nothing_is_read_before_it_is_known_to_be_genuine(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_early(*_: object) -> Any:
        raise AssertionError

    monkeypatch.setattr(messages, "read", too_early)
    monkeypatch.setattr(MessageCipher, "decrypt", too_early)
    door, genuine = wechat_door(), sealed_request(text_xml())
    forged = Request({**genuine.query, "msg_signature": "0" * 40}, {}, genuine.body)
    assert door.read(forged, NOW) is Refusal.BAD_SIGNATURE
    monkeypatch.setattr(messages, "find_encrypted", too_early)
    for query in ({"signature": "0" * 40}, {"timestamp": "1763999000"}, {"msg_signature": ""}):
        request = Request({**genuine.query, **query}, {}, genuine.body)
        assert isinstance(door.read(request, NOW), Refusal)


@pytest.mark.parametrize(
    "typed", ["<Encrypt>x</Encrypt>", "<![CDATA[<Encrypt>x</Encrypt>", "<Encrypt><![CDATA[x"]
)
def test_a_fan_who_types_the_encrypted_field_is_heard_in_compatible_mode(typed: str) -> None:
    request = sealed_request(text_xml(typed), beside={"MsgType": "text", "Content": typed})
    moved = Request(request.query, {}, move_encrypted_to_the_end(request.body))
    for one in (request, moved):
        assert not isinstance(wechat_door().read(one, NOW), Refusal)


def move_encrypted_to_the_end(body: bytes) -> bytes:
    start = body.index(b"<Encrypt>")
    end = body.index(b"</Encrypt>", start) + len(b"</Encrypt>")
    return body[:start] + body[end:].replace(b"</xml>", body[start:end] + b"</xml>")
