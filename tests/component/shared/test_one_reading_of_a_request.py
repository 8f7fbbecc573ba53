"""No request may hide in another one: what two servers could read otherwise is refused."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from shared.web.body import read_body, send_response
from shared.web.limits import Limits
from tests.support.served import SHORT, Client, refused, serving, until, within_patience

HIDDEN = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\nhidden!"
UPGRADE = b"connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"


def post(*fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"".join(field + b"\r\n" for field in fields)
    return b"POST /echo HTTP/" + version + b"\r\n" + head + b"\r\n" + body


@pytest.mark.parametrize("rest_comes_later", [False, True])
@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nhost: x\r\n" + UPGRADE + b"\r\n", 200),
        (b"POST /echo HTTP/1.1\r\nhost: x\r\n" + UPGRADE + b"\r\n", 200),
        (b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 200),
        # With a body: the parser keeps it from us, so the request itself can't be answered.
        (b"POST /echo HTTP/1.1\r\nhost: x\r\n" + UPGRADE + b"content-length: 68\r\n\r\n", 400),
        (
            b"POST /echo HTTP/1.1\r\nhost: x\r\n" + UPGRADE
            + b"transfer-encoding: chunked\r\n\r\n", 400,
        ),
        (b"CONNECT /echo HTTP/1.1\r\nhost: x\r\n\r\n", 200),
        (b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"CONNECT /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 68\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_nothing_behind_a_wish_for_another_protocol_becomes_a_request(
    said: bytes, status: int, *, rest_comes_later: bool
) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(said if rest_comes_later else said + HIDDEN)
            answered = (await client.answer())[0]
            if rest_comes_later:
                client.say(HIDDEN)
            assert await client.everything() == b""
            assert answered == status
            counted = service.meter.registry.get_sample_value(
                "fan_http_requests_total", {"route": "/echo", "method": "POST", "status": "200"}
            )
            assert (counted or 0) <= (said.startswith(b"POST") and status == 200)

    within_patience(scenario)


@pytest.mark.parametrize(
    ("fields", "version", "reason"),
    [
        ([], b"1.1", "bad_host"),
        ([b"host: x", b"host: x"], b"1.1", "bad_host"),
        ([b"Host: x", b"HOST: y"], b"1.1", "bad_host"),
        ([b"host: x", b"host: y"], b"1.0", "bad_host"),
        ([b"host: x, y"], b"1.1", "bad_host"),
        ([b"host: x y"], b"1.1", "bad_host"),
        ([b"host: x@y"], b"1.1", "bad_host"),
        ([b"host: x/v1"], b"1.1", "bad_host"),
        ([b"host: x\xff"], b"1.1", "bad_host"),
        ([b"host: x", b"transfer-encoding: chunked"], b"1.0", "bad_http"),
        ([b"host: x"], b"2.0", "bad_http"),
        ([b"host: x"], b"0.9", "bad_http"),
        ([b"host: x", b"transfer-encoding: gzip, chunked"], b"1.1", "bad_http"),
        ([b"host: x", b"transfer-encoding: gzip"], b"1.1", "bad_http"),
        (
            [b"host: x", b"transfer-encoding: identity", b"transfer-encoding: chunked"],
            b"1.1",
            "bad_http",
        ),
        ([b"host: x", b"transfer-encoding:\r\n chunked"], b"1.1", "bad_http"),
        ([b"host : x"], b"1.1", "bad_http"),
        ([b"host: x\rx-a: b"], b"1.1", "bad_http"),
        ([b"host: x\nx-a: b"], b"1.1", "bad_http"),
        ([b"host: x", b"x-a: b\r\n c"], b"1.1", "bad_http"),
        ([b"host: x", b"content-length: 1", b"content-length: 1"], b"1.1", "bad_http"),
        ([b"host: x", b"content-length: 1, 1"], b"1.1", "bad_http"),
        ([b"host: x", b"content-length: +1"], b"1.1", "bad_http"),
        ([b"host: x", b"content-length: 1", b"transfer-encoding: chunked"], b"1.1", "bad_http"),
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused_and_ends_the_connection(
    fields: list[bytes], version: bytes, reason: str
) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(post(*fields, version=version) + HIDDEN)
            heard = await client.everything()
            assert heard.startswith(b"HTTP/1.1 400 ")
            assert b"HTTP/1.1 200" not in heard
            assert b"x-content-type-options: nosniff" in heard
            assert refused(service, reason) == 1

    within_patience(scenario)


def test_a_request_of_http_1_0_needs_no_host_and_is_the_last_of_its_connection() -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(post(b"connection: keep-alive", version=b"1.0") + HIDDEN)
            assert await client.answer() == (200, b"0")
            assert await client.everything() == b""

    within_patience(scenario)


def test_nothing_is_read_behind_a_request_that_closes() -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(post(b"host: x", b"connection: close") + HIDDEN)
            assert await client.answer() == (200, b"0")
            assert await client.everything() == b""

    within_patience(scenario)


def test_fields_behind_a_body_are_not_read() -> None:
    seen: list[bytes] = []

    async def keeps(scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(scope, receive)
        seen.extend(name for name, _ in scope["headers"])
        await send_response(send, 200)

    async def scenario() -> None:
        async with serving(raw_routes={"/echo": keeps}) as service:
            client = await Client.of(service)
            chunked = b"1\r\na\r\n0\r\nauthorization: Bearer x\r\nhost: y\r\n\r\n"
            for _ in range(2):
                client.say(post(b"host: x", b"transfer-encoding: chunked", body=chunked))
                assert (await client.answer())[0] == 200
        assert seen == [b"host", b"transfer-encoding"] * 2

    within_patience(scenario)


def test_requests_in_one_packet_are_answered_in_order_and_bounded() -> None:
    async def scenario() -> None:
        limits = Limits(max_pipelined=3, sweep_every_s=SHORT.sweep_every_s)
        async with serving(limits) as service:
            client = await Client.of(service)
            client.say(b"".join(post(b"host: x", b"content-length: %d" % n, body=b"x" * n)
                                for n in range(8)))  # fmt: skip
            answers = [await client.answer() for _ in range(4)]
            assert answers == [(200, b"%d" % n) for n in range(4)]
            assert await client.everything() == b""
            await until(lambda: refused(service, "pipelined_too_far") == 1)

    within_patience(scenario)


@pytest.mark.parametrize(
    "broken",
    [
        b"nonsense\r\n\r\n",
        b"GET http:///echo HTTP/1.1\r\nhost: x\r\n\r\n",
        post(b"host: x", b"host: y"),
        post(b"host: x", version=b"1.9"),
        post(b"host: x", b"transfer-encoding: chunked", body=b"nonsense\r\n"),
    ],
)
@pytest.mark.parametrize("asked", [1, 2, 3])
def test_what_was_asked_before_a_broken_request_is_answered(broken: bytes, asked: int) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            whole = post(b"host: x", b"content-length: 2", body=b"ab")
            client.say(whole * asked + broken + HIDDEN)
            assert [await client.answer() for _ in range(asked)] == [(200, b"2")] * asked
            assert await client.everything() == b""
            assert sum(refused(service, one) or 0 for one in ("bad_http", "bad_host")) == 1

    within_patience(scenario)


@pytest.mark.parametrize("host", [b"", b"brand.example:8443", b"[2001:db8::1]:80", b"a_b.example"])
def test_a_host_may_be_a_name_or_an_address_with_a_port(host: bytes) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(post(b"host: " + host))
            assert await client.answer() == (200, b"0")

    within_patience(scenario)
