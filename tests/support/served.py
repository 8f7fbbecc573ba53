"""A service on a real socket, and clients that say exactly what a test wants, and when."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar

import uvloop
from starlette.types import Receive, Scope, Send

from shared.settings import ServiceSettings
from shared.testing.settings import settings_for_tests
from shared.web.body import read_body, send_response
from shared.web.limits import Limits
from shared.web.service import Service

PATIENCE_S = 30.0
SHORT = Limits(
    head_timeout_s=0.8,  # enough for honest requests on a machine that is busy
    request_timeout_s=1.6,
    write_timeout_s=1.6,
    sweep_every_s=0.05,
    keep_alive_s=9,  # well after the other bounds: the loop may look at them late
    head_limit_bytes=4096,
    drained_bytes=300_000,
    finish_requests_s=1,
)
PATIENT = replace(SHORT, head_timeout_s=20.0, request_timeout_s=20.0, keep_alive_s=20)
"""No deadline ends what a test with these looks at."""
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Scenario = Callable[[], Awaitable[None]]


class SocketSettings(ServiceSettings):
    """Of the service that is tested."""

    service: ClassVar[str] = "sockettest"


def within_patience(scenario: Scenario, loop: str = "uvloop") -> None:
    """Run a scenario on one of LOOPS, and close what it opened."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            try:
                await scenario()
            finally:
                await Client.close_all()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(bounded())


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer how long the body was."""
    await send_response(send, 200, b"%d" % len(await read_body(scope, receive)))


async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer more than a client's system takes by itself."""
    await send_response(send, 200, b"x" * 20_000_000)


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds."""
    while not condition():
        await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(limits: Limits = SHORT, **parts: Any) -> AsyncIterator[Service]:
    """Run a service inside the block."""
    routes = {"raw_routes": {"/echo": echo, "/large": large}}
    service = Service(settings_for_tests(SocketSettings), limits=limits, **(routes | parts))
    ended = asyncio.create_task(service.serve())
    await until(lambda: service.port)
    try:
        yield service
    finally:
        service.stop()
        await ended


class Client:
    """A client that says exactly what the test wants, and when."""

    opened: ClassVar[list[Client]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def of(
        cls, service: Service, *, receive_bytes: int = 0, address: str = "127.0.0.1"
    ) -> Client:
        """Connect; from another loopback address a client is another peer."""
        sock = socket.socket()
        if receive_bytes:  # else the system takes many megabytes for a client that does not read
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.bind((address, 0))
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", service.port))
        client = cls(*await asyncio.open_connection(sock=sock))
        cls.opened.append(client)
        return client

    @classmethod
    async def close_all(cls) -> None:
        """Close all that were opened."""
        while cls.opened:
            writer = cls.opened.pop().writer
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def say(self, data: bytes) -> None:
        """Send it."""
        self.writer.write(data)

    async def everything(self) -> bytes:
        """All that the server says until it ends the connection."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.startswith(b"content-length")
        )
        return int(head.split()[1]), await self.reader.readexactly(length)


def refused(service: Service, reason: str) -> float | None:
    """How often the edge refused for this reason."""
    return service.meter.registry.get_sample_value("fan_http_refused_total", {"reason": reason})
