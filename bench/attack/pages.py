"""A wave of complaints while an attack runs, and when its page reached the pager."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Final

import httpx

from deploy.local.stack import Stack
from shared.events import CommentPosted
from shared.kafka.publisher import KafkaPublisher
from shared.testing.memory_log import record_of

BEHIND: Final = re.compile(r"^fan_lag_records\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
CONSUMERS: Final = ("segmenter", "notifier", "sentiment")
COMPLAINTS: Final = 12
COMPLAINT: Final = "吃了你们家的蛋糕全家食物中毒，上吐下泻进了医院，第{n}次投诉没人理"
LOOK_EVERY_S: Final = 0.2
PATIENCE_S: Final = 12.0
ESCALATION: Final = {"steps": [{"channels": ["oncall-phone"]}]}


async def drained(stack: Stack, patience_s: float) -> None:
    """Return when the services have worked off what earlier attacks left, or patience is over."""
    until = time.monotonic() + patience_s
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while time.monotonic() < until:
            exposed = [
                (await client.get(f"{stack.url(service)}/metrics")).text for service in CONSUMERS
            ]
            if not any(float(behind) for text in exposed for behind in BEHIND.findall(text)):
                return
            await asyncio.sleep(1.0)


async def page_ms(stack: Stack, account: str, after_s: float) -> float | None:
    """Milliseconds from the last complaint to the pager; None when no page came in time."""
    await asyncio.sleep(after_s)
    publisher = KafkaPublisher(stack.bootstrap_servers, topic_prefix=stack.topic_prefix)
    await publisher.start()
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
    complained = time.time()
    await publisher.stop()
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.time() - complained < PATIENCE_S:
            answer = await client.get(f"{stack.url('sandbox')}/_books", timeout=10)
            for entry in answer.json()["platforms"].get("pagerduty", {}).get("accepted", []):
                if account in json.dumps(entry):
                    paged: float = entry["at"]
                    return round((paged - complained) * 1e3, 1)
            await asyncio.sleep(LOOK_EVERY_S)
    return None
