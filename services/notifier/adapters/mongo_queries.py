"""The notifier's questions to its store, and the indexes that answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.pushes import OPEN_STATES, Push, PushState
from services.notifier.domain.queueing import LONGEST_MS, Lane
from services.notifier.domain.records import (
    CAMPAIGNS,
    FANS,
    PUSHES,
    WAVES,
    CampaignDocuments,
    PushDocuments,
    WaveDocuments,
)
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.ports import Count
from shared.documents.reader import Versioned, versioned
from shared.store.client import Database
from shared.store.mongo import READ_AT_ONCE, transient

HELD_AT_ONCE: Final = 1_000
CLOCKS_APART_MS: Final = 5_000
"""A deadline may be counted from an event's time, by a clock that is so far ahead of ours. One that
is further ahead makes its push be found so much later."""
_OPEN: Final = sorted(state.value for state in OPEN_STATES)
_INDEXES: Final[Mapping[str, Sequence[tuple[str, Sequence[tuple[str, int]]]]]] = {
    PUSHES: (
        ("due", (("account", ASCENDING), ("channel", ASCENDING), ("state", ASCENDING),
                 ("look_at", ASCENDING))),
        ("queue", (("account", ASCENDING), ("channel", ASCENDING), ("lane", ASCENDING),
                   ("deadline", ASCENDING))),
        ("looks", (("account", ASCENDING), ("lane", ASCENDING), ("look_at", ASCENDING))),
        ("held", (("account", ASCENDING), ("state", ASCENDING), ("reason", ASCENDING),
                  ("look_at", ASCENDING))),
        ("attempt", (("attempt", ASCENDING), ("state", ASCENDING))),
        ("fan", (("fan", ASCENDING), ("created_at", DESCENDING))),
        ("campaign", (("campaign", ASCENDING), ("state", ASCENDING), ("reason", ASCENDING))),
    ),
    FANS: (("tag", (("tags", ASCENDING), ("_id", ASCENDING))),),
    CAMPAIGNS: (("trigger", (("trigger_tag", ASCENDING),)),),
    WAVES: (("campaign", (("campaign", ASCENDING), ("at", ASCENDING))),),
}  # fmt: skip


async def prepare_indexes(database: Database) -> None:
    """Create what the queries below need; harmless when it is there."""
    with transient("creating an index"):
        for collection, indexes in _INDEXES.items():
            for name, fields in indexes:
                await database[collection].create_index(list(fields), name=name)


class MongoPushQueries:
    """See `ports.PushQueries`."""

    def __init__(self, database: Database) -> None:
        self._rows = database[PUSHES]
        self._documents = PushDocuments()
        self._load = self._documents.load

    async def due(self, account: str, channel: str, now: int, limit: int) -> list[Versioned[Push]]:
        """See the port."""
        found: list[Versioned[Push]] = []
        with transient("looking for due pushes"):
            for lane in Lane:  # one equality each, so that the index sorts
                # What is due has no later deadline, and what is not due has hardly an earlier one,
                # so `look_at` need not be asked for: with a field beside those of its index, the
                # embedded server reads the whole collection.
                query = {
                    "account": account,
                    "channel": channel,
                    "lane": lane.value,
                    "deadline": {"$lte": now + LONGEST_MS[lane] + CLOCKS_APART_MS},
                }
                cursor = self._rows.find(query).sort([("deadline", ASCENDING)]).limit(limit)
                found += await self._versions(cursor)
        found = [one for one in found if one.state.look_at <= now]
        return sorted(found, key=lambda one: (one.state.deadline, one.state.id))[:limit]

    async def first_look(self, account: str, until: int) -> int | None:
        """See the port."""
        found: list[int] = []
        with transient("looking for the next push"):
            for lane in Lane:  # one equality each, so that the index sorts
                # The embedded server sorts all that matches: with the bound, hardly anything.
                query = {"account": account, "lane": lane.value, "look_at": {"$lte": until}}
                first = await self._rows.find_one(
                    query, {"look_at": 1}, sort=[("look_at", ASCENDING)]
                )
                if first is not None:
                    found.append(first["look_at"])
        return min(found, default=None)

    async def unqueued(self, account: str, channel: str, now: int, limit: int) -> list[str]:
        """See the port."""
        found: list[str] = []
        with transient("looking for pushes without a deadline"):
            for state in _OPEN:
                query = {
                    "account": account,
                    "channel": channel,
                    "state": state,
                    "look_at": {"$lte": now},
                }
                rows = self._rows.find(query, {"lane": 1})
                found += [raw["_id"] async for raw in rows if raw.get("lane") is None]
        return found[:limit]

    async def calling(self, account: str, channel: str, called_before: int) -> list[Push]:
        """See the port."""
        query = {
            "account": account,
            "channel": channel,
            "state": PushState.CALLING.value,
        }  # few rows, and an index for just this
        found = await self._find(query, "looking for pushes left in a call")
        return [row for row in found if row.called_at < called_before]

    async def of_attempt(self, attempt: str) -> list[Push]:
        """See the port."""
        query = {"attempt": attempt, "state": PushState.CALLING.value}
        return await self._find(query, "reading a wave")

    async def waiting_for_fans(self, fans: Sequence[str]) -> list[Versioned[Push]]:
        """See the port."""
        found: list[Versioned[Push]] = []
        with transient("looking for waiting pushes"):
            for first in range(0, len(fans), READ_AT_ONCE):
                query = {
                    "fan": {"$in": list(fans[first : first + READ_AT_ONCE])},
                    "state": PushState.HELD.value,
                    "waits_for_fan": True,
                    "look_at": {"$gt": 0},
                }
                found += await self._versions(self._rows.find(query))
        return found

    async def held_for(self, account: str, reason: str) -> list[Versioned[Push]]:
        """See the port."""
        query = {
            "account": account,
            "state": PushState.HELD.value,
            "reason": reason,
            "look_at": {"$gt": 0},
        }
        with transient("looking for held pushes"):
            return await self._versions(self._rows.find(query).limit(HELD_AT_ONCE))

    async def counts(self, campaign: str) -> list[Count]:
        """See the port."""
        group = {
            "_id": {"state": "$state", "reason": "$reason"},
            "pushes": {"$sum": 1},
            "next_at": {"$min": "$not_before"},
        }
        pipeline = [{"$match": {"campaign": campaign}}, {"$group": group}]
        with transient("counting pushes"):
            cursor = self._rows.aggregate(pipeline)
            if hasattr(cursor, "__await__"):  # PyMongo's own client; motor's is a cursor at once
                cursor = await cursor
            found = [
                Count(
                    PushState(raw["_id"]["state"]),
                    raw["_id"]["reason"],
                    raw["pushes"],
                    raw["next_at"],
                )
                async for raw in cursor
            ]
        return sorted(found, key=lambda one: (one.state, one.reason))

    async def of_fan(self, fan: str, limit: int) -> list[Push]:
        """See the port."""
        with transient("reading a fan's pushes"):
            cursor = self._rows.find({"fan": fan}).sort([("created_at", DESCENDING)]).limit(limit)
            return [self._load(raw) async for raw in cursor]

    async def _versions(self, cursor: Any) -> list[Versioned[Push]]:
        return [versioned(self._documents, raw) async for raw in cursor]

    async def _find(self, query: dict[str, Any], doing: str) -> list[Push]:
        with transient(doing):
            return [self._load(raw) async for raw in self._rows.find(query)]


class MongoCampaignQueries:
    """See `ports.CampaignQueries`."""

    def __init__(self, database: Database) -> None:
        self._campaigns = database[CAMPAIGNS]
        self._load = CampaignDocuments().load

    async def triggered_by(self, tags: Sequence[str]) -> list[Campaign]:
        """See the port."""
        query = {"trigger_tag": {"$in": list(tags)}, "cancelled": False}
        with transient("reading campaigns"):
            return [self._load(raw) async for raw in self._campaigns.find(query)]

    async def with_audience(self, now: int) -> list[Campaign]:
        """See the port."""
        query = {"trigger_tag": None, "cancelled": False, "expires": {"$gt": now}}
        with transient("reading campaigns"):
            return [self._load(raw) async for raw in self._campaigns.find(query)]

    async def page(self, after: str, limit: int) -> list[Campaign]:
        """See the port."""
        query = {"_id": {"$gt": after}}
        with transient("reading campaigns"):
            cursor = self._campaigns.find(query).sort([("_id", ASCENDING)]).limit(limit)
            return [self._load(raw) async for raw in cursor]


class MongoFanQueries:
    """See `ports.FanQueries`."""

    def __init__(self, database: Database) -> None:
        self._fans = database[FANS]

    async def with_tag(self, account: str, tag: str, after: str, limit: int) -> list[str]:
        """See the port."""
        # An account's keys lie between its name with a colon and with the character after it.
        keys = {"$gt": max(after, f"{account}:"), "$lt": f"{account};"}
        with transient("reading an audience"):
            cursor = (
                self._fans.find({"tags": tag, "_id": keys}, {"_id": 1})
                .sort([("_id", ASCENDING)])
                .limit(limit)
            )
            return [raw["_id"] async for raw in cursor]


class MongoWaveQueries:
    """See `ports.WaveQueries`."""

    def __init__(self, database: Database) -> None:
        self._waves = database[WAVES]
        self._load = WaveDocuments().load

    async def of_campaign(self, campaign: str) -> list[WaveRecord]:
        """See the port."""
        with transient("reading mass sends"):
            cursor = self._waves.find({"campaign": campaign}).sort([("at", ASCENDING)])
            return [self._load(raw) async for raw in cursor]
