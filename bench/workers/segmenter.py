"""The segmenter's own handler, rules and runner, until it has applied so many events.

    python -m bench.workers.segmenter BOOTSTRAP PREFIX EVENTS RUN [MONGODB_URL DATABASE]

RUN names this run's consumer group. Without a URL the state is kept in this process.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import uvloop
from pydantic import SecretStr

from services.segmenter.adapters.mongo_fans import MongoFanIndex
from services.segmenter.adapters.rules_file import RulesOnDisk
from services.segmenter.handlers import TagHandler
from services.segmenter.metrics import SegmenterMetrics
from shared.kafka.session import LogSession
from shared.observe.metrics import Meter
from shared.settings import ServiceSettings
from shared.store.client import connect
from shared.store.mongo import MongoGuardedStore, MongoPartitionBooks
from shared.store.ports import GuardedStore, GuardedWrite, PartitionBooks
from shared.testing.memory_store import MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver

TAGS = Path(__file__).parents[2] / "deploy/local/config/tags.yaml"
TOPIC = "fan-events.v1"
LOOK_S = 0.005


class _Clocked(SilentObserver):
    """Remembers when the first batch arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.began = 0.0
        self.cpu = 0.0

    def step(self, group: str, name: str) -> None:
        if name == "read" and not self.began:
            self.began, self.cpu = time.monotonic(), _cpu()


class _NoStore:
    """Takes everything and keeps nothing: the state stays in the writer's own copies."""

    async def read(self, _ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {}

    def oversized(self, _writes: Sequence[GuardedWrite]) -> set[str]:
        return set()

    async def write(self, _writes: Sequence[GuardedWrite]) -> set[str]:
        return set()

    async def pending(self, *_args: object) -> AsyncIterator[dict[str, Any]]:
        nothing: list[dict[str, Any]] = []
        for document in nothing:
            yield document


async def main(bootstrap: str, prefix: str, events: int, run: str, store: list[str]) -> None:
    """Apply `events` records and print one line of JSON."""

    class Settings(ServiceSettings):
        service: ClassVar[str] = f"bench-{run}"

    settings = Settings(
        kafka_bootstrap_servers=bootstrap,
        log_epoch="bench",
        topic_prefix=prefix,
        create_topics=False,
        mongodb_url=SecretStr("unused"),
        mongodb_database="unused",
        staff_tokens={},
        accounts_file=Path("unused"),
    )
    observer = _Clocked()
    handler = TagHandler(RulesOnDisk(TAGS).read(), SegmenterMetrics(Meter()))
    documents: GuardedStore
    books: PartitionBooks
    if store:
        database = connect(store[0], store[1])
        documents = MongoGuardedStore(database, handler.collection, loops=[handler.loop])
        await documents.prepare()
        await MongoFanIndex(database, handler.collection).prepare()
        books = MongoPartitionBooks(database)
    else:
        documents, books = _NoStore(), MemoryPartitionBooks()
    session = LogSession(settings, observer)
    session.consume(handler, TOPIC, store=documents, books=books)
    await session.start()
    while observer.counts["applied"] + observer.counts["skipped"] < events:
        await asyncio.sleep(LOOK_S)
    seconds, used = time.monotonic() - observer.began, _cpu() - observer.cpu
    await session.stop()
    facts = {"seconds": seconds, "cpu_s": used, "events": events}
    sys.stdout.write(json.dumps(facts | {"announced": observer.counts["announced"]}) + "\n")


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:]))
