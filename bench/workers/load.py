"""Posts prepared requests over a fixed number of connections, as fast as the answers come.

    python -m bench.workers.load PORT REQUESTS_FILE CONNECTIONS WARM_UP

The file holds whole HTTP requests, each behind its length (4 bytes). The first WARM_UP are not
counted. Plain protocols on uvloop: the generator must need less than what it measures.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

GOOD = b"HTTP/1.1 200"
HEAD_END = b"\r\n\r\n"


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(HEAD_END)
        good = self._buffer.startswith(GOOD)
        if head < 0 or (good and not self._buffer.endswith(b"success")):
            return  # the rest is still on its way
        self._load.answered(time.perf_counter() - self._sent, good=good)
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed()

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._load.requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


class _Load:
    def __init__(self, requests: list[bytes], connections: int, warm_up: int) -> None:
        self.requests: Iterator[bytes] = iter(requests)
        self.done = asyncio.Event()
        self.times: list[float] = []
        self.bad = 0
        self.began = 0.0
        self._warm_up = warm_up
        self._open = connections

    def answered(self, seconds: float, *, good: bool) -> None:
        self.bad += not good
        if self._warm_up:
            self._warm_up -= 1
            self.began = time.perf_counter()
            return
        self.times.append(seconds)

    def closed(self) -> None:
        self._open -= 1
        if not self._open:
            self.done.set()


async def main(port: int, path: Path, connections: int, warm_up: int) -> None:
    """Post everything and print one line of JSON."""
    load = _Load(list(_read(path)), connections, warm_up)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
    await load.done.wait()
    seconds = time.perf_counter() - load.began
    times = sorted(load.times)
    facts = {
        "requests": len(times),
        "seconds": seconds,
        "bad": load.bad,
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[len(times) * 99 // 100] * 1e3,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def _read(path: Path) -> Iterator[bytes]:
    raw = path.read_bytes()
    at = 0
    while at < len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        yield raw[at + 4 : at + 4 + length]
        at += 4 + length


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
