"""What every store promises: the same suite on the fake, on motor and on PyMongo's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.errors import TransientError
from shared.store.client import Database, close, connect
from shared.store.mongo import MongoGuardedStore, MongoLeases, MongoPartitionBooks
from shared.store.ports import (
    GuardedStore,
    GuardedWrite,
    Leases,
    PartitionBook,
    PartitionBooks,
    owner_text,
)
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases, MemoryPartitionBooks

BOOK = ("group", "epoch", "topic.v1", 3)


class Stores:
    def __init__(self, documents: GuardedStore, books: PartitionBooks, leases: Leases) -> None:
        self.documents = documents
        self.books = books
        self.leases = leases
        self.database: Database | None = None

    async def counts(self) -> dict[str, int]:
        """What the one book that was kept has counted, as whoever adds it up reads it."""
        if isinstance(self.books, MemoryPartitionBooks):
            (found,) = self.books.books.values()
        else:
            assert self.database is not None
            found = await self.database["books"].find_one({}) or {}
        return {name: found[name] for name in ("skipped", "without_record")}


@pytest.fixture(params=["memory", "motor", "pymongo"])
async def stores(
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryGuardedStore(), MemoryPartitionBooks(), MemoryLeases())
        return
    url, name = request.getfixturevalue("store"), request.getfixturevalue("database")
    # A store on a busy machine may stand still longer than a service would wait for it.
    url += ("&" if "?" in url else "/?") + "serverSelectionTimeoutMS=20000"
    database = connect(url, name, driver=request.param)
    documents = MongoGuardedStore(database, "fans", loops=["events", "tags"])
    await documents.prepare()
    stores = Stores(documents, MongoPartitionBooks(database), MongoLeases(database))
    stores.database = database
    yield stores
    await close(database)


def loop_fields(owner: str | None = None, **fields: Any) -> dict[str, Any]:
    return {**fields, "l.events": {"at": [], "ids": [], "out": [], "own": owner}}


async def test_a_document_never_seen_is_inserted_at_version_one(stores: Stores) -> None:
    assert await stores.documents.write([GuardedWrite("a", 0, loop_fields(n=1))]) == set()
    found = await stores.documents.read(["a", "b"])
    assert set(found) == {"a"}
    assert (found["a"]["v"], found["a"]["n"]) == (1, 1)
    assert found["a"]["l"]["events"]["own"] is None


async def test_a_second_insert_of_the_same_document_loses(stores: Stores) -> None:
    await stores.documents.write([GuardedWrite("a", 0, loop_fields(n=1))])
    assert await stores.documents.write([GuardedWrite("a", 0, loop_fields(n=2))]) == {"a"}
    assert (await stores.documents.read(["a"]))["a"]["n"] == 1


async def test_a_write_at_an_old_version_loses_and_the_others_of_its_bulk_win(
    stores: Stores,
) -> None:
    ids = [f"d{n}" for n in range(250)]
    await stores.documents.write([GuardedWrite(i, 0, loop_fields(n=0)) for i in ids])
    await stores.documents.write([GuardedWrite("d7", 1, loop_fields(n=7))])
    lost = await stores.documents.write(
        [GuardedWrite(i, 1, loop_fields(n=1)) for i in ids]
        + [GuardedWrite("d9", 0, loop_fields(n=9)), GuardedWrite("new", 0, loop_fields(n=5))]
    )
    assert lost == {"d7", "d9"}
    found = await stores.documents.read([*ids, "new"])
    assert found["d7"]["n"] == 7
    assert found["new"]["n"] == 5
    assert all(found[i]["n"] == 1 and found[i]["v"] == 2 for i in ids if i != "d7")


async def test_an_update_of_a_document_that_is_not_there_loses_and_inserts_nothing(
    stores: Stores,
) -> None:
    assert await stores.documents.write([GuardedWrite("ghost", 4, loop_fields())]) == {"ghost"}
    assert await stores.documents.read(["ghost"]) == {}


async def test_a_write_leaves_the_fields_of_other_loops_alone(stores: Stores) -> None:
    await stores.documents.write([GuardedWrite("a", 0, loop_fields(mine=1))])
    other = {"theirs": 2, "l.tags": {"at": [], "ids": [], "out": [], "own": None}}
    await stores.documents.write([GuardedWrite("a", 1, other)])
    found = (await stores.documents.read(["a"]))["a"]
    assert (found["mine"], found["theirs"], found["v"]) == (1, 2, 2)
    assert set(found["l"]) == {"events", "tags"}


async def test_pending_finds_documents_by_the_partition_that_owns_them(stores: Stores) -> None:
    mine, none = owner_text("fan-events.v1", 3), owner_text("", -1)
    await stores.documents.write(
        [
            GuardedWrite("a", 0, loop_fields(mine)),
            GuardedWrite("b", 0, loop_fields(none)),
            GuardedWrite("c", 0, loop_fields()),
        ]
    )

    async def pending(partition: int) -> set[str]:
        return {
            d["_id"] async for d in stores.documents.pending("events", "fan-events.v1", [partition])
        }

    assert await pending(3) == {"a"}
    assert await pending(-1) == {"b"}
    assert await pending(4) == set()


async def test_what_would_pass_the_limit_is_told_before_it_is_written(stores: Stores) -> None:
    small = GuardedWrite("a", 0, loop_fields(text="x" * 1_000_000))
    large = GuardedWrite("b", 0, loop_fields(text="x" * 1_100_000))
    assert stores.documents.oversized([small, large]) == {"b"}


async def test_values_come_back_as_they_were_written(stores: Stores) -> None:
    fields = loop_fields(t="豆瓣 \U0001f600", b=b"\x00\xff", f=1.5, x=None, deep={"k": [1, "2"]})
    await stores.documents.write([GuardedWrite("a", 0, fields)])
    found = (await stores.documents.read(["a"]))["a"]
    assert {k: found[k] for k in ("t", "f", "x", "deep")} == {
        "t": "豆瓣 \U0001f600",
        "f": 1.5,
        "x": None,
        "deep": {"k": [1, "2"]},
    }
    assert bytes(found["b"]) == b"\x00\xff"


async def test_what_is_set_aside_is_noted_by_offset_until_it_is_dropped(stores: Stores) -> None:
    assert await stores.books.load_aside(*BOOK) == {}
    await stores.books.note_aside(*BOOK, add={7: "invalid_event", 12: "document_full"}, drop=[])
    await stores.books.note_aside(*BOOK, add={13: "handler_raised"}, drop=[7, 8])
    noted = {12: "document_full", 13: "handler_raised"}
    assert await stores.books.load_aside(*BOOK) == noted
    assert await stores.books.load_aside(*BOOK[:3], BOOK[3] + 1) == {}
    assert await stores.books.load(*BOOK) is None


async def test_books_add_up_and_refuse_a_count_from_an_old_position(stores: Stores) -> None:
    assert await stores.books.load(*BOOK) is None
    await stores.books.save(*BOOK, start=5, read=-1, upto=5)
    await stores.books.save(*BOOK, start=5, read=5, upto=9, skipped=3)
    await stores.books.save(*BOOK, start=5, read=9, upto=12, skipped=1, without_record=2)
    with pytest.raises(TransientError):
        await stores.books.save(*BOOK, start=5, read=5, upto=10, skipped=4)
    with pytest.raises(TransientError):
        await stores.books.save(*BOOK, start=5, read=-1, upto=10, skipped=4)
    assert await stores.books.load(*BOOK) == PartitionBook(12, 5)
    assert await stores.counts() == {"skipped": 4, "without_record": 2}


async def test_a_book_names_its_topic_once_the_log_has_told_its_id(stores: Stores) -> None:
    await stores.books.save(*BOOK, start=0, read=-1, upto=0)
    await stores.books.save(*BOOK, start=0, read=0, upto=0, topic_id="one")
    await stores.books.save(*BOOK, start=0, read=0, upto=3)
    assert await stores.books.load(*BOOK) == PartitionBook(3, 0, "one")


async def test_a_lease_has_one_holder_until_it_expires_or_is_given_back(stores: Stores) -> None:
    leases = stores.leases
    assert await leases.acquire("account", "one", 10, now=100.0)
    assert not await leases.acquire("account", "two", 10, now=105.0)
    assert await leases.acquire("account", "one", 10, now=105.0)
    assert not await leases.acquire("account", "two", 10, now=114.0)
    assert await leases.acquire("account", "two", 10, now=116.0)
    await leases.release("account", "one")
    assert not await leases.acquire("account", "one", 10, now=117.0)
    await leases.release("account", "two")
    assert await leases.acquire("account", "one", 10, now=118.0)
