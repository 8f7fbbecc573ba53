"""Reads documents straight from the store, without lock or cache; reading changes nothing.

What was read carries its version, so that a `DocumentWriter` can go on from it without reading it
again: if anybody has changed the document meanwhile, the guarded write is lost and it is read then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.kafka import bookkeeping
from shared.kafka.bookkeeping import Bookkeeping, Ring
from shared.kafka.fold import Held
from shared.kafka.handler import Documents
from shared.store.ports import GuardedStore

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Versioned(Generic[S]):
    """A document as it was read or written last."""

    state: S
    version: int
    """0 for a document that is not there."""
    book: Bookkeeping
    """What the loop keeps in it; never changed."""

    @classmethod
    def of(cls, held: Held[S]) -> Versioned[S]:
        """A document in memory as it is now."""
        return cls(held.state, held.version, _copy(held.book))

    def to_held(self) -> Held[S]:
        """A working copy."""
        return Held(self.version, _copy(self.book), self.state)


class DocumentReader(Generic[S]):
    """Reads the documents of one collection; any number of readers may run at once.

    Args:
        documents: the collection and the codec; the bookkeeping read is that of its loop.
        store: where the documents are.
    """

    def __init__(self, documents: Documents[S], store: GuardedStore) -> None:
        self._documents = documents
        self._store = store

    async def read(self, ids: Iterable[str]) -> dict[str, Versioned[S]]:
        """Every document asked for, as it is now; version 0 where there is none.

        Raises:
            TransientError: the store can't be reached.
        """
        wanted = list(dict.fromkeys(ids))
        found = await self._store.read(wanted) if wanted else {}
        return {name: versioned(self._documents, found.get(name, {})) for name in wanted}

    async def read_one(self, document_id: str) -> S:
        """The state of one document as it is now."""
        return (await self.read([document_id]))[document_id].state


def versioned(documents: Documents[S], raw: Mapping[str, Any]) -> Versioned[S]:
    """A document out of its stored fields; no fields where there is none."""
    held = load_held(documents, raw)
    return Versioned(held.state, held.version, held.book)


def load_held(documents: Documents[S], raw: Mapping[str, Any]) -> Held[S]:
    """As `versioned`, to work on."""
    if not raw:
        return Held(0, Bookkeeping(), documents.load({}))
    book = bookkeeping.load(raw.get("l", {}).get(documents.loop))
    return Held(raw["v"], book, documents.load(raw))


def _copy(book: Bookkeeping) -> Bookkeeping:
    """Bookkeeping to work on. Its entries stay the same ones: they know their progress."""
    return Bookkeeping(
        [replace(mark) for mark in book.marks],
        {name: Ring(ring.ids[:], ring.times[:], ring.dropped) for name, ring in book.rings.items()},
        book.outbox[:],
        book.owner,
    )
