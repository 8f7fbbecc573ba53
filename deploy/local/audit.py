"""Do the books balance? Read from durable numbers alone: the log's offsets and the stores' counts.

For each group and partition: applied + duplicates (kept in the guarded documents) + skipped and
offsets without a record (kept in the service's ``books``) + distinct origins in the dead-letter
topic = end - start offset. It reads the stored fields itself and imports none of the services'
code, so that it can't share their mistakes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from pymongo import MongoClient
from pymongo.database import Database

TIMEOUT_S = 10.0
DEAD_LETTER_SUFFIX = ".dlq"
BOOKS = "books"

Origin = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Account:
    """One group's books for one partition, in records."""

    group: str
    topic: str
    partition: int
    start: int
    end: int
    applied: int
    duplicates: int
    skipped: int
    dead_lettered: int
    without_record: int = 0

    @property
    def missing(self) -> int:
        """Records in the log that no book knows; negative when some were counted twice."""
        counted = self.applied + self.duplicates + self.skipped + self.without_record
        return self.end - self.start - counted - self.dead_lettered

    @property
    def is_balanced(self) -> bool:
        """Whether every record is in the books, and once."""
        return self.missing == 0


def audit(
    bootstrap_servers: str,
    mongodb_url: str,
    databases: Sequence[str],
    *,
    topic_prefix: str = "",
    log_epoch: str,
) -> list[Account]:
    """The books of every group that has read from the log; of a drained system.

    Args:
        bootstrap_servers: the log.
        mongodb_url: the store.
        databases: one for each service.
        topic_prefix: what stands before every topic.
        log_epoch: the log's incarnation; other ones are not looked at.
    """
    accounts: list[Account] = []
    with (
        _consumer(bootstrap_servers) as consumer,
        MongoClient[dict[str, Any]](mongodb_url) as store,
    ):
        dead = _dead_letters(consumer, topic_prefix)
        for name in databases:
            applied, duplicates = _counts(store[name], log_epoch)
            for book in store[name][BOOKS].find({"epoch": log_epoch}):
                origin = (book["topic"], book["partition"])
                place = TopicPartition(topic_prefix + book["topic"], book["partition"])
                _, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
                service = book["group"].partition(".")[0]
                accounts.append(
                    Account(
                        group=book["group"],
                        topic=book["topic"],
                        partition=book["partition"],
                        start=book["start"],
                        end=end,
                        applied=applied[origin],
                        duplicates=duplicates[origin],
                        skipped=book["skipped"],
                        without_record=book.get("without_record", 0),
                        dead_lettered=dead[service, *origin],
                    )
                )
    return sorted(accounts, key=lambda account: (account.group, account.partition))


def records_in(bootstrap_servers: str, topic: str) -> int:
    """How many records a topic has taken, over all partitions; 0 if there is no such topic."""
    with _consumer(bootstrap_servers) as consumer:
        return sum(end - start for _, start, end in _extents(consumer, topic))


def events_in(bootstrap_servers: str, topic: str) -> Counter[str]:
    """Events in a topic by type, each `ce_id` once: what was announced twice is one event."""
    ids: dict[str, set[str]] = {}
    with _consumer(bootstrap_servers) as consumer:
        for headers in _headers(consumer, topic):
            ids.setdefault(headers["ce_type"], set()).add(headers["ce_id"])
    return Counter({event_type: len(found) for event_type, found in ids.items()})


@contextmanager
def _consumer(bootstrap_servers: str) -> Iterator[Consumer]:
    with closing(
        Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "audit",  # never used: it assigns partitions itself, commits nothing
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": False,
                "log_level": 0,
            }
        )
    ) as consumer:
        yield consumer


def _extents(consumer: Consumer, topic: str) -> list[tuple[TopicPartition, int, int]]:
    known = consumer.list_topics(timeout=TIMEOUT_S).topics
    if topic not in known:
        return []
    places = [TopicPartition(topic, number) for number in known[topic].partitions]
    return [(place, *consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)) for place in places]


def _headers(consumer: Consumer, topic: str) -> Iterator[dict[str, str]]:
    """The headers of every record that is in the topic now, oldest first in each partition."""
    for place, start, end in _extents(consumer, topic):
        if start == end:
            continue
        consumer.assign([TopicPartition(place.topic, place.partition, start)])
        offset = start
        while offset < end:
            message = consumer.poll(TIMEOUT_S)
            if message is None or message.error() is not None:
                raise TimeoutError(f"{topic} could not be read to its end")
            offset = (message.offset() or 0) + 1
            headers: Any = message.headers() or []
            yield {name: (raw or b"").decode(errors="replace") for name, raw in headers}
        # A partition that is left assigned is fetched on: every other request waits 0.5 s for that.
        consumer.unassign()


def _dead_letters(consumer: Consumer, topic_prefix: str) -> Counter[tuple[str, str, int]]:
    """Distinct origins by service, topic and partition: a dead letter may be produced twice."""
    origins: set[tuple[str, str, int, int]] = set()
    for topic in consumer.list_topics(timeout=TIMEOUT_S).topics:
        if not topic.startswith(topic_prefix) or not topic.endswith(DEAD_LETTER_SUFFIX):
            continue
        for told in _headers(consumer, topic):
            place = int(told["dlq_partition"]), int(told["dlq_offset"])
            origins.add((told["dlq_service"], told["dlq_topic"], *place))
    return Counter((service, topic, partition) for service, topic, partition, _ in origins)


def _counts(
    database: Database[dict[str, Any]], log_epoch: str
) -> tuple[Counter[Origin], Counter[Origin]]:
    """Records applied, and duplicates, by origin, summed over all guarded documents."""
    applied: Counter[Origin] = Counter()
    duplicates: Counter[Origin] = Counter()
    for collection in database.list_collection_names():
        for document in database[collection].find({"l": {"$exists": True}}, {"l": 1}):
            for loop in document["l"].values():
                for mark in loop["at"]:
                    if mark["e"] == log_epoch:
                        applied[mark["t"], mark["p"]] += mark["n"]
                        duplicates[mark["t"], mark["p"]] += mark["d"]
    return applied, duplicates
