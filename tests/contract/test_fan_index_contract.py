"""What every `FanIndex` answers: the one in memory, and MongoDB by both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.segmenter.adapters.mongo_fans import MongoFanIndex
from services.segmenter.domain.fan import NEVER, Fan, HeldTag
from services.segmenter.domain.record import dump_fan, load_fan
from services.segmenter.ports import FanIndex
from shared.errors import TransientError
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore
from shared.store.ports import GuardedStore, GuardedWrite
from shared.testing.memory_store import MemoryGuardedStore
from tests.support.segmenter_fakes import MemoryFanIndex

Parts = tuple[FanIndex, GuardedStore]


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def parts(request: pytest.FixtureRequest) -> AsyncIterator[Parts]:
    if request.param == "memory":
        store = MemoryGuardedStore()
        yield MemoryFanIndex(store), store
        return
    url = request.getfixturevalue("store")
    database = connect(url, request.getfixturevalue("database"), driver=request.param)
    index = MongoFanIndex(database, "fans")
    await index.prepare()
    yield index, MongoGuardedStore(database, "fans", loops=["segmenter"])
    await close(database)


def _fan(rules: str | None, **tags: int) -> Fan:
    fan = Fan(number=1, rules=rules, following=rules is not None)
    fan.hold({name: HeldTag(1, until, "v", "event", "c") for name, until in tags.items()})
    return fan


async def _keep(store: GuardedStore, fans: dict[str, Fan]) -> None:
    await store.write([GuardedWrite(key, 0, dump_fan(fan)) for key, fan in fans.items()])


async def test_due_are_those_whose_next_end_has_come_the_earliest_first(parts: Parts) -> None:
    index, store = parts
    at = 1_700_000_000_000
    await _keep(
        store,
        {
            "a": _fan("r", x=at + 2, y=at + 9),
            "b": _fan("r", x=at + 1),
            "c": _fan("r", x=at + 3),
            "never": _fan("r", x=NEVER),
            "none": _fan("r"),
            "left": _fan(None),
        },
    )
    assert await index.due(at, 10) == []
    assert await index.due(at + 2, 10) == ["b", "a"]
    assert await index.due(at + 10, 2) == ["b", "a"]
    assert await index.due(at + 10, 2, 1) == ["a", "c"]
    assert await index.due(at + 10, 2, 3) == []
    assert await index.due(NEVER - 1, 10) == ["b", "a", "c"]


async def test_outdated_are_those_of_other_rules_but_not_those_who_left(parts: Parts) -> None:
    index, store = parts
    await _keep(
        store,
        {"a": _fan("aaaa"), "b": _fan("bbbb"), "c": _fan("cccc"), "left": _fan(None)},
    )
    assert sorted(await index.outdated("bbbb", 10)) == ["a", "c"]
    assert len(await index.outdated("bbbb", 1)) == 1
    assert await index.count_outdated("bbbb") == 2
    assert sorted(await index.outdated("zzzz", 10)) == ["a", "b", "c"]


async def test_fans_of_each_tag_are_counted_also_of_a_tag_that_nobody_holds(parts: Parts) -> None:
    index, store = parts
    await _keep(
        store,
        {"a": _fan("r", 活跃=NEVER, x=5), "b": _fan("r", 活跃=NEVER), "left": _fan(None)},
    )
    assert await index.count_by_tag(["活跃", "x", "y"]) == {"活跃": 2, "x": 1, "y": 0}


async def test_a_fan_is_found_with_all_that_was_kept(parts: Parts) -> None:
    index, store = parts
    fan = _fan("r", 活跃=NEVER, x=1_700_000_000_000)
    fan.memory = {"k": (0, ((1_700_000_000_000, 2), (1_700_000_000_001, 1)))}
    fan.scene = "展会"
    await _keep(store, {"wechat:gh_1:o": fan})
    document = await index.find("wechat:gh_1:o")
    assert document is not None
    assert load_fan(document) == fan
    assert await index.find("wechat:gh_1:other") is None


async def test_a_store_that_does_not_answer_is_a_passing_failure() -> None:
    url = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50"
    database = connect(url, "none", driver="pymongo")
    index = MongoFanIndex(database, "fans")
    calls: list[Any] = [
        index.due(0, 1),
        index.outdated("", 1),
        index.find("a"),
        index.count_by_tag(["a"]),
        index.count_outdated(""),
        index.prepare(),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [TransientError] * len(calls)
    await close(database)
