"""Queries over the rows of pages on MongoDB."""

from __future__ import annotations

from pymongo import ASCENDING, DESCENDING

from services.sentiment.domain.documents import load_page
from services.sentiment.domain.paging.pages import Page
from shared.store.client import Database
from shared.store.mongo import transient

URGENCY = [("action", DESCENDING), ("next_at", ASCENDING)]
"""Triggers before resolves and acknowledgements, by the alphabet; then the longest due."""


class MongoPageRows:
    """See `services.sentiment.ports.PageRows`."""

    def __init__(self, database: Database, collection: str) -> None:
        self._collection = database[collection]

    async def prepare(self) -> None:
        """Create the indexes; call once before use."""
        with transient("creating an index"):
            await self._collection.create_index([("incident", ASCENDING)], name="by_incident")
            await self._collection.create_index(
                [("next_at", ASCENDING)],
                name="due",
                partialFilterExpression={"state": "due"},
            )

    async def of_incident(self, incident: str) -> list[Page]:
        """See the port."""
        with transient("reading pages"):
            cursor = self._collection.find({"incident": incident})
            return [page async for found in cursor if (page := load_page(found))]

    async def due(self, now: int, at_most: int) -> list[Page]:
        """See the port."""
        query = {"state": "due", "next_at": {"$lte": now}}
        with transient("reading pages"):
            cursor = self._collection.find(query).sort(URGENCY).limit(at_most)
            return [page async for found in cursor if (page := load_page(found))]
