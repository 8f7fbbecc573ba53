"""Webhook to tag, comment to page: p50 and p99 at a steady pace, with all services running.

Webhook to tag is from the first byte of a follow by a shop's QR code to the moment when another
consumer reads the `TagAssigned`; the fan's state is durable before that. Comment to page is from
the last comment that an incident needs, produced to the log, to the pager's books.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable

import httpx
from aiokafka import AIOKafkaConsumer

from bench.figures import Figure
from bench.parts import RealParts
from bench.requests import request
from deploy.local.brand import WECHAT
from deploy.local.parts.ports import HOST
from deploy.local.stack import Stack
from shared.events import CommentPosted
from shared.kafka.publisher import KafkaPublisher
from shared.testing.memory_log import record_of

PACE = 200
"""Webhooks a second."""
SECONDS = 30
WARM_UP_S = 5
CONNECTIONS = 20
INCIDENTS = 25
COMPLAINTS = 12
SETTLE_S = 15.0
TAG_BAR_MS = 1_000.0
PAGE_BAR_MS = 5_000.0
COMPLAINT = "吃了你们家的蛋糕全家食物中毒，上吐下泻进了医院，第{n}次投诉没人理"
ACCOUNT = re.compile(r"gh_bench\d+")
ESCALATION = {"steps": [{"channels": ["oncall-phone"]}]}


def latency(parts: RealParts, _runs: int, tell: Callable[[str], None]) -> list[Figure]:
    """One run of `SECONDS`: the percentiles come from thousands of webhooks."""
    tell(f"latency: {PACE} webhooks a second for {SECONDS} s, {INCIDENTS} incidents")
    stack = Stack(
        parts.folder / "stack",
        bootstrap_servers=parts.bootstrap_servers,
        mongodb_url=parts.mongodb_url,
        topic_prefix="bench-latency.",
        database_prefix="bench_latency_",
        escalation=ESCALATION,
        environment={"FAN_CREATE_TOPICS": "true"},
    )
    with stack:
        tags, pages = asyncio.run(_measure(stack))
    return [
        *_figures("webhook_to_tag", tags, TAG_BAR_MS),
        *_figures("comment_to_page", pages, PAGE_BAR_MS),
    ]


def _figures(name: str, times: list[float], bar: float) -> list[Figure]:
    ordered = sorted(times)
    found = {
        "p50": ordered[len(ordered) // 2] * 1e3,
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3,
    }
    return [
        Figure(
            f"{name}_{percentile}_ms", round(value, 1), "ms", bar, round(value / bar, 3), 1,
            facts={"samples": len(ordered)},
        )
        for percentile, value in found.items()
    ]  # fmt: skip


async def _measure(stack: Stack) -> tuple[list[float], list[float]]:
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    complained: dict[str, float] = {}
    watching = asyncio.create_task(_watch_tags(stack, seen))
    complaining = asyncio.create_task(_complain(stack, complained))
    await _follow(stack, sent)
    await complaining
    deadline = time.monotonic() + SETTLE_S
    while (len(seen) < len(sent) or len(_pages(stack)) < INCIDENTS) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    missing = len(sent) - len(seen)
    assert not missing, f"{missing} of {len(sent)} webhooks gave no tag"
    began = min(sent.values()) + WARM_UP_S
    tags = [seen[fan] - at for fan, at in sent.items() if at >= began]
    pages = _pages(stack)
    assert len(pages) == INCIDENTS, f"{len(pages)} of {INCIDENTS} incidents were paged"
    return tags, [pages[account] - at for account, at in complained.items()]


async def _follow(stack: Stack, sent: dict[str, float]) -> None:
    """Open loop: each webhook at its own time, whatever became of the one before."""
    waiting: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}
    port = int(stack.url("ingest").rpartition(":")[2])
    for _ in range(CONNECTIONS):
        reader, writer = await asyncio.open_connection(HOST, port)
        readers[writer] = reader
        waiting.put_nowait(writer)

    async def post(fan: str, raw: bytes) -> None:
        sent[fan] = time.time()
        writer = await waiting.get()
        writer.write(raw)
        head = await readers[writer].readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await readers[writer].readexactly(len(b"success"))
        waiting.put_nowait(writer)

    async with asyncio.TaskGroup() as group:
        began = time.monotonic()
        for number in range(PACE * SECONDS):
            await asyncio.sleep(began + number / PACE - time.monotonic())
            fan = f"o{number:027d}"
            fields: dict[str, object] = {
                "ToUserName": WECHAT,
                "FromUserName": fan,
                "CreateTime": int(time.time()),
                "MsgType": "event",
                "Event": "subscribe",
                "EventKey": f"qrscene_store-{number % 50}",
                "Ticket": "t",
            }
            group.create_task(post(fan, request(stack.brand, fields)))
    for writer in readers:
        writer.close()


async def _watch_tags(stack: Stack, seen: dict[str, float]) -> None:
    consumer = AIOKafkaConsumer(
        f"{stack.topic_prefix}tag-changes.v1",
        bootstrap_servers=stack.bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async for record in consumer:
            fan = record.key.decode().rpartition(":")[2]
            seen.setdefault(fan, time.time())
    finally:
        await consumer.stop()


async def _complain(stack: Stack, complained: dict[str, float]) -> None:
    """An incident in another account every second or so."""
    publisher = KafkaPublisher(stack.bootstrap_servers, topic_prefix=stack.topic_prefix)
    await publisher.start()
    await asyncio.sleep(WARM_UP_S)
    for number in range(INCIDENTS):
        account = f"gh_bench{number}"
        now = time.time()
        comments = [
            CommentPosted(
                occurred_at=round(now * 1000),
                platform="wechat",
                account=account,
                authenticated_by="poller",
                article="100",
                comment_id=str(n),
                fan=f"o{n}",
                text=COMPLAINT.format(n=n),
            )
            for n in range(COMPLAINTS)
        ]
        await publisher.publish(
            [record_of(c, f"{account}-{c.comment_id}", source="/ingest") for c in comments]
        )
        complained[account] = time.time()
        await asyncio.sleep((SECONDS - WARM_UP_S - 2) / INCIDENTS)
    await publisher.stop()


def _pages(stack: Stack) -> dict[str, float]:
    """When the pager took the first page of each account's incident."""
    books = httpx.get(f"{stack.url('sandbox')}/_books", timeout=10).json()
    found: dict[str, float] = {}
    for entry in books["platforms"].get("pagerduty", {}).get("accepted", []):
        for account in ACCOUNT.findall(json.dumps(entry)):
            found.setdefault(account, entry["at"])
    return found
