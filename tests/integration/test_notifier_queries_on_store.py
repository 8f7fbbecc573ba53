"""The notifier's questions to the store: the real one answers as the fake does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from services.notifier.adapters.mongo_queries import (
    MongoCampaignQueries,
    MongoFanQueries,
    MongoPushQueries,
    MongoWaveQueries,
    prepare_indexes,
)
from services.notifier.domain import records
from services.notifier.domain.campaigns import Campaign, Content, ContentKind, Repeat
from services.notifier.domain.fan import Fan, FanTags
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.wave_record import WaveRecord
from shared.store.client import close, connect
from shared.store.mongo import MongoGuardedStore
from shared.store.ports import GuardedWrite
from shared.testing.memory_store import MemoryGuardedStore
from tests.support.notifier_fakes import (
    MemoryCampaignQueries,
    MemoryFanQueries,
    MemoryPushQueries,
    MemoryWaveQueries,
)

ACCOUNT = "wechat:brand"
CHANNELS = ("wechat_customer_message", "wechat_mass_send")
CONTENT = Content(ContentKind.TEXT, "你好")


def rows() -> list[Push]:
    return [
        Push(
            id=f"p{number:03}",
            campaign=f"c{number % 3}",
            account=ACCOUNT if number % 5 else "weibo:brand",
            fan=f"{ACCOUNT}:f{number % 7}",
            occurrence="once",
            channel=CHANNELS[number % 2],
            cause="x",
            cause_at=0,
            created_at=1_000 + number,
            state=list(PushState)[number % 7],
            reason=f"reason{number % 2}",
            not_before=number % 4 * 10,
            look_at=number % 6 * 100,
            deadline=number % 6 * 1_000 + number % 11,  # what is due sooner has the earlier one
            lane=("", "soon", "later")[number % 3],
            waits_for_fan=number % 3 == 0,
            called_at=number,
            attempt=f"a{number % 4}",
        )
        for number in range(150)
    ]


def campaigns() -> list[Campaign]:
    return [
        Campaign(
            id=f"c{number}",
            name="n",
            account=ACCOUNT,
            channel=CHANNELS[0],
            content=CONTENT,
            promotion=True,
            not_before=0,
            expires=1_000 + number % 2,
            repeat=Repeat.DAY,
            created_at=1,
            audience_tag="vip" if number % 2 else None,
            trigger_tag=None if number % 2 else f"t{number % 4}",
            cancelled=number % 5 == 0,
        )
        for number in range(20)
    ]


def waves() -> list[WaveRecord]:
    return [
        WaveRecord(f"w{n}", f"c{n % 2}", ACCOUNT, 2, 9 - n, 9, "accepted", "", "m", "a")
        for n in range(6)
    ]


def writes() -> dict[str, list[GuardedWrite]]:
    push, campaign = records.PushDocuments(), records.CampaignDocuments()
    wave, tags = records.WaveDocuments(), records.TagDocuments()
    fans = {
        f"{account}:f{n:02}": Fan(tags=FanTags(("vip", "x") if n % 3 else ("x",), 1))
        for account in (ACCOUNT, "wechat:brand2", "weibo:brand")
        for n in range(20)
    }
    return {
        records.PUSHES: [GuardedWrite(row.id, 0, push.dump(row)) for row in rows()],
        records.CAMPAIGNS: [GuardedWrite(one.id, 0, campaign.dump(one)) for one in campaigns()],
        records.WAVES: [GuardedWrite(one.id, 0, wave.dump(one)) for one in waves()],
        records.FANS: [GuardedWrite(key, 0, tags.dump(fan)) for key, fan in fans.items()],
    }


@pytest.fixture(params=["motor", "pymongo"])
async def database(request: pytest.FixtureRequest, store: str, database: str) -> AsyncIterator[Any]:
    driver: Literal["motor", "pymongo"] = request.param
    handle = connect(store, database, driver=driver)
    await prepare_indexes(handle)
    for collection, some in writes().items():
        assert not await MongoGuardedStore(handle, collection, loops=[]).write(some)
    yield handle
    await close(handle)


@pytest.fixture
async def memory() -> dict[str, MemoryGuardedStore]:
    stores = {}
    for collection, some in writes().items():
        stores[collection] = MemoryGuardedStore()
        assert not await stores[collection].write(some)
    return stores


def ids(found: list[Any]) -> list[str]:
    return sorted(one.id for one in found)


async def test_rows_are_found_alike(database: Any, memory: dict[str, MemoryGuardedStore]) -> None:
    real, fake = MongoPushQueries(database), MemoryPushQueries(memory[records.PUSHES])
    for limit in (3, 100):
        due = await real.due(ACCOUNT, CHANNELS[0], 250, limit)
        assert due == await fake.due(ACCOUNT, CHANNELS[0], 250, limit)
        assert due
        assert [one.state.deadline for one in due] == sorted(one.state.deadline for one in due)
    calling = await real.calling(ACCOUNT, CHANNELS[0], 90)
    assert ids(calling) == ids(await fake.calling(ACCOUNT, CHANNELS[0], 90))
    assert calling
    attempt = await real.of_attempt("a2")
    assert ids(attempt) == ids(await fake.of_attempt("a2"))
    assert attempt
    fans = [f"{ACCOUNT}:f{number}" for number in range(4)] * 40
    waiting = {one.state.id: one for one in await real.waiting_for_fans(fans)}
    assert waiting == {one.state.id: one for one in await fake.waiting_for_fans(fans)}
    assert waiting
    held = {one.state.id: one for one in await real.held_for(ACCOUNT, "reason1")}
    assert held == {one.state.id: one for one in await fake.held_for(ACCOUNT, "reason1")}
    assert held
    for until in (0, 99, 100, 250, 10_000):
        first = await real.first_look(ACCOUNT, until)
        assert first == await fake.first_look(ACCOUNT, until)
    assert first is not None
    assert await real.first_look("weibo:nobody", 10_000) is None
    counts = await real.counts("c1")
    assert counts == await fake.counts("c1")
    assert sum(one.pushes for one in counts) == 50
    assert await real.of_fan(fans[0], 5) == await fake.of_fan(fans[0], 5)


class Noted:
    """A collection that notes what it is asked."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.asked: list[dict[str, Any]] = []

    def find(self, query: dict[str, Any], *rest: Any) -> Any:
        self.asked.append(query)
        return self._collection.find(query, *rest)

    async def find_one(self, query: dict[str, Any], *rest: Any, **more: Any) -> Any:
        self.asked.append(query)
        return await self._collection.find_one(query, *rest, **more)


async def test_what_is_asked_again_and_again_reads_none_of_the_rows_that_wait_or_are_done(
    database: Any,
) -> None:
    """The embedded server reads all that matches its index, and everything where none does."""
    done = replace(rows()[1], account=ACCOUNT, channel=CHANNELS[0], reason="", fan=f"{ACCOUNT}:x")
    far = 10**12
    many = [
        replace(
            done,
            id=f"q{number:03}",
            state=PushState.HELD if number % 2 else PushState.SENT,
            lane=("", "soon", "", "later")[number % 4],
            look_at=far,
            deadline=far + 60_000,
        )
        for number in range(800)
    ]
    documents = records.PushDocuments()
    store = MongoGuardedStore(database, records.PUSHES, loops=[])
    assert not await store.write([GuardedWrite(row.id, 0, documents.dump(row)) for row in many])
    queries = MongoPushQueries(database)
    noted: Any = Noted(queries._rows)
    queries._rows = noted
    await queries.first_look(ACCOUNT, 250)
    await queries.due(ACCOUNT, CHANNELS[0], 250, 100)
    await queries.held_for(ACCOUNT, "waiting_for_a_second_fan")
    await queries.calling(ACCOUNT, CHANNELS[0], 90)
    assert len(noted.asked) == 6
    for query in noted.asked:
        found = await database.command(
            "explain", {"find": records.PUSHES, "filter": query}, verbosity="executionStats"
        )
        assert found["executionStats"]["totalDocsExamined"] <= 150, query


async def test_rows_of_an_older_version_are_found_alike(
    database: Any, memory: dict[str, MemoryGuardedStore]
) -> None:
    old = [row.id for row in rows()[::2]]
    for field in ("lane", "deadline", "tag_number"):
        await database[records.PUSHES].update_many({"_id": {"$in": old}}, {"$unset": {field: ""}})
        for name in old:
            del memory[records.PUSHES].documents[name][field]
    real, fake = MongoPushQueries(database), MemoryPushQueries(memory[records.PUSHES])
    found = await real.unqueued(ACCOUNT, CHANNELS[0], 250, 100)
    assert found
    assert set(found) <= set(old)
    assert sorted(found) == sorted(await fake.unqueued(ACCOUNT, CHANNELS[0], 250, 100))
    assert len(await real.unqueued(ACCOUNT, CHANNELS[0], 250, 2)) == 2
    assert not await real.unqueued("weibo:nobody", CHANNELS[0], 250, 100)


async def test_campaigns_waves_and_audiences_are_found_alike(
    database: Any, memory: dict[str, MemoryGuardedStore]
) -> None:
    real = MongoCampaignQueries(database)
    fake = MemoryCampaignQueries(memory[records.CAMPAIGNS])
    triggered = await real.triggered_by(["t0", "t9"])
    assert ids(triggered) == ids(await fake.triggered_by(["t0", "t9"]))
    assert triggered
    assert ids(await real.with_audience(1_000)) == ids(await fake.with_audience(1_000)) != []
    assert await real.page("c1", 4) == await fake.page("c1", 4)
    found = await MongoWaveQueries(database).of_campaign("c1")
    assert found == await MemoryWaveQueries(memory[records.WAVES]).of_campaign("c1")
    fans, fake_fans = MongoFanQueries(database), MemoryFanQueries(memory[records.FANS])
    first = await fans.with_tag(ACCOUNT, "vip", "", 7)
    assert first == await fake_fans.with_tag(ACCOUNT, "vip", "", 7)
    assert len(first) == 7
    rest = await fans.with_tag(ACCOUNT, "vip", first[-1], 100)
    assert rest == await fake_fans.with_tag(ACCOUNT, "vip", first[-1], 100)
    assert all(key.startswith("wechat:brand:") for key in rest)
