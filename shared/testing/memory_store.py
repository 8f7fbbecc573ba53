"""A store in memory that implements the ports of `shared.store`."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from shared.errors import TransientError
from shared.store.ports import DOCUMENT_LIMIT_BYTES, GuardedWrite, PartitionBook, owner_text


class MemoryGuardedStore:
    """One collection of guarded documents, in a dict; it keeps copies, as a server would."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.failures: list[Exception] = []
        """Raised one by one, before anything is done, by the next calls."""

    async def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See the port."""
        self._fail()
        return {i: copy.deepcopy(self.documents[i]) for i in ids if i in self.documents}

    def oversized(self, writes: Sequence[GuardedWrite]) -> set[str]:
        """See the port."""
        return {w.id for w in writes if _weight(w.fields) > DOCUMENT_LIMIT_BYTES}

    async def write(self, writes: Sequence[GuardedWrite]) -> set[str]:
        """See the port."""
        self._fail()
        lost: set[str] = set()
        for write in writes:
            document = self.documents.get(write.id)
            version = document["v"] if document is not None else 0
            if version != write.read_version:
                lost.add(write.id)
                continue
            if document is None:
                document = self.documents[write.id] = {"_id": write.id}
            document["v"] = version + 1
            for name, value in write.fields.items():
                outer, _, inner = name.partition(".")
                if inner:
                    document.setdefault(outer, {})[inner] = copy.deepcopy(value)
                else:
                    document[name] = copy.deepcopy(value)
            self.writes += 1
        return lost

    async def pending(
        self, loop: str, topic: str, partitions: Sequence[int]
    ) -> AsyncIterator[dict[str, Any]]:
        """See the port."""
        owners = {owner_text(topic, number) for number in partitions}
        for document in list(self.documents.values()):
            if document.get("l", {}).get(loop, {}).get("own") in owners:
                yield copy.deepcopy(document)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class MemoryPartitionBooks:
    """See `shared.store.ports.PartitionBooks`."""

    def __init__(self) -> None:
        self.books: dict[tuple[str, str, str, int], dict[str, int]] = {}
        self.topic_ids: dict[tuple[str, str, str, int], str] = {}
        self.aside: dict[tuple[str, str, str, int], dict[int, str]] = {}

    async def load(
        self, group: str, epoch: str, topic: str, partition: int
    ) -> PartitionBook | None:
        """See the port."""
        key = (group, epoch, topic, partition)
        book = self.books.get(key)
        return PartitionBook(book["upto"], book["start"], self.topic_ids[key]) if book else None

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
        key = (group, epoch, topic, partition)
        fresh = {"upto": -1, "skipped": 0, "without_record": 0, "start": start}
        stored = self.books.get(key, fresh)
        if stored["upto"] != read:
            raise TransientError("another process keeps these books")
        self.books[key] = {
            "upto": upto,
            "skipped": stored["skipped"] + skipped,
            "without_record": stored["without_record"] + without_record,
            "start": stored["start"],
        }
        self.topic_ids[key] = topic_id or self.topic_ids.get(key, "")

    async def load_aside(
        self, group: str, epoch: str, topic: str, partition: int
    ) -> dict[int, str]:
        """See the port."""
        return dict(self.aside.get((group, epoch, topic, partition), {}))

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
        noted = self.aside.setdefault((group, epoch, topic, partition), {})
        noted.update(add)
        for offset in drop:
            noted.pop(offset, None)


class MemoryLeases:
    """See `shared.store.ports.Leases`."""

    def __init__(self) -> None:
        self.leases: dict[str, tuple[str, float]] = {}

    async def acquire(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """See the port."""
        owner, until = self.leases.get(name, (holder, now))
        if owner != holder and until >= now:
            return False
        self.leases[name] = (holder, now + seconds)
        return True

    async def release(self, name: str, holder: str) -> None:
        """See the port."""
        owner, _ = self.leases.get(name, ("", 0.0))
        if owner == holder:
            self.leases[name] = (holder, 0.0)


def _weight(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value) + 8
    if isinstance(value, Mapping):
        return sum(_weight(inner) + len(name) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_weight, value))
    return 8
