"""The segmenter's ports in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from shared.events import TagEvent
from shared.testing.memory_store import MemoryGuardedStore


class MemoryFanIndex:
    """See `services.segmenter.ports.FanIndex`; looks into a store in memory."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    async def due(self, until: int, limit: int, skip: int = 0) -> list[str]:
        found = [
            (document["due"], key)
            for key, document in self._store.documents.items()
            if document["due"] is not None and document["due"] <= until
        ]
        return [key for _, key in sorted(found)[skip : skip + limit]]

    async def outdated(self, digest: str, limit: int) -> list[str]:
        return self._outdated(digest)[:limit]

    async def find(self, key: str) -> Mapping[str, Any] | None:
        return self._store.documents.get(key)

    async def count_by_tag(self, tags: Sequence[str]) -> dict[str, int]:
        held = Counter(t["tag"] for d in self._store.documents.values() for t in d["tags"])
        return {tag: held[tag] for tag in tags}

    async def count_outdated(self, digest: str) -> int:
        return len(self._outdated(digest))

    def _outdated(self, digest: str) -> list[str]:
        return [
            key
            for key, document in self._store.documents.items()
            if document["rules"] is not None and document["rules"] != digest
        ]


class MemoryPartitions:
    """See `services.segmenter.ports.FanPartitions`; told by the test what this process reads.

    Args:
        own: its partitions, each with whether all of it is applied.
        of: the partition of a fan; None puts all fans into partition 0.
    """

    def __init__(
        self, own: Mapping[int, bool] | None = None, of: Callable[[str], int] | None = None
    ) -> None:
        self.own = dict({0: True} if own is None else own)
        self._of = of
        self.asked: list[set[int]] = []

    def any(self) -> bool:
        return bool(self.own)

    def of(self, key: str) -> int | None:
        number = self._of(key) if self._of else 0
        return number if number in self.own else None

    async def applied(self, numbers: Collection[int]) -> set[int]:
        self.asked.append(set(numbers))
        return {number for number in numbers if self.own.get(number)}


class RecordingNotes:
    """See `services.segmenter.ports.TagNotes`; keeps what it is told."""

    def __init__(self) -> None:
        self.changes: list[TagEvent] = []
        self.books: list[str] = []
        self.refusals: list[Sequence[str]] = []
        self.fans_examined = 0
        self.fans: dict[str, int] = {}

    def changed(self, changes: Sequence[TagEvent]) -> None:
        self.changes += changes

    def rules_read(self, tags: Sequence[str], digest: str) -> None:
        del tags
        self.books.append(digest)

    def rules_refused(self, problems: Sequence[str]) -> None:
        self.refusals.append(problems)

    def examined(self, fans: int) -> None:
        self.fans_examined += fans

    def counted(self, fans_by_tag: Mapping[str, int]) -> None:
        self.fans.update(fans_by_tag)
