"""Genuine webhooks and probes at a steady pace, whatever becomes of the ones before.

Each goes over a connection of its own, as a platform's do: where connections are hoarded, it must
still get one. Times count from the moment at which it was due, so a stall is not left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.local.parts.ports import HOST

ANSWER_S: Final = 5.0
"""As long as WeChat and Weibo wait."""
LIVEZ: Final = b"GET /livez HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
LIVEZ_EVERY_S: Final = 0.05


@dataclass(slots=True)
class Flow:
    """What became of one kind of requests."""

    times: list[float] = field(default_factory=list)
    """Seconds of those that were answered with 200."""
    refused: int = 0

    @property
    def refused_percent(self) -> float:
        """Of all that were sent."""
        return round(100 * self.refused / max(1, self.refused + len(self.times)), 2)


async def flow(port: int, requests: Sequence[bytes], every_s: float, into: Flow) -> None:
    """Send each request at its own time; return when the last is answered or given up."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = began + number * every_s
            await asyncio.sleep(due - time.monotonic())
            group.create_task(_ask(port, request, due, into))


async def _ask(port: int, request: bytes, due: float, into: Flow) -> None:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request)
            is_taken = (await reader.readline()).startswith(b"HTTP/1.1 200")
            took = time.monotonic() - due
    except (OSError, TimeoutError):
        is_taken, took = False, ANSWER_S
    finally:
        if writer is not None:
            writer.close()
    if is_taken:
        into.times.append(took)
    else:
        into.refused += 1
