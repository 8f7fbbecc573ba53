"""Scored comments and the accounts' bells on MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, UpdateOne

from services.sentiment.domain.incidents.comments import NegativeComment, left_id
from services.sentiment.domain.incidents.usual import MINUTE_MS
from shared.store.client import Database
from shared.store.mongo import transient

MOST_COMMENTS = 20_000
"""Read at once; far beyond what makes an incident."""


class MongoCommentBook:
    """See `services.sentiment.ports.CommentBook`."""

    def __init__(self, database: Database, collection: str) -> None:
        self._collection = database[collection]

    async def prepare(self) -> None:
        """Create the indexes; call once before use."""
        with transient("creating an index"):
            await self._collection.create_index(
                [("account", ASCENDING), ("negative", ASCENDING), ("at", ASCENDING)],
                name="by_account",
            )
            await self._collection.create_index([("author", ASCENDING)], name="by_author")
            await self._collection.create_index(
                [("at", ASCENDING)],
                name="with_text",
                partialFilterExpression={"text": {"$gt": ""}},
            )

    async def negatives(self, account: str, since: int, until: int) -> list[NegativeComment]:
        """See the port."""
        query = {"account": account, "negative": True, "at": {"$gte": since, "$lt": until}}
        fields = dict.fromkeys(("at", "author", "subject", "severity", "fingerprint", "trace"), 1)
        with transient("reading comments"):
            cursor = self._collection.find(query, fields).sort("at", DESCENDING)
            return [_negative(found) async for found in cursor.limit(MOST_COMMENTS)]

    async def others(self, account: str, since: int, until: int) -> dict[int, int]:
        """See the port."""
        minute = {"$subtract": ["$at", {"$mod": ["$at", MINUTE_MS]}]}
        steps: list[dict[str, Any]] = [
            {
                "$match": {
                    "account": account,
                    "negative": False,
                    "at": {"$gte": since, "$lt": until},
                }
            },
            {"$group": {"_id": minute, "comments": {"$sum": 1}}},
        ]
        with transient("counting comments"):
            cursor = self._collection.aggregate(steps)
            if hasattr(cursor, "__await__"):  # PyMongo's own client answers a coroutine
                cursor = await cursor
            return {int(found["_id"]): found["comments"] async for found in cursor}

    async def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """See the port."""
        with transient("reading comments"):
            cursor = self._collection.find({"_id": {"$in": list(ids)}}, {"text": 1})
            return {found["_id"]: found["text"] async for found in cursor if found.get("text")}

    async def first_at(self, account: str) -> int | None:
        """See the port."""
        oldest: list[int] = []
        with transient("reading comments"):
            for negative in (False, True):  # each is one step in the index
                found = await self._collection.find_one(
                    {"account": account, "negative": negative},
                    {"at": 1},
                    sort=[("at", ASCENDING)],
                )
                if found:
                    oldest.append(found["at"])
        return min(oldest, default=None)

    async def forget_left(self, authors: Collection[str]) -> None:
        """See the port."""
        with transient("erasing comments"):
            left = self._collection.find({"_id": {"$in": [left_id(one) for one in authors]}})
            async for found in left:
                await self._collection.update_many(
                    {
                        "author": found["author"],
                        "at": {"$lte": found["at"]},
                        "text": {"$gt": ""},
                    },
                    {"$set": {"text": ""}, "$inc": {"v": 1}},
                )

    async def forget_texts(self, before: int) -> None:
        """See the port."""
        with transient("erasing comments"):
            await self._collection.update_many(
                {"at": {"$lt": before}, "text": {"$gt": ""}},
                {"$set": {"text": ""}, "$inc": {"v": 1}},
            )


class MongoCounters:
    """See `services.sentiment.ports.Counters`."""

    def __init__(self, database: Database) -> None:
        self._collection = database["counters"]

    async def raise_by(self, counts: Mapping[str, int]) -> None:
        """See the port."""
        operations = [
            UpdateOne({"_id": account}, {"$inc": {"comments": count}}, upsert=True)
            for account, count in counts.items()
        ]
        with transient("ringing the bell of an account"):
            await self._collection.bulk_write(operations, ordered=False)

    async def all(self) -> dict[str, int]:
        """See the port."""
        with transient("reading the bells"):
            return {found["_id"]: found["comments"] async for found in self._collection.find({})}


def _negative(found: Mapping[str, Any]) -> NegativeComment:
    return NegativeComment(
        id=found["_id"],
        at=found["at"],
        author=found["author"],
        subject=found["subject"],
        severity=found["severity"],
        fingerprint=found["fingerprint"],
        trace=found.get("trace", ""),
    )
