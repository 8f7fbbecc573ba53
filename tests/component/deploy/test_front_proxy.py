"""The proxy in front, with the committed configuration: what it lets through, and what it keeps."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import Receive, Scope, Send

from deploy.local.parts.ports import HOST, free_ports, is_listening
from deploy.local.parts.process import Process
from shared.web.body import read_body, send_response
from shared.web.service import Service
from tests.support.served import PATIENT, serving

CONFIGURATION = Path(__file__).resolve().parents[3] / "deploy/nginx/nginx.conf"
START_S = 20.0

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="nginx is not installed (Debian: apt install nginx-light)"
)


@dataclass
class Front:
    """The proxy and the service behind it."""

    tls: int
    clear: int
    service: Service
    seen: list[dict[bytes, bytes]]


async def ends(front: Front, said: bytes) -> bytes:
    """What the proxy says to raw bytes until it ends the connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(HOST, front.tls, ssl=context)
    writer.write(said)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:  # how it ends slow ones
        return b""
    finally:
        writer.close()


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "brand.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@asynccontextmanager
async def proxied(folder: Path) -> AsyncIterator[Front]:
    """Nothing of the configuration is changed but where it listens, reads and writes."""
    seen: list[dict[bytes, bytes]] = []

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope["headers"]))
        await send_response(send, 200, b"%d" % len(await read_body(scope, receive)))

    certificate(folder / "tls")
    tls, clear = free_ports(2)
    text = re.sub(r"/(etc/nginx|tmp)/", f"{folder}/", CONFIGURATION.read_text())
    for old, new in (
        ("listen 8443", f"listen {HOST}:{tls}"),
        ("listen 8080", f"listen {HOST}:{clear}"),
        ("worker_processes auto", "worker_processes 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    config = folder / "nginx.conf"
    config.write_text(f"daemon off;\n{text}")
    routes = {"/wechat": echo, "/weibo": echo, "/events": echo, "/i": echo}
    async with serving(PATIENT, raw_routes=routes) as service:
        (folder / "upstreams.conf").write_text(
            "".join(
                f"upstream {name} {{ server {HOST}:{service.port}; keepalive 8; }}\n"
                for name in ("ingest", "sentiment")
            )
        )
        nginx = Process("nginx", ["nginx", "-c", str(config), "-p", str(folder)], folder)
        nginx.start()
        try:
            await asyncio.to_thread(nginx.wait_until, lambda: is_listening(tls), START_S)
            yield Front(tls, clear, service, seen)
        finally:
            await asyncio.to_thread(nginx.stop)


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with proxied(tmp_path) as front:
        yield front


def client_of(front: Front) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"https://{HOST}:{front.tls}",
        verify=False,  # noqa: S501 - made for this test
        trust_env=False,
    )


async def test_webhooks_and_links_pass_and_nothing_else_does(front: Front) -> None:
    async with client_of(front) as client:
        for path in ("/wechat/brand?signature=x", "/weibo/brand", "/events/shop", "/i/abc"):
            assert (await client.post(path, content=b"abc")).text == "3", path
        let_through = len(front.seen)
        for path in (
            "/", "/v1/fans", "/livez", "/readyz", "/metrics", "/wechat", "/WeChat/brand", "/i",
            "/wechat/../v1/fans", "/wechat/..%2fv1/fans", "/wechat/%2e%2e/metrics", "//v1/fans",
        ):  # fmt: skip
            url = httpx.URL(f"https://{HOST}:{front.tls}").copy_with(raw_path=path.encode())
            assert (await client.get(url)).status_code == 404, path
    assert len(front.seen) == let_through


async def test_the_services_see_neither_a_clients_token_nor_its_wish_to_upgrade(
    front: Front,
) -> None:
    async with client_of(front) as client:
        answer = await client.post(
            "/wechat/brand",
            content=b"abc",
            headers={
                "Authorization": "Bearer x", "Connection": "upgrade", "Upgrade": "websocket"
            },
        )  # fmt: skip
    assert (answer.status_code, answer.text) == (200, "3")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert not {b"authorization", b"upgrade", b"connection"} & set(front.seen[0])


async def test_a_body_that_does_not_end_never_reaches_a_service(front: Front) -> None:
    slow = b"POST /wechat/brand HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"
    waiting = asyncio.create_task(ends(front, slow))
    async with client_of(front) as client:  # genuine ones pass meanwhile
        assert (await client.post("/wechat/brand", content=b"abc")).status_code == 200
    await waiting
    assert len(front.seen) == 1
    unfinished = front.service.meter.registry.get_sample_value("fan_http_unfinished_requests")
    assert unfinished == 0


async def test_a_body_is_bounded_before_it_is_read(front: Front) -> None:
    async with client_of(front) as client:
        assert (await client.post("/wechat/brand", content=b"x" * 65_536)).text == "65536"
        assert (await client.post("/wechat/brand", content=b"x" * 65_537)).status_code == 413


async def test_a_request_without_host_or_with_two_is_refused(front: Front) -> None:
    for hosts in (b"", b"host: a\r\nhost: b\r\n"):
        heard = await ends(front, b"GET /i/x HTTP/1.1\r\n" + hosts + b"connection: close\r\n\r\n")
        assert b" 400 " in heard
    assert front.seen == []


async def test_clear_text_leads_people_to_tls_and_serves_no_platform(front: Front) -> None:
    async with httpx.AsyncClient(
        base_url=f"http://{HOST}:{front.clear}", trust_env=False
    ) as client:
        page = await client.get("/i/abc", headers={"Host": "brand.test"})
        assert (page.status_code, page.headers["location"]) == (308, "https://brand.test/i/abc")
        assert (await client.post("/wechat/brand", content=b"x")).status_code == 404
    assert front.seen == []


async def test_one_address_may_have_so_many_connections_and_no_more(front: Front) -> None:
    limit = int(re.findall(r"limit_conn peers (\d+)", CONFIGURATION.read_text())[0])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    half = b"POST /wechat/brand HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"
    writers = []
    try:
        for _ in range(limit):
            _, writer = await asyncio.open_connection(HOST, front.tls, ssl=context)
            writer.write(half)
            writers.append(writer)
        async with client_of(front) as client:
            answer = await client.post("/wechat/brand", content=b"abc")
        assert answer.status_code == 503
    finally:
        for writer in writers:
            writer.close()
