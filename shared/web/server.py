"""uvicorn inside our own event loop, on a socket that we bound, with no say over signals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from shared.web.crowd import Crowd
from shared.web.limits import Limits
from shared.web.protocol import BoundedProtocol, bounded_protocol


class HttpServer:
    """Serves one application from `start` to `stop`.

    Args:
        app: the ASGI application.
        limits: of connections.
        refused: called with a bounded reason for each connection that is cut.
        crowd: of all its connections.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, refused: Callable[[str], None], crowd: Crowd
    ) -> None:
        self._limits = limits
        self._server = _Server(
            uvicorn.Config(
                app,
                http=bounded_protocol(limits, refused, crowd),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=limits.keep_alive_s,
                timeout_graceful_shutdown=limits.finish_requests_s,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the address can't be had.
        """
        family, _, _, _, address = socket.getaddrinfo(  # at the start nothing else runs yet
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(
            (str(address[0]), port), family=socket.AddressFamily(family), backlog=2048
        )
        bound: int = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._serve(listener), name="http")
        await self._server.up.wait()
        return bound

    async def ended(self) -> None:
        """Return when the server ends; raise what ended it."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Take no new requests, finish those at work within the limit. May be called again."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait({self._serving})

    async def _serve(self, listener: socket.socket) -> None:
        sweeping = asyncio.create_task(self._sweep(), name="http-sweep")
        serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http-serve")
        done, _ = await asyncio.wait({sweeping, serving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sweeping, serving):
            task.cancel()
        await asyncio.wait({sweeping, serving})
        for task in done:
            task.result()

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._limits.sweep_every_s)
            now = clock()
            for connection in tuple(self._server.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.cut_if_late(now)


class _Server(uvicorn.Server):
    """Signals belong to the service; uvicorn would raise them again when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
