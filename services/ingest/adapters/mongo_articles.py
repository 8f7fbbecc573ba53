"""Finds the articles that are due, in the store."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import ASCENDING

from services.ingest.handlers.articles import COLLECTION
from shared.store.client import Database
from shared.store.mongo import transient


class MongoArticleIndex:
    """See `services.ingest.ports.ArticleIndex`; knows the documents of `handlers.articles`."""

    def __init__(self, database: Database) -> None:
        self._collection = database[COLLECTION]

    async def prepare(self) -> None:
        """Create the index; call once before use."""
        with transient("creating an index"):
            await self._collection.create_index([("next_poll_at", ASCENDING)], name="next_poll_at")

    async def find_due(self, accounts: Sequence[str], now_ms: int, limit: int) -> Sequence[str]:
        """See the port. An article that was never read has no `next_poll_at`, and is due."""
        query = {
            "account": {"$in": list(accounts)},
            "$or": [{"next_poll_at": None}, {"next_poll_at": {"$lte": now_ms}}],
        }
        with transient("looking for articles"):
            cursor = self._collection.find(query, {"_id": 1})
            cursor = cursor.sort([("next_poll_at", ASCENDING)]).limit(limit)
            return [document["_id"] async for document in cursor]
