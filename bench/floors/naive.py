"""The program that most people would write: a typed FastStream subscriber, one update a message.

    python -m bench.floors.naive BOOTSTRAP TOPIC GROUP EVENTS MONGODB_URL DATABASE

It does one of the segmenter's rules only, and is neither exactly once nor ordered after a crash.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel

CLICKS_FOR_A_TAG = 3


class FanEvent(BaseModel):
    """As much of an event as the program reads."""

    occurred_at: int
    platform: str
    account: str
    fan: str
    menu_key: str = ""


class TagAssigned(BaseModel):
    """What it announces."""

    fan: str
    tag: str


async def main(bootstrap: str, topic: str, group: str, events: int, url: str, name: str) -> None:
    """Handle `events` records and print one line of JSON."""
    broker = KafkaBroker(bootstrap, logger=None)
    client: Any = AsyncIOMotorClient(url, w="majority", journal=True)
    fans = client[name].naive_fans
    app = FastStream(broker, logger=None)
    counted = 0
    began, cpu = 0.0, 0.0

    @broker.subscriber(
        topic, group_id=group, auto_offset_reset="earliest", ack_policy=AckPolicy.REJECT_ON_ERROR
    )
    async def on_event(event: FanEvent) -> None:
        nonlocal counted, began, cpu
        if not began:
            began, cpu = time.monotonic(), _cpu()
        key = f"{event.platform}:{event.account}:{event.fan}"
        document = await fans.find_one({"_id": key}) or {}
        clicks = document.get("clicks", 0) + bool(event.menu_key)
        fresh = clicks >= CLICKS_FOR_A_TAG and "active" not in document.get("tags", [])
        await fans.update_one(
            {"_id": key},
            {
                "$set": {"clicks": clicks, "last": event.occurred_at},
                "$addToSet": {"tags": {"$each": ["active"] if fresh else []}},
            },
            upsert=True,
        )
        if fresh:
            await broker.publish(
                TagAssigned(fan=event.fan, tag="active"), f"{topic}.naive", key=key.encode()
            )
        counted += 1
        if counted == events:
            app.exit()

    await app.run()
    seconds, used = time.monotonic() - began, _cpu() - cpu
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_s": used, "events": counted}) + "\n")


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    logging.disable()
    _, bootstrap_servers, topic_name, group_id, count, mongodb_url, database = sys.argv
    asyncio.run(main(bootstrap_servers, topic_name, group_id, int(count), mongodb_url, database))
