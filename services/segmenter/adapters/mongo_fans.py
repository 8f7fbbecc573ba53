"""Finds fans in MongoDB. The runner's writer alone changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING

from shared.store.client import Database
from shared.store.mongo import transient


class MongoFanIndex:
    """See `services.segmenter.ports.FanIndex`.

    A fan without anything due, or who left, has null there: a range finds numbers and texts only,
    so those fans are never looked at.
    """

    def __init__(self, database: Database, collection: str) -> None:
        self._fans = database[collection]

    async def prepare(self) -> None:
        """Create the indexes; call once before use."""
        with transient("creating an index"):
            for field in ("due", "rules", "tags.tag"):
                await self._fans.create_index([(field, ASCENDING)], name=f"by_{field}")

    async def due(self, until: int, limit: int, skip: int = 0) -> list[str]:
        """See the port."""
        query = {"due": {"$lte": until}}
        with transient("looking for fans that are due"):
            found = (
                self._fans.find(query, {"_id": 1}).sort("due", ASCENDING).skip(skip).limit(limit)
            )
            return [document["_id"] async for document in found]

    async def outdated(self, digest: str, limit: int) -> list[str]:
        """See the port."""
        with transient("looking for fans of other rules"):
            found = self._fans.find(_other_than(digest), {"_id": 1}).limit(limit)
            return [document["_id"] async for document in found]

    async def find(self, key: str) -> Mapping[str, Any] | None:
        """See the port."""
        with transient("reading a fan"):
            document: Mapping[str, Any] | None = await self._fans.find_one({"_id": key})
        return document

    async def count_by_tag(self, tags: Sequence[str]) -> dict[str, int]:
        """See the port."""
        with transient("counting fans"):
            return {tag: await self._fans.count_documents({"tags.tag": tag}) for tag in tags}

    async def count_outdated(self, digest: str) -> int:
        """See the port."""
        with transient("counting fans of other rules"):
            count: int = await self._fans.count_documents(_other_than(digest))
        return count


def _other_than(digest: str) -> dict[str, Any]:
    """Two ranges, which an index serves and which leave out null; `$ne` is neither."""
    return {"$or": [{"rules": {"$lt": digest}}, {"rules": {"$gt": digest}}]}
