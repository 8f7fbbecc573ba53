"""Guarded documents, books and leases on MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from shared.errors import TransientError
from shared.store.client import Database
from shared.store.ports import DOCUMENT_LIMIT_BYTES, GuardedWrite, PartitionBook, owner_text

READ_AT_ONCE = 100
"""Ids in one `$in`: the embedded server takes quadratic time in them."""
DUPLICATE_KEY = 11000
_NOT_LET_IN = frozenset({13, 18})  # Unauthorized, AuthenticationFailed
_REFUSED_BEFORE = "AuthenticationFailed"  # after the first time, the driver finds no server at all
VERSION = "v"
TOKEN = "w"  # noqa: S105 -- a field's name
"""Names the write that made this version, so that an unclear bulk can be told apart."""


@contextmanager
def transient(doing: str) -> Iterator[None]:
    """Turn the driver's errors into ours; theirs may quote documents."""
    try:
        yield
    except PyMongoError as error:
        raise TransientError(f"the store failed while {doing}: {_kind(error)}") from None


def _kind(error: PyMongoError) -> str:
    """What failed, in words that quote nothing."""
    is_refused = isinstance(error, OperationFailure) and error.code in _NOT_LET_IN
    if is_refused or _REFUSED_BEFORE in str(error):
        return "it refuses this user or password; check FAN_MONGODB_URL and the user's roles"
    return type(error).__name__


class MongoGuardedStore:
    """One collection of guarded documents; see `shared.store.ports.GuardedStore`.

    Args:
        database: from `shared.store.client.connect`.
        collection: its name.
        loops: the loops that write here, for the index that `pending` uses.
    """

    def __init__(self, database: Database, collection: str, *, loops: Sequence[str]) -> None:
        self._collection = database[collection]
        self._loops = tuple(loops)

    async def prepare(self) -> None:
        """Create the indexes; call once before use."""
        with transient("creating an index"):
            for loop in self._loops:
                field = f"l.{loop}.own"
                await self._collection.create_index(
                    [(field, ASCENDING)],
                    name=f"pending_{loop}",
                    partialFilterExpression={field: {"$type": "string"}},
                )

    async def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See the port."""
        found: dict[str, dict[str, Any]] = {}
        with transient("reading documents"):
            for first in range(0, len(ids), READ_AT_ONCE):
                some = list(ids[first : first + READ_AT_ONCE])
                wanted: Any = some[0] if len(some) == 1 else {"$in": some}
                async for document in self._collection.find({"_id": wanted}):
                    found[document["_id"]] = document
        return found

    def oversized(self, writes: Sequence[GuardedWrite]) -> set[str]:
        """See the port."""
        token = bson.ObjectId()
        for write in writes:
            write.encoded = _encode(write, token)
        return {w.id for w in writes if len(w.encoded[1]) > DOCUMENT_LIMIT_BYTES}

    async def write(self, writes: Sequence[GuardedWrite]) -> set[str]:
        """See the port."""
        if any(write.encoded is None for write in writes):
            self.oversized(writes)
        operations = [_operation(write) for write in writes]
        inserts = sum(write.read_version == 0 for write in writes)
        lost: set[str] = set()
        with transient("writing documents"):
            try:
                result = await self._collection.bulk_write(operations, ordered=False)
                matched = result.matched_count
            except BulkWriteError as error:
                details = error.details
                for failure in details["writeErrors"]:
                    if failure["code"] != DUPLICATE_KEY:
                        raise
                    lost.add(writes[failure["index"]].id)
                if details.get("writeConcernErrors"):
                    raise
                matched = details["nMatched"]
            if matched < len(writes) - inserts:
                lost |= await self._losers([write for write in writes if write.read_version])
        return lost

    async def _losers(self, updates: Sequence[GuardedWrite]) -> set[str]:
        """Which updates did not happen: the answer to a bulk only counts them."""
        won: set[str] = set()
        tokens = list({write.encoded[0] for write in updates})
        for first in range(0, len(updates), READ_AT_ONCE):
            ids = [write.id for write in updates[first : first + READ_AT_ONCE]]
            query = {"_id": {"$in": ids}, TOKEN: {"$in": tokens}}
            async for document in self._collection.find(query, {"_id": 1}):
                won.add(document["_id"])
        return {write.id for write in updates} - won

    async def pending(
        self, loop: str, topic: str, partitions: Sequence[int]
    ) -> AsyncIterator[dict[str, Any]]:
        """See the port."""
        owners = [owner_text(topic, number) for number in partitions]
        with transient("looking for announcements"):
            async for document in self._collection.find({f"l.{loop}.own": {"$in": owners}}):
                yield document


def _encode(write: GuardedWrite, token: bson.ObjectId) -> tuple[bson.ObjectId, bytes]:
    """BSON of what is set, made once: it is weighed and then sent as it is."""
    fields: dict[str, Any] = {VERSION: write.read_version + 1, TOKEN: token}
    if write.read_version:
        fields.update(write.fields)
        return token, bson.encode(fields)
    fields["_id"] = write.id
    for name, value in write.fields.items():
        outer, _, inner = name.partition(".")
        if inner:
            fields.setdefault(outer, {})[inner] = value
        else:
            fields[name] = value
    return token, bson.encode(fields)


def _operation(write: GuardedWrite) -> InsertOne[Any] | UpdateOne:
    raw: RawBSONDocument = RawBSONDocument(write.encoded[1])
    if write.read_version == 0:
        return InsertOne(raw)
    return UpdateOne({"_id": write.id, VERSION: write.read_version}, {"$set": raw})


class MongoPartitionBooks:
    """See `shared.store.ports.PartitionBooks`."""

    def __init__(self, database: Database) -> None:
        self._collection = database["books"]
        self._aside = database["set_aside"]

    async def load(
        self, group: str, epoch: str, topic: str, partition: int
    ) -> PartitionBook | None:
        """See the port."""
        with transient("reading the books"):
            found = await self._collection.find_one(
                {"_id": _book_id(group, epoch, topic, partition)}
            )
        if found is None:
            return None
        return PartitionBook(found["upto"], found["start"], found.get("topic_id", ""))

    async def save(
        self,
        group: str,
        epoch: str,
        topic: str,
        partition: int,
        *,
        start: int,
        read: int,
        upto: int,
        skipped: int = 0,
        without_record: int = 0,
        topic_id: str = "",
    ) -> None:
        """See the port."""
        book = _book_id(group, epoch, topic, partition)
        with transient("writing the books"):
            if read < 0:
                try:
                    await self._collection.insert_one(
                        {
                            "_id": book,
                            "group": group,
                            "epoch": epoch,
                            "topic": topic,
                            "partition": partition,
                            "start": start,
                            "upto": upto,
                            "skipped": skipped,
                            "without_record": without_record,
                            "topic_id": topic_id,
                        }
                    )
                except DuplicateKeyError:
                    raise TransientError("another process keeps these books") from None
                return
            named = {"topic_id": topic_id} if topic_id else {}
            result = await self._collection.update_one(
                {"_id": book, "upto": read},
                {
                    "$set": {"upto": upto, **named},
                    "$inc": {"skipped": skipped, "without_record": without_record},
                },
            )
        if not result.matched_count:
            raise TransientError("another process keeps these books")

    async def load_aside(
        self, group: str, epoch: str, topic: str, partition: int
    ) -> dict[int, str]:
        """See the port."""
        with transient("reading what was set aside"):
            found = await self._aside.find_one({"_id": _book_id(group, epoch, topic, partition)})
        return {int(offset): reason for offset, reason in found["reasons"].items()} if found else {}

    async def note_aside(
        self,
        group: str,
        epoch: str,
        topic: str,
        partition: int,
        *,
        add: Mapping[int, str],
        drop: Collection[int],
    ) -> None:
        """See the port."""
        change: dict[str, Any] = {"$set": {f"reasons.{offset}": add[offset] for offset in add}}
        if drop:
            change["$unset"] = {f"reasons.{offset}": "" for offset in drop}
        with transient("noting what is set aside"):
            await self._aside.update_one(
                {"_id": _book_id(group, epoch, topic, partition)}, change, upsert=True
            )


def _book_id(group: str, epoch: str, topic: str, partition: int) -> str:
    return f"{group}|{epoch}|{topic}|{partition}"


class MongoLeases:
    """See `shared.store.ports.Leases`; expiry is by the callers' clock."""

    def __init__(self, database: Database) -> None:
        self._collection = database["leases"]

    async def acquire(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """See the port."""
        fields = {"holder": holder, "until": now + seconds, "seen": datetime.now(UTC)}
        with transient("taking a lease"):
            result = await self._collection.update_one(
                {"_id": name, "$or": [{"holder": holder}, {"until": {"$lt": now}}]},
                {"$set": fields},
            )
            if result.matched_count:
                return True
            try:
                await self._collection.insert_one({"_id": name, **fields})
            except DuplicateKeyError:
                return False
        return True

    async def release(self, name: str, holder: str) -> None:
        """See the port."""
        with transient("giving a lease back"):
            await self._collection.update_one(
                {"_id": name, "holder": holder}, {"$set": {"until": 0.0}}
            )
