"""What platforms really send is taken at the edge, and a refusal tells strangers little."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.ingest.handlers import webhooks
from services.ingest.ports import Request
from shared.events import MessageReceived
from shared.kafka.ports import RecordTooLargeError
from tests.component.ingest.edge import Edge
from tests.component.ingest.test_webhook_edge import XML, post
from tests.support.platform_pushes import (
    plain_request,
    seal,
    seal_bytes,
    sealed_request,
    text_xml,
    wechat_xml,
    weibo_push,
    weibo_request,
    weibo_xml,
)


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with edge.client() as client:
        yield client


SAME_TO_STRANGERS: list[tuple[Request, str]] = [
    (sealed_request(b"", encrypted=seal(text_xml())[:-2]), "cipher_base64"),
    (sealed_request(b"", encrypted=seal(text_xml())[:-4]), "cipher_length"),
    (sealed_request(b"", encrypted=seal_bytes(b"x" * 63 + b"\0")), "cipher_padding"),
    (sealed_request(b"", encrypted=seal_bytes(b"x" * 63 + b"\1")), "cipher_frame"),
    (sealed_request(b"", encrypted=seal(text_xml(), app_id="wx_other")), "cipher_app_id"),
    (sealed_request(b"<!DOCTYPE a><xml/>"), "doctype"),
    (sealed_request(b"<xml>" + b"<a/>" * 300 + b"</xml>"), "too_many_fields"),
    (sealed_request(wechat_xml(ToUserName="gh_other", MsgType="text")), "wrong_receiver"),
    (Request(sealed_request(b"").query, {}, b"<!DOCTYPE a><xml/>"), "doctype"),
    (Request(sealed_request(b"").query, {}, b"garbage"), "malformed_body"),
]


async def test_what_a_ciphertext_holds_is_told_to_the_counter_and_to_nobody_outside(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    """Answers that differ would open it bit by bit for who has the token but not the key."""
    answers = set()
    for request, reason in SAME_TO_STRANGERS:
        before = edge.count("wechat", reason)
        answer = await post(client, "/wechat/brand", request)
        answers.add((answer.status_code, answer.content, tuple(sorted(answer.headers.items()))))
        assert edge.count("wechat", reason) == before + 1
    ((status, body, _),) = answers
    assert (status, b"unreadable_push" in body) == (400, True)
    assert edge.publisher.records == []


async def test_a_head_request_verifies_an_address_as_a_get_does(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    query = dict(plain_request(b"", echostr="1").query)
    assert (await client.head("/wechat/brand", params=query)).status_code == 200
    assert (await client.head("/wechat/brand")).status_code == 401
    assert (await client.head("/events/shop")).status_code == 405
    assert edge.count("wechat", "greeted") == 1


@pytest.mark.parametrize("more", [17, 200])
async def test_a_push_with_many_query_parameters_is_taken(
    edge: Edge, client: httpx.AsyncClient, more: int
) -> None:
    for value in ("", "a b"):
        genuine = sealed_request(text_xml())
        query = {f"utm{n}": value for n in range(more)} | dict(genuine.query)
        request = Request(query, genuine.headers, genuine.body)
        assert (await post(client, "/wechat/brand", request)).status_code == 200
    assert len(edge.publisher.records) == 2


async def test_weibos_xml_is_taken(edge: Edge, client: httpx.AsyncClient) -> None:
    request = weibo_request(weibo_xml(MsgType="text", Content="难吃"))
    answer = await client.post(
        "/weibo/brand", params=dict(request.query), content=request.body, headers=XML
    )
    assert (answer.status_code, answer.content) == (200, b"")
    (record,) = edge.publisher.records
    assert MessageReceived.model_validate_json(record.value or b"").text == "难吃"


@pytest.mark.parametrize("far", [0, 1])
async def test_an_event_larger_than_the_log_accepts_is_refused_for_good(
    edge: Edge, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, far: int
) -> None:
    """The log's limit may be lower than ours: then it is the log that says so."""
    if far:
        edge.publisher.failures = [RecordTooLargeError("larger than the log accepts")]
    else:
        monkeypatch.setattr(webhooks, "MOST_VALUE_BYTES", 100)
    answer = await post(client, "/weibo/brand", weibo_request(weibo_push(text="x" * 100)))
    assert (answer.status_code, answer.json()["code"]) == (413, "event_too_large")
    assert "retry-after" not in answer.headers
    assert edge.publisher.records == []
