"""The composition root: which parts the segmenter is made of."""

from __future__ import annotations

import secrets
import time

from services.segmenter.adapters.mongo_fans import MongoFanIndex
from services.segmenter.adapters.own_partitions import OwnPartitions
from services.segmenter.adapters.rules_file import RulesOnDisk
from services.segmenter.domain.rules_file import RulesFileError
from services.segmenter.handlers import TagHandler
from services.segmenter.loops import ClockSettings, FanClock, RulesWatch, TagCount
from services.segmenter.metrics import SegmenterMetrics
from services.segmenter.routes import staff_routes
from services.segmenter.settings import SegmenterSettings
from shared.kafka.session import LogSession
from shared.observe.metrics import Meter
from shared.observe.runner_metrics import RunnerMetrics
from shared.settings import SettingsError
from shared.startup import until_it_answers
from shared.store.client import close, connect, reachable
from shared.store.mongo import MongoGuardedStore, MongoLeases, MongoPartitionBooks
from shared.web.service import Hook, Service

TOPIC = "fan-events.v1"
GROUP = f"{SegmenterSettings.service}.{TOPIC}"


def create_app(settings: SegmenterSettings) -> Service:
    """The segmenter as a service, not started.

    Raises:
        SettingsError: the rule file can't be used; each mistake is named.
    """
    rules = RulesOnDisk(settings.tags_file)
    try:
        book = rules.read()
    except RulesFileError as error:
        raise SettingsError(*error.problems) from error
    meter = Meter()
    notes = SegmenterMetrics(meter)
    notes.rules_read(book.tags, book.digest)
    observer = RunnerMetrics(meter, [GROUP])
    database = connect(
        settings.mongodb_url.get_secret_value(),
        settings.mongodb_database,
        driver=settings.store_driver,
    )
    handler = TagHandler(book, notes, now_ms)
    fans = MongoGuardedStore(database, handler.collection, loops=[handler.loop])
    index = MongoFanIndex(database, handler.collection)
    session = LogSession(settings, observer)
    runner = session.consume(handler, TOPIC, store=fans, books=MongoPartitionBooks(database))
    clock = FanClock(
        handler,
        runner.writer,
        index,
        OwnPartitions(runner),
        MongoLeases(database),
        holder=secrets.token_hex(8),
        now=now_ms,
        notes=notes,
        observer=observer,
        group=GROUP,
        settings=ClockSettings(
            interval_s=settings.clock_interval_s,
            grace_ms=round(settings.expiry_grace_s * 1_000),
            batch=settings.clock_batch,
            fans_per_s=settings.clock_fans_per_s,
        ),
    )
    watch = RulesWatch(rules, handler, notes, every_s=settings.tags_file_look_s)
    count = TagCount(index, handler, notes, observer, group=GROUP, every_s=settings.tag_count_s)

    async def prepare_store() -> None:
        await until_it_answers(fans.prepare, observer, GROUP)
        await until_it_answers(index.prepare, observer, GROUP)

    return Service(
        settings,
        routes=staff_routes(index, handler, now_ms),
        readiness={
            "store": lambda: reachable(database),
            "log": session.reachable,
            "partitions": session.flowing,
        },
        hooks=(
            Hook("store", prepare_store, lambda: close(database)),
            Hook("log", session.start, session.stop),
            Hook("clock", stop=clock.stop),
        ),
        tasks={"clock": clock.run, "rules": watch.run, "count": count.run},
        progress={"runner": session.stuck_s},
        meter=meter,
    )


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
