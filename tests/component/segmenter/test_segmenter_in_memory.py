"""The segmenter on the in-memory log and store: records in, documents and announcements out."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmenter.domain.rules_file import parse_rules
from services.segmenter.domain.tagging import expiry_cause, rules_cause
from services.segmenter.handlers import TagHandler
from services.segmenter.loops import LEASE, ClockSettings, FanClock
from shared.events import (
    CommentPosted,
    Event,
    FanFollowed,
    FanUnfollowed,
    MassSendFinished,
    MessageReceived,
    TagAssigned,
    TagEvent,
    TagRemoved,
    effect_id,
)
from shared.events.envelope import from_headers
from shared.kafka.runner import Runner
from shared.testing.memory_log import MemoryPublisher, feed
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver
from tests.support.fan_histories import KEY, RULES_TEXT, START, WHO, histories
from tests.support.oracle_segmenter import expected_changes, expected_tags
from tests.support.segmenter_fakes import MemoryFanIndex, MemoryPartitions, RecordingNotes

RULES = yaml.safe_load(RULES_TEXT)["tags"]
BOOK = parse_rules(RULES_TEXT, "tags.yaml")
TAGS = "tag-changes.v1"


class Bench:
    """A segmenter with everything around it in memory."""

    def __init__(self, rules: str = RULES_TEXT) -> None:
        self.store = MemoryGuardedStore()
        self.publisher = MemoryPublisher()
        self.notes = RecordingNotes()
        self.handler = TagHandler(parse_rules(rules, "tags.yaml"), self.notes)
        self.index = MemoryFanIndex(self.store)
        self.leases = MemoryLeases()
        self.observer = SilentObserver()
        self.now = START
        self.partitions = MemoryPartitions()
        self.fed = 0

    async def feed(self, events: Sequence[Event], batch: int = 5_000) -> None:
        pairs = [(f"id-{self.fed + n}", event) for n, event in enumerate(events)]
        self.fed += len(pairs)
        # Each feed is a new log in memory; its offsets must lie above those applied already.
        for document in self.store.documents.values():
            document["l"]["segmenter"]["at"] = []
        await feed(self.handler, self.store, self.publisher, pairs, batch=batch)

    def clock(self, **settings: Any) -> tuple[FanClock, Runner[Any]]:
        runner: Runner[Any] = Runner(
            self.handler,
            self.store,
            MemoryPartitionBooks(),
            self.publisher,
            observer=self.observer,
            service="segmenter",
            topic="fan-events.v1",
            epoch="memory",
        )
        clock = FanClock(
            self.handler,
            runner.writer,
            self.index,
            self.partitions,
            self.leases,
            holder="me",
            now=lambda: self.now,
            notes=self.notes,
            observer=self.observer,
            group="segmenter.fan-events.v1",
            settings=ClockSettings(**{"grace_ms": 0, **settings}),
        )
        return clock, runner

    async def tick(self, **settings: Any) -> int:
        clock, runner = self.clock(**settings)
        changed = await clock.tick()
        await runner.writer.stop()
        return changed

    def tags(self, key: str = KEY) -> set[str]:
        return {tag["tag"] for tag in self.store.documents[key]["tags"]}

    def announced(self) -> list[TagEvent]:
        """What a consumer applies: a runner made anew announces again what lies in the outbox."""
        kinds: dict[str, type[TagEvent]] = {"TagAssigned": TagAssigned, "TagRemoved": TagRemoved}
        first = {from_headers(record.headers).id: record for record in self.publisher.of(TAGS)}
        return [
            kinds[from_headers(record.headers).type].model_validate_json(record.value or b"")
            for record in first.values()
        ]

    def ids(self) -> list[str]:
        return list(dict.fromkeys(self.publisher.ids(TAGS)))


def _follow(at: int = 0, scene: str = "", fan: str = "openid-1") -> FanFollowed:
    return FanFollowed(scene=scene, **WHO | {"fan": fan, "occurred_at": START + at})


def _says(text: str, at: int = 0, fan: str = "openid-1") -> MessageReceived:
    who = WHO | {"fan": fan, "occurred_at": START + at}
    return MessageReceived(message_type="text", text=text, **who)


def _unfollow(at: int) -> FanUnfollowed:
    return FanUnfollowed(**WHO | {"occurred_at": START + at})


@given(histories(size=25), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
async def test_one_batch_and_many_give_the_same_documents_and_announcements(
    history: list[Event], size: int
) -> None:
    at_once, in_parts = Bench(), Bench()
    await at_once.feed(history)
    await in_parts.feed(history, batch=size)
    assert in_parts.publisher.ids(TAGS) == at_once.publisher.ids(TAGS)
    assert in_parts.announced() == at_once.announced()
    assert in_parts.tags() == at_once.tags() == expected_tags(history, RULES)[KEY]
    assert len(at_once.announced()) == len(expected_changes(history, RULES)[KEY])


async def test_every_change_is_announced_once_although_every_record_comes_twice() -> None:
    bench = Bench()
    history = [
        _follow(scene="store-1"),
        _says("退款", 1_000),
        _says("退款", 20_000),
        _unfollow(30_000),
    ]
    pairs = [(f"id-{n}", event) for n, event in enumerate(history) for _ in range(2)]
    await feed(bench.handler, bench.store, bench.publisher, pairs)
    ids = bench.publisher.ids(TAGS)
    assert len(ids) == len(set(ids)) == len(expected_changes(history, RULES)[KEY]) == 6


async def test_the_id_of_what_time_did_is_the_same_whoever_noticed_it() -> None:
    by_event, by_clock = Bench(), Bench()
    await by_event.feed([_says("退款"), _says("你好", 60_000)])
    await by_clock.feed([_says("退款")])
    by_clock.now = START + 30_000
    await by_clock.tick()
    await by_clock.feed([_says("你好", 60_000)])
    assert by_event.ids() == by_clock.ids()
    assert by_event.announced() == by_clock.announced()
    cause = expiry_cause(KEY, "refund", START + 12_000)
    assert by_event.ids()[1] == effect_id(cause, "TagRemoved", KEY, 0)


async def test_a_tag_falls_by_time_alone_at_the_instant_of_its_end() -> None:
    bench = Bench()
    await bench.feed([_says("退款")])
    bench.now = START + 11_999
    assert await bench.tick() == 0
    bench.now = START + 12_000
    assert await bench.tick() == 1
    fallen = bench.announced()[-1]
    assert (type(fallen), fallen.because, fallen.occurred_at) == (
        TagRemoved,
        "time",
        START + 12_000,
    )
    assert (fallen.tags, fallen.number) == ((), 2)
    assert await bench.tick() == 0
    assert bench.store.documents[KEY]["due"] is None


async def test_a_tag_outlives_its_end_by_the_grace() -> None:
    bench = Bench()
    await bench.feed([_says("退款")])
    bench.now = START + 16_999
    assert await bench.tick(grace_ms=5_000) == 0
    bench.now = START + 17_000
    assert await bench.tick(grace_ms=5_000) == 1


async def test_no_tag_falls_by_the_clock_while_the_log_has_records_left() -> None:
    bench = Bench()
    await bench.feed([_says("退款")])
    bench.now = START + 60_000
    bench.partitions.own[0] = False
    assert await bench.tick() == 0
    assert bench.tags() == {"refund"}
    bench.partitions.own[0] = True
    assert await bench.tick() == 1


async def test_an_examination_while_the_log_has_records_left_lets_no_time_pass() -> None:
    bench = Bench()
    await bench.feed([_says("退款")])
    bench.handler.use(parse_rules(RULES_TEXT + "  - {tag: new, kind: keywords, any_of: [新]}", "t"))
    bench.now = START + 60_000
    bench.partitions.own[0] = False
    assert await bench.tick() == 1
    assert bench.tags() == {"refund"}
    assert len(bench.announced()) == 1


async def test_an_examination_does_not_give_again_what_had_run_out() -> None:
    bench = Bench()
    await bench.feed([_says("退款"), _says("你好", 60_000)])
    bench.handler.use(parse_rules(RULES_TEXT + "  - {tag: new, kind: keywords, any_of: [新]}", "t"))
    bench.partitions.own[0] = False
    assert await bench.tick() == 1
    assert bench.tags() == set()
    assert len(bench.announced()) == 2


async def test_a_wrong_clock_ahead_of_ours_does_not_spoil_the_fan() -> None:
    bench = Bench()
    bench.handler = TagHandler(BOOK, bench.notes, lambda: START)
    year = 365 * 86_400_000
    await bench.feed([_says("退款"), _says("你好", year), _says("退款", 2_000)])
    assert bench.store.documents[KEY]["clock"] == START + 600_000
    bench.handler = TagHandler(BOOK, bench.notes, lambda: START + 700_000)
    await bench.feed([_says("退款", 700_000)])
    assert bench.tags() == {"refund"}


async def test_a_process_without_partitions_leaves_the_clock_to_others() -> None:
    bench = Bench()
    await bench.feed([_says("退款")])
    bench.now = START + 60_000
    bench.partitions.own.clear()
    assert await bench.tick() == 0
    assert not bench.leases.leases


async def test_only_the_holder_of_the_lease_examines_fans() -> None:
    bench = Bench()
    await bench.feed([_follow(0, "store-7")])
    bench.handler.use(parse_rules("tags: [{tag: shop, kind: source_scene, prefix: store-}]", "t"))
    await bench.leases.acquire(LEASE, "another", 15.0, bench.now / 1000)
    assert await bench.tick() == 0
    bench.now += 16_000
    assert await bench.tick() == 1
    assert bench.tags() == {"shop"}


async def test_only_the_reader_of_the_fans_partition_lets_time_pass_for_the_fan() -> None:
    bench = Bench()
    await bench.feed([_says("退款", fan=f"f{n}") for n in range(6)])
    bench.now = START + 60_000
    bench.partitions = MemoryPartitions({1: True, 2: False}, of=lambda key: int(key[-1]) % 3)
    assert await bench.tick() == 2
    fallen = {change.fan for change in bench.announced()[6:]}
    assert fallen == {"f1", "f4"}, "f0 and f3 are another process's, f2 and f5 wait for records"
    assert await bench.tick() == 0
    bench.partitions.own[2] = True
    assert await bench.tick() == 2


async def test_how_far_a_partition_is_read_is_asked_once_a_look_and_only_if_fans_are_due() -> None:
    bench = Bench()
    await bench.feed([_says("退款", fan=f"f{n}") for n in range(9)])
    bench.partitions = MemoryPartitions({0: True, 1: True}, of=lambda key: int(key[-1]) % 3)
    assert await bench.tick() == 0
    assert bench.partitions.asked == []
    bench.now = START + 60_000
    await bench.tick(batch=100)
    assert bench.partitions.asked == [{0, 1}]


@pytest.mark.parametrize("waiting", [{0: True, 1: False}, {0: True}])
async def test_fans_who_must_wait_or_are_others_never_hide_those_who_may_fall(
    waiting: dict[int, bool],
) -> None:
    bench = Bench()
    many = [_says("退款", n, fan=f"b{n}") for n in range(50)]
    ours = [_says("退款", 100 + n, fan=f"a{n}") for n in range(5)]
    await bench.feed([*many, *ours])
    bench.now = START + 60_000
    bench.partitions = MemoryPartitions(waiting, of=lambda key: int(key.split(":")[2][0] == "b"))
    clock, runner = bench.clock(batch=2)
    for _ in range(20):
        await clock.tick()
    assert {key for key in bench.store.documents if bench.tags(key)} == {one.key for one in many}
    bench.partitions.own[1] = True
    for _ in range(40):
        await clock.tick()
    await runner.writer.stop()
    assert len(bench.announced()) == 110


async def test_many_fallen_tags_are_taken_in_batches_the_earliest_first() -> None:
    bench = Bench()
    await bench.feed([_says("退款", 1_000 * n, fan=f"f{n}") for n in range(10)])
    bench.now = START + 60_000
    assert await bench.tick(batch=4) == 4
    assert [change.fan for change in bench.announced()[10:]] == ["f0", "f1", "f2", "f3"]
    assert [await bench.tick(batch=4) for _ in range(3)] == [4, 2, 0]


async def test_after_the_rules_changed_every_fan_is_examined_in_bounded_batches() -> None:
    bench = Bench()
    await bench.feed(
        [_follow(n, "store-7" if n % 2 else "", fan=f"f{n}") for n in range(9)]
        + [_says("价格", 100, fan="f0")]
    )
    changed = """
tags:
  - {tag: asked, kind: keywords, any_of: [发票]}
  - {tag: shop, kind: source_scene, prefix: store-}
"""
    book = parse_rules(changed, "tags.yaml")
    bench.handler.use(book)
    bench.now = START + 5_000
    before = len(bench.announced())
    assert [await bench.tick(batch=4) for _ in range(4)] == [4, 4, 1, 0]
    assert bench.notes.fans_examined == 9
    assert bench.tags("wechat:gh_1:f1") == {"shop"}
    assert bench.tags("wechat:gh_1:f0") == set()
    changes = bench.announced()[before:]
    assert {change.because for change in changes} == {"rule_changed"}
    assert all(change.cause == rules_cause(book.digest, change.key) for change in changes)
    assert {d["rules"] for d in bench.store.documents.values()} == {book.digest}
    assert len(bench.ids()) == len(bench.announced()) == before + len(changes)


async def test_a_fan_who_acts_before_the_examination_is_examined_by_that_event() -> None:
    bench = Bench()
    await bench.feed([_follow(0, "store-7")])
    book = parse_rules("tags: [{tag: shop, kind: source_scene, prefix: store-}]", "tags.yaml")
    bench.handler.use(book)
    await bench.feed([_says("你好", 1_000)])
    assert bench.tags() == {"shop"}
    assert [(c.tag, c.because) for c in bench.announced()] == [
        ("store", "event"),
        ("store", "rule_changed"),
        ("shop", "rule_changed"),
    ]
    bench.now = START + 5_000
    assert await bench.tick() == 0


async def test_an_unfollow_that_comes_after_a_newer_follow_changes_nothing() -> None:
    bench = Bench()
    await bench.feed([_follow(2_000, "store-1"), _unfollow(1_000)])
    assert [(type(c).__name__, c.tag) for c in bench.announced()] == [("TagAssigned", "store")]
    assert bench.store.documents[KEY]["following"] is True


async def test_an_unfollow_removes_all_tags_and_leaves_nothing_personal() -> None:
    bench = Bench()
    await bench.feed([_follow(0, "store-1"), _says("我要退款，电话13800000000", 1), _unfollow(2)])
    assert [(c.tag, c.because, c.tags) for c in bench.announced()[2:]] == [
        ("refund", "unfollowed", ("store",)),
        ("store", "unfollowed", ()),
    ]
    document = {n: v for n, v in bench.store.documents[KEY].items() if n not in {"_id", "v", "l"}}
    assert document == {
        "number": 4,
        "clock": START + 2,
        "following": False,
        "first_seen": None,
        "followed_at": None,
        "scene": "",
        "scene_at": 0,
        "rules": None,
        "memory": {},
        "tags": [],
        "due": None,
    }
    assert "1380" not in json.dumps(bench.store.documents[KEY], default=str)
    bench.handler.use(parse_rules("tags: []", "tags.yaml"))
    bench.now = START + 10**9
    assert await bench.tick() == 0


async def test_what_arrives_for_one_who_left_changes_nothing_and_a_follow_starts_afresh() -> None:
    bench = Bench()
    await bench.feed([_follow(0, "store-1"), _unfollow(10_000)])
    await bench.feed([_says("退款", 9_000), _says("退款", 11_000), _follow(5_000, "expo")])
    assert bench.store.documents[KEY]["first_seen"] is None
    assert bench.tags() == set()
    await bench.feed([_follow(12_000, "expo")])
    assert bench.tags() == {"expo"}
    assert bench.announced()[-1].number == 3
    assert bench.store.documents[KEY]["first_seen"] == START + 12_000


async def test_what_says_nothing_of_a_fan_is_skipped() -> None:
    bench = Bench()
    nameless = CommentPosted(
        platform="wechat", account="gh_1", authenticated_by="poller", article="a",
        comment_id="1", text="好", occurred_at=START,
    )  # fmt: skip
    account = MassSendFinished(
        platform="wechat", account="gh_1", authenticated_by="wechat_safe", message_id="1",
        status="send success", occurred_at=START,
    )  # fmt: skip
    await bench.feed([nameless, account])
    assert bench.store.documents == {}


async def test_many_fans_at_once_have_the_tags_of_the_sequential_model() -> None:
    bench = Bench()
    chance = random.Random(7)
    words = ["退款", "价格", "你好"]
    events: list[Event] = [_follow(n, "store-1", fan=f"f{n % 50}") for n in range(50)]
    at = 1_000
    for _ in range(500):
        at += chance.randrange(3_000)
        events.append(_says(chance.choice(words), at, fan=f"f{chance.randrange(50)}"))
    await bench.feed(events, batch=37)
    expected = expected_tags(events, RULES)
    assert {key: bench.tags(key) for key in bench.store.documents} == expected
    assert len(bench.announced()) == sum(map(len, expected_changes(events, RULES).values()))


async def test_a_fan_whose_state_cannot_be_decided_does_not_hold_up_the_others() -> None:
    bench = Bench()
    await bench.feed([_says("退款", n, fan=f"f{n}") for n in range(3)])
    del bench.store.documents["wechat:gh_1:f1"]["tags"][0]["cause"]
    bench.now = START + 60_000
    await bench.tick()
    assert bench.tags("wechat:gh_1:f0") == bench.tags("wechat:gh_1:f2") == set()
    assert bench.observer.failures == [("clock_fan", "KeyError")]
