"""The sceptic's audit of a drained stack: logs, documents and books of platforms, side by side."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import yaml
from confluent_kafka import Consumer, KafkaException, TopicPartition
from pymongo import MongoClient

from deploy.local.environment import EXAMPLES
from deploy.local.stack import SERVICES, Stack
from shared.events import EVENT_TYPES, Event
from tests.support import oracle_notifier, oracle_sentiment
from tests.support.crash_load import COMPLAINT, MASS_CALLS, TEXTS, TRIGGERS, Crowd
from tests.support.oracle_segmenter import expected_changes, expected_tags

TOPICS = ("fan-events.v1", "tag-changes.v1", "push-outcomes.v1", "incidents.v1")
READ_TIMEOUT_S = 60.0
SETTLED_PUSHES = ("sent", "refused", "unknown", "held", "dropped")
SETTLED_PAGES = ("sent", "refused", "obsolete")


@dataclass(frozen=True)
class Record:
    """One record of a topic."""

    id: str
    type: str
    key: bytes
    raw: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def value(self) -> Any:
        """The JSON."""
        return json.loads(self.raw)


@dataclass(frozen=True)
class Raw:
    """One record as it is."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Letter:
    """One dead letter: where it came from, and why."""

    topic: str
    reason: str
    value: bytes


def read_raw(bootstrap_servers: str, topic: str) -> list[Raw]:
    """Everything in a topic, partition after partition."""
    settings = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": "sceptic",
        "enable.auto.commit": False,
        "log_level": 0,
    }
    with closing(Consumer(settings)) as consumer:
        found = consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic]
        return [
            record
            for number in sorted(found.partitions)
            for record in _read_partition(consumer, TopicPartition(topic, number))
        ]


def read_letters(bootstrap_servers: str, topic: str) -> list[Letter]:
    """The dead letters in a topic, each origin once: one set aside again must be the same."""
    found: dict[tuple[bytes, ...], Letter] = {}
    for raw in read_raw(bootstrap_servers, topic):
        told = dict(raw.headers)
        letter = Letter(told["dlq_topic"].decode(), told["dlq_reason"].decode(), raw.value)
        origin = told["dlq_topic"], told["dlq_partition"], told["dlq_offset"]
        assert found.setdefault(origin, letter) == letter
    return list(found.values())


def read_topic(bootstrap_servers: str, topic: str) -> list[Record]:
    """Everything in a topic of events."""
    found = []
    for raw in read_raw(bootstrap_servers, topic):
        names = dict(raw.headers)
        event_id, kind = names["ce_id"].decode(), names["ce_type"].decode()
        found.append(Record(event_id, kind, raw.key, raw.value, raw.headers))
    return found


def _read_partition(consumer: Consumer, place: TopicPartition) -> Iterator[Raw]:
    # A partition that is still assigned is fetched on, and other requests wait behind that.
    consumer.unassign()
    start, end = _read_extent(consumer, place)
    if start == end:
        return
    consumer.assign([TopicPartition(place.topic, place.partition, start)])
    offset = start
    while offset < end:
        message = consumer.poll(READ_TIMEOUT_S)
        assert message is not None, f"{place} ends early"
        assert message.error() is None, message.error()
        offset = (message.offset() or 0) + 1
        raw_headers: Any = message.headers() or []
        yield Raw(message.key() or b"", message.value() or b"", tuple(raw_headers))


def _read_extent(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """The first and the next offset; waits while nobody leads, as after a broker's long pause."""
    deadline = time.monotonic() + READ_TIMEOUT_S
    while True:
        try:
            extent: tuple[int, int] = consumer.get_watermark_offsets(place, timeout=READ_TIMEOUT_S)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return extent


def once(records: list[Record]) -> list[Record]:
    """Each id once; what has the same id must be the same."""
    found: dict[str, Record] = {}
    for record in records:
        first = found.setdefault(record.id, record)
        assert (first.type, first.raw, first.key) == (record.type, record.raw, record.key)
    return list(found.values())


class Sceptic:
    """Reads everything of a drained stack, and asserts what DESIGN's guarantees promise.

    Args:
        stack: drained.
        crowd: what was done to it.
    """

    def __init__(self, stack: Stack, crowd: Crowd) -> None:
        self._stack = stack
        self._crowd = crowd
        self._logs = {
            topic: once(read_topic(stack.bootstrap_servers, stack.topic_prefix + topic))
            for topic in TOPICS
        }
        self.events = sum(len(log) for log in self._logs.values())
        self.documents: dict[tuple[str, str], list[dict[str, Any]]] = {}
        with MongoClient[dict[str, Any]](stack.mongodb_url) as client:
            for service in SERVICES:
                database = client[stack.database(service)]
                for name in database.list_collection_names():
                    self.documents[service, name] = list(database[name].find())

    def check_ingest(self) -> None:
        """Whatever was acknowledged is in the log, and every comment, once each."""
        assert self._crowd.counts.lost == 0
        assert self._crowd.counts.genuine_rejected == 0
        seen = Counter(_fingerprint(record) for record in self._logs["fan-events.v1"])
        missing = [one for one in self._acknowledged() if not seen[one]]
        assert not missing, f"{len(missing)} acknowledged are not in the log, as {missing[:3]}"
        expected = {(str(article), str(comment)) for article, comment, _ in self._crowd.comments}
        found = [
            (r.value["article"], r.value["comment_id"])
            for r in self._logs["fan-events.v1"]
            if r.type == "CommentPosted"
        ]
        assert Counter(found) == Counter(expected)

    def check_segmenter(self) -> None:
        """Tags, and the changes that announce them, are those of the sequential model."""
        rules = yaml.safe_load((EXAMPLES / "tags.yaml").read_text("utf-8"))["tags"]
        events = [_event(record) for record in self._logs["fan-events.v1"]]
        found = {
            fan["_id"]: {tag["tag"] for tag in fan["tags"]}
            for fan in self.documents["segmenter", "fans"]
        }
        expected = expected_tags(events, rules)
        assert {fan: tags for fan, tags in found.items() if tags} == {
            fan: tags for fan, tags in expected.items() if tags
        }
        changes = [
            (record.key.decode(), record.type, record.value["tag"], record.value["number"])
            for record in self._logs["tag-changes.v1"]
        ]
        assert Counter(changes) == Counter(
            (fan, change.type, change.tag, change.number)
            for fan, wanted in expected_changes(events, rules).items()
            for change in wanted
        )

    def check_notifier(self, platforms: Mapping[str, Any]) -> Counter[str]:
        """Each triggered push is there once, and the platform's books include what they must."""
        rows = {
            (row["campaign"], row["fan"].split(":", 2)[2]): row["state"]
            for row in self.documents["notifier", "pushes"]
        }
        assert len(rows) == len(self.documents["notifier", "pushes"])
        gained = [r.value for r in self._logs["tag-changes.v1"] if r.type == "TagAssigned"]
        expected = oracle_notifier.triggered_pushes(gained, TRIGGERS)
        assert {push for push in rows if push[0] in TRIGGERS} == expected
        assert not {push: state for push, state in rows.items() if state not in SETTLED_PUSHES}
        outcomes = [(r.type, r.value) for r in self._logs["push-outcomes.v1"]]
        numbers = Counter((v["push"], v["number"]) for kind, v in outcomes if "push" in v)
        assert set(numbers.values()) <= {1}
        words = oracle_notifier.last_words(outcomes)
        assert words == {push: state for push, state in rows.items() if push in words}
        assert {push for push, state in rows.items() if state != "held"} <= words.keys()
        wechat = platforms.get("wechat", {"accepted": [], "over_quota": 0})
        theirs = oracle_notifier.platform_pushes(wechat["accepted"], TEXTS | MASS_CALLS)
        assert oracle_notifier.broken_promises(rows, theirs) == []
        assert wechat["over_quota"] == 0
        return Counter(rows.values())

    def check_sentiment(self, platforms: Mapping[str, Any]) -> None:
        """Each comment is one document; each incident has one id, and pages with its dedup key."""
        values = [r.value for r in self._logs["fan-events.v1"] if r.type == "CommentPosted"]
        comments = [one for one in self.documents["sentiment", "comments"] if one.get("account")]
        assert len(comments) == len(oracle_sentiment.comments_by_id(values))
        expected = oracle_sentiment.expected_incidents(values, lambda t: t.startswith(COMPLAINT))
        found = {
            account["_id"]: oracle_sentiment.Expected(one["people"], one["comments"])
            for account in self.documents["sentiment", "incidents"]
            for one in account["incidents"]
        }
        assert found == expected
        announced = [(r.type, r.value) for r in self._logs["incidents.v1"]]
        opened = [value["incident"] for kind, value in announced if kind == "IncidentOpened"]
        assert len(opened) == len(set(opened)) == len(expected)
        numbers = Counter((value["incident"], value["number"]) for _, value in announced)
        assert set(numbers.values()) <= {1}
        pages = self.documents["sentiment", "pages"]
        assert not [page for page in pages if page["state"] not in SETTLED_PAGES]
        if expected:
            alerts = platforms["pagerduty"]["accepted"]
            assert {alert["dedup_key"] for alert in alerts} == set(opened)
            assert platforms["wecom"]["accepted_calls"] >= len(opened)

    def _acknowledged(self) -> Iterator[tuple[str, ...]]:
        """What the sandbox was told is taken, from its books on the disk."""
        books = self._stack.folder / "books/books.ndjson"
        for line in books.read_text("utf-8").splitlines():
            entry = json.loads(line)
            if entry["entry"] != "webhook" or entry["verdict"] != "acknowledged":
                continue
            if entry["kind"] in _TYPES:
                kind = _TYPES[entry["kind"]]
                yield (kind, entry["fan"], str(entry["created_at"]), entry["key"])


_TYPES: Mapping[str, str] = {
    "text": "MessageReceived",
    "subscribe": "FanFollowed",
    "unsubscribe": "FanUnfollowed",
    "click": "MenuClicked",
    "view": "LinkViewed",
}
_KEYS: Mapping[str, str] = {
    "FanFollowed": "scene",
    "MenuClicked": "menu_key",
    "LinkViewed": "url",
}


def _fingerprint(record: Record) -> tuple[str, ...]:
    value = record.value
    fan = value.get("fan", "")
    key = value.get(_KEYS.get(record.type, ""), "")
    return (record.type, fan, str(value["occurred_at"] // 1000), str(key))


def _event(record: Record) -> Event:
    return EVENT_TYPES[record.type].model_validate_json(record.raw)
