"""The fault proxy breaks a connection in exactly the ways it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.tcp_proxy import HOST, TcpProxy

TIMEOUT_S = 10.0


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """A proxy before a server that answers each line with the same line."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    async with server, TcpProxy(server.sockets[0].getsockname()[1]) as made:
        yield made


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, proxy: TcpProxy) -> Client:
        return cls(*await asyncio.open_connection(HOST, proxy.port))

    async def ask(self, text: bytes, timeout_s: float = TIMEOUT_S) -> bytes:
        self._writer.write(text + b"\n")
        async with asyncio.timeout(timeout_s):
            return (await self._reader.readline()).strip()

    def close(self) -> None:
        self._writer.transport.abort()


async def test_bytes_pass_in_both_directions(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    assert await client.ask(b"hello") == b"hello"
    client.close()


async def test_a_proxy_that_is_down_refuses_and_comes_back_on_its_port(proxy: TcpProxy) -> None:
    port = proxy.port
    await proxy.down()
    with pytest.raises(ConnectionRefusedError):
        await Client.connect(proxy)
    await proxy.up()
    assert proxy.port == port
    client = await Client.connect(proxy)
    assert await client.ask(b"again") == b"again"
    client.close()


async def test_a_cut_ends_existing_connections_and_takes_new_ones(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    assert await client.ask(b"hello") == b"hello"
    await proxy.cut()
    with pytest.raises((ConnectionError, AssertionError)):
        assert await client.ask(b"lost") == b"lost"
    fresh = await Client.connect(proxy)
    assert await fresh.ask(b"fresh") == b"fresh"
    fresh.close()
    client.close()


async def test_a_stalled_connection_stays_open_without_an_answer(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    assert await client.ask(b"hello") == b"hello"
    proxy.stall()
    with pytest.raises(TimeoutError):
        await client.ask(b"held", timeout_s=0.1)
    proxy.flow()
    assert await client.ask(b"next") == b"held"
    client.close()


async def test_latency_is_added_in_each_direction(proxy: TcpProxy) -> None:
    client = await Client.connect(proxy)
    proxy.latency_s = 0.05
    before = time.monotonic()
    await client.ask(b"slow")
    assert time.monotonic() - before >= 0.1
    client.close()
