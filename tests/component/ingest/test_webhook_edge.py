from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from services.ingest.ports import Request
from shared.errors import TransientError
from shared.events import FanFollowed, MessageReceived
from shared.events.envelope import from_headers
from shared.web.limits import Limits
from tests.component.ingest.edge import STAFF_TOKEN, VIEWER_TOKEN, Edge
from tests.support.platform_pushes import (
    GH,
    NOW,
    ORDER,
    plain_request,
    sealed_request,
    shop_headers,
    shop_request,
    text_xml,
    wechat_xml,
    weibo_push,
    weibo_request,
)

XML = {"content-type": "text/xml"}
JSON = {"content-type": "application/json"}
HALF_A_HEAD = b"POST /wechat/brand HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def edge() -> Edge:
    return Edge()


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with edge.client() as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, request: Request) -> httpx.Response:
    headers = {name.decode(): value.decode() for name, value in request.headers.items()}
    kind = JSON if path.startswith(("/weibo", "/events")) else XML
    return await client.post(
        path, params=dict(request.query), content=request.body, headers=kind | headers
    )


async def test_a_sealed_wechat_push_is_acknowledged_with_success(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    answer = await post(client, "/wechat/brand", sealed_request(text_xml("你好")))
    assert (answer.status_code, answer.content) == (200, b"success")
    (record,) = edge.publisher.records
    event = MessageReceived.model_validate_json(record.value or b"")
    assert event.text == "你好"
    assert event.authenticated_by == "wechat_safe"
    assert record.topic == "fan-events.v1"
    assert record.key == event.key.encode() == f"wechat:{GH}:{event.fan}".encode()
    envelope = from_headers(record.headers)
    assert (envelope.type, envelope.source) == ("MessageReceived", f"/wechat/{GH}/ingest")
    assert edge.count("wechat", "taken") == 1


async def test_a_weibo_push_is_acknowledged_with_an_empty_body(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    answer = await post(client, "/weibo/brand", weibo_request(weibo_push()))
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(edge.publisher.records) == 1


async def test_a_shops_post_is_acknowledged_with_json(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    answer = await post(client, "/events/shop", shop_request(ORDER))
    assert (answer.status_code, answer.json()) == (200, {"accepted": True})
    assert len(edge.publisher.records) == 1


async def test_both_platforms_verification_gets_its_echo_string(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    wechat = plain_request(b"", echostr="4375120948345356249", nonce="n1")
    weibo = weibo_request(b"", echostr="dnPdpTZz85")
    for path, request in (("/wechat/brand", wechat), ("/weibo/brand", weibo)):
        answer = await client.get(path, params=dict(request.query))
        assert (answer.status_code, answer.text) == (200, request.query["echostr"])
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert edge.count("wechat", "greeted") == 1
    assert edge.publisher.records == []


async def test_plain_mode_works_where_it_is_enabled_only(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    request = plain_request(wechat_xml(MsgType="event", Event="subscribe", EventKey="qrscene_7"))
    assert (await post(client, "/wechat/plain", request)).content == b"success"
    refused = await post(client, "/wechat/brand", request)
    assert (refused.status_code, refused.json()["code"]) == (403, "plain_mode_off")
    (record,) = edge.publisher.records
    assert FanFollowed.model_validate_json(record.value or b"").scene == "7"


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/wechat/brand", sealed_request(text_xml())),
        ("/wechat/plain", plain_request(text_xml())),
        ("/weibo/brand", weibo_request(weibo_push())),
        ("/events/shop", shop_request(ORDER)),
    ],
)
async def test_a_replayed_request_is_answered_as_before_under_the_same_id(
    edge: Edge, client: httpx.AsyncClient, path: str, request_: Request
) -> None:
    first, again = [await post(client, path, request_) for _ in range(2)]
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.status_code == 200
    ids = {from_headers(record.headers).id for record in edge.publisher.records}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/wechat/brand", sealed_request(text_xml())),
        ("/weibo/brand", weibo_request(weibo_push())),
        ("/events/shop", shop_request(ORDER)),
    ],
)
async def test_without_an_acknowledgement_the_answer_is_503_with_retry_after(
    edge: Edge, client: httpx.AsyncClient, path: str, request_: Request
) -> None:
    edge.publisher.failures = [TransientError("no broker")]
    refused = await post(client, path, request_)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["code"] == "log_unavailable"
    # the platform's next try is taken, also where its signature is bound to the body
    assert (await post(client, path, request_)).status_code == 200
    assert len(edge.publisher.records) == 1


BAD: list[tuple[str, Request, dict[str, str], int, str]] = [
    ("/wechat/brand", sealed_request(text_xml(), msg_signature="0" * 40), XML, 401,
     "bad_signature"),
    ("/wechat/brand", sealed_request(text_xml(), timestamp="1763999000"), XML, 401,
     "stale_timestamp"),
    ("/wechat/brand", Request({}, {}, b""), XML, 403, "plain_mode_off"),
    ("/wechat/brand", sealed_request(text_xml()), {"content-type": "text/html"}, 415,
     "content_type"),
    ("/wechat/brand", Request(sealed_request(b"").query, {}, b"<" * 65_537), XML, 413,
     "body_too_large"),
    ("/wechat/nobody", sealed_request(text_xml()), XML, 404, "unknown_account"),
    ("/wechat", sealed_request(text_xml()), XML, 404, "unknown_account"),
    ("/wechat/brand/x", sealed_request(text_xml()), XML, 404, "unknown_account"),
    ("/wechat/brand", Request({str(n): "" for n in range(257)}, {}, b""), XML, 400,
     "malformed_body"),
    ("/wechat/brand", Request({**{str(n): "" for n in range(257)}, "a": "%20"}, {}, b""), XML, 400,
     "malformed_body"),
    ("/weibo/brand", weibo_request(weibo_push(), signature="0" * 40), JSON, 401, "bad_signature"),
    ("/weibo/brand", weibo_request(weibo_push(), timestamp="1763999000000"), JSON, 401,
     "stale_timestamp"),
    ("/weibo/brand", weibo_request(weibo_push()), {"content-type": "text/html"}, 415,
     "content_type"),
    ("/events/shop", Request({}, {}, b"{}"), JSON, 401, "unsigned"),
    ("/events/shop", Request({}, shop_headers(b"{} "), b"{}"), JSON, 401, "bad_signature"),
    ("/events/shop", shop_request({}), JSON, 400, "malformed_body"),
    ("/events/nobody", shop_request(ORDER), JSON, 404, "unknown_account"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "request_", "kind", "status", "reason"), BAD)
async def test_bad_input_gets_a_short_refusal_and_nothing_is_published(
    edge: Edge,
    client: httpx.AsyncClient,
    path: str,
    request_: Request,
    kind: dict[str, str],
    status: int,
    reason: str,
) -> None:
    headers = {name.decode(): value.decode() for name, value in request_.headers.items()}
    answer = await client.post(
        path, params=dict(request_.query), content=request_.body, headers=headers | kind
    )
    assert (answer.status_code, answer.json()["code"]) == (status, reason)
    assert len(answer.content) < 200
    assert edge.publisher.records == []
    platform = {"wechat": "wechat", "weibo": "weibo", "events": "shop"}[path.split("/")[1]]
    assert edge.count(platform, reason) == 1


async def test_a_weibo_body_under_another_bodys_signature_is_refused(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    await post(client, "/weibo/brand", weibo_request(weibo_push(text="a")))
    forged = await post(client, "/weibo/brand", weibo_request(weibo_push(text="b")))
    assert (forged.status_code, forged.json()["code"]) == (401, "nonce_reused")
    assert len(edge.publisher.records) == 1


async def test_another_method_and_a_shops_get_are_refused(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    for method, path in (("PUT", "/wechat/brand"), ("GET", "/events/shop")):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method")
    assert edge.count("wechat", "method") == edge.count("shop", "method") == 1


async def test_a_body_without_an_announced_length_is_bounded_too(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"x" * 4096

    answer = await client.post("/wechat/brand", content=chunks(), headers=XML)
    assert answer.status_code == 413
    assert edge.count("wechat", "body_too_large") == 1


async def test_a_content_type_with_a_charset_or_none_is_taken(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    request = sealed_request(text_xml())
    for headers in ({"content-type": "Text/XML; charset=utf-8"}, {}):
        answer = await client.post(
            "/wechat/brand", params=dict(request.query), content=request.body, headers=headers
        )
        assert answer.status_code == 200
    assert len(edge.publisher.records) == 2


async def test_staff_name_an_article_with_their_token(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    body = {"account": "brand", "article": "2247483648", "index": 1}
    operations = {"authorization": f"Bearer {STAFF_TOKEN}"}
    added = await client.post("/v1/articles", json=body, headers=operations)
    assert (added.status_code, added.json()) == (
        201,
        {"id": f"wechat:{GH}:2247483648:1", "new": True},
    )
    again = await client.post("/v1/articles", json=body, headers=operations)
    assert (again.status_code, again.json()["new"]) == (200, False)
    document = edge.store.documents[f"wechat:{GH}:2247483648:1"]
    assert document["published_at"] == int(NOW * 1000)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"account": "brand", "article": "1"}, 401),
        ({"authorization": "Bearer wrong"}, {"account": "brand", "article": "1"}, 401),
        ({"authorization": f"Bearer {VIEWER_TOKEN}"}, {"account": "brand", "article": "1"}, 403),
        ({"authorization": f"Bearer {STAFF_TOKEN}"}, {"account": "x", "article": "1"}, 404),
        ({"authorization": f"Bearer {STAFF_TOKEN}"}, {"account": "brand", "article": "a"}, 422),
        ({"authorization": f"Bearer {STAFF_TOKEN}"}, {"account": "brand"}, 422),
    ],
)
async def test_an_article_is_not_taken_from_strangers_or_with_wrong_fields(
    edge: Edge,
    client: httpx.AsyncClient,
    headers: dict[str, str],
    body: dict[str, str],
    status: int,
) -> None:
    answer = await client.post("/v1/articles", json=body, headers=headers)
    assert answer.status_code == status
    assert edge.store.documents == {}


async def test_staff_are_told_to_come_again_while_the_store_is_away(
    edge: Edge, client: httpx.AsyncClient
) -> None:
    edge.store.failures = [TransientError("no store")]
    answer = await client.post(
        "/v1/articles",
        json={"account": "brand", "article": "1"},
        headers={"authorization": f"Bearer {STAFF_TOKEN}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


@pytest.fixture
async def served() -> AsyncIterator[Edge]:
    """The edge on a real socket, with little patience."""
    edge = Edge(
        limits=Limits(
            head_timeout_s=1.0, request_timeout_s=2.0, sweep_every_s=0.05, max_in_flight=8
        )
    )
    serving = asyncio.create_task(edge.service.serve())
    async with asyncio.timeout(30):
        while edge.service.port is None:
            await asyncio.sleep(0.01)
    yield edge
    edge.service.stop()
    await serving


@pytest.mark.parametrize(
    ("sent", "late"),
    [
        (b"", "head"),
        (HALF_A_HEAD, "head"),
        (HALF_A_HEAD + b"Content-Length: 10\r\n\r\n<xml>", "body"),
        (HALF_A_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n<xml>", "body"),
    ],
)
async def test_a_half_open_connection_is_cut(served: Edge, sent: bytes, late: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.service.port)
    writer.write(sent)
    async with asyncio.timeout(30):
        told = await reader.read()  # ends when the other side cuts
    assert b" 200 " not in told
    refused = served.meter.registry.get_sample_value
    assert refused("fan_http_refused_total", {"reason": f"{late}_too_slow"}) == 1
    writer.close()


async def test_a_push_over_a_real_socket_is_taken(served: Edge) -> None:
    request = sealed_request(text_xml())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.service.port}") as client:
        answer = await post(client, "/wechat/brand", request)
    assert (answer.status_code, answer.content) == (200, b"success")


async def test_heads_without_their_bodies_keep_no_push_from_being_taken(served: Edge) -> None:
    writers = []
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", served.service.port)
        writer.write(HALF_A_HEAD + b"Content-Length: 500\r\n\r\n")
        writers.append(writer)
    unfinished = served.meter.registry.get_sample_value
    async with asyncio.timeout(30):
        while unfinished("fan_http_unfinished_requests") != len(writers):
            await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.service.port}") as client:
        answer = await post(client, "/wechat/brand", sealed_request(text_xml()))
        staff = await client.get("/v1/nothing", headers={"authorization": f"Bearer {STAFF_TOKEN}"})
    assert (answer.status_code, answer.content) == (200, b"success")
    assert staff.status_code == 404
    for writer in writers:
        writer.close()
