"""A TCP proxy that fails on demand: a network fault between two parts, without a kernel's help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Self

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536


class TcpProxy:
    """Passes bytes between a local port and a target, and breaks the way it is told to.

    Runs in the test's event loop::

        async with TcpProxy(target_port) as proxy:
            await proxy.down()

    Args:
        target_port: where connections are passed on to, on the loopback interface; may be changed.
        port: where it listens; a free port where omitted.
    """

    def __init__(self, target_port: int, port: int = 0) -> None:
        self.port = port
        self.latency_s = 0.0  # before every chunk, in both directions
        self.connections = 0  # accepted so far
        self.target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_flowing = asyncio.Event()
        self._is_flowing.set()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Accept connections (again), always on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse new connections and cut the existing ones, like a host that is gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Reset every existing connection; new ones are accepted."""
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stall(self) -> None:
        """Pass nothing on any more, but keep every connection open."""
        self._is_flowing.clear()

    def flow(self) -> None:
        """Let bytes pass again after ``stall``."""
        self._is_flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            target_reader, target_writer = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            self._close(writer)
            return
        self._writers.add(target_writer)
        try:
            await _first_done(self._pump(reader, target_writer), self._pump(target_reader, writer))
        except asyncio.CancelledError:
            return  # `cut`; asyncio's streams would report it as an unhandled error
        finally:
            self._close(writer)
            self._close(target_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                await self._is_flowing.wait()
                writer.write(chunk)
                await writer.drain()

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()


async def _first_done(*pumps: Coroutine[None, None, None]) -> None:
    """Run the pumps until one ends: a connection closed on one side is closed on both."""
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
