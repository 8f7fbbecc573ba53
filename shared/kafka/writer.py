"""Guarded writes and their announcements, for whatever changes documents.

A change goes read, decide, write, announce. The announcements lie in the document's outbox from
the write that decided them until a write made after their acknowledgement, also in the copies
that this process keeps in memory. What a crash leaves is announced again by `relay`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from shared.documents.reader import Versioned, load_held
from shared.errors import DeadLetterReason, PermanentError, TransientError
from shared.kafka import bookkeeping
from shared.kafka.announcer import Announcer
from shared.kafka.bookkeeping import Entry
from shared.kafka.fold import Held, change
from shared.kafka.handler import Change, Documents
from shared.kafka.ports import Publisher
from shared.observe.observer import Observer
from shared.store.ports import GuardedStore, GuardedWrite

CACHED_DOCUMENTS = 50_000
CLEAN_AFTER_S = 1.0
"""A document that rests for so long is written once more, without what was announced."""
CLEAN_AT_ONCE = 1_000
"""Documents a tidying write takes at the most."""
YIELD_EVERY = 200
"""Decisions between two looks at the event loop: heartbeats must not wait."""

S = TypeVar("S")

Decide = Callable[[str, Held[S]], bool]
"""Changes the held document; false when there is nothing to write."""
BeforeWrite = Callable[[set[str]], Awaitable[None]]
"""Called with the ids that are too large to write, before anything is written."""


class DocumentWriter(Generic[S]):
    """Changes the documents of one loop, and announces what the changes decided.

    Args:
        documents: the collection, the codec and the loop's name.
        store: where the documents are.
        publisher: where announcements go.
        source: the `ce_source` of the announcements.
        group: the observer's label.
        observer: is told about lost races and acknowledgements.
        cached_documents: how many documents to keep in memory behind the version guard; 0 where
            other loops write the same documents often.
    """

    def __init__(
        self,
        documents: Documents[S],
        store: GuardedStore,
        publisher: Publisher,
        *,
        source: str,
        group: str,
        observer: Observer,
        cached_documents: int = CACHED_DOCUMENTS,
    ) -> None:
        self.source = source
        self._documents = documents
        self._store = store
        self._group = group
        self._observer = observer
        self._cache: OrderedDict[str, Held[S]] = OrderedDict()
        self._cached_documents = cached_documents
        self._announcer = Announcer(publisher, group, observer)
        self._known: dict[str, Entry] = {}
        self._untidy: dict[str, Held[S]] = {}
        self._tidiable = asyncio.Event()
        self._lock = asyncio.Lock()
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to tidy outboxes whose announcements are through."""
        if self._tidying is None:
            self._tidying = asyncio.create_task(self._tidy_forever())

    async def stop(self, drain_s: float = 5.0) -> None:
        """Wait for announcements on their way, at most `drain_s` seconds, and tidy; 0: neither."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
            self._tidying = None
        await self._announcer.stop(drain_s)
        with contextlib.suppress(TransientError):  # what stays is announced again, no more
            for _ in range(0, len(self._untidy) if drain_s else 0, CLEAN_AT_ONCE):
                await self.tidy()

    async def change(
        self,
        ids: Iterable[str],
        decide: Callable[[str, S], Change[S] | None],
        *,
        announced: bool = True,
        read: dict[str, Versioned[S]] | None = None,
    ) -> dict[str, S]:
        """Change documents for a reason that is no record: time, or the result of a call.

        Args:
            ids: the documents.
            decide: pure; called again on fresh state after a lost race or an unknown outcome, so
                it must recognise its own change. None leaves the document alone.
            announced: also wait until the announcements are acknowledged.
            read: documents as read: read again only if a write loses its race; kept in step.

        Returns:
            The durable state of every document after this call, changed or not.

        Raises:
            TransientError: the store can't be reached; nothing is known of the outcome.
            PermanentError: a document would grow beyond its limit; nothing was written.
        """

        def apply(document_id: str, held: Held[S]) -> bool:
            wanted = decide(document_id, held.state)
            if wanted is not None:
                change(held, wanted, source=self.source)
            return wanted is not None

        async def refuse(oversized: set[str]) -> None:
            if oversized:
                raise PermanentError(
                    DeadLetterReason.DOCUMENT_FULL, f"{len(oversized)} documents would pass 1 MiB"
                )

        given = dict(read or {})
        async with self.transaction() as transact:
            done = await transact(list(dict.fromkeys(ids)), apply, refuse, given)
        # What was given and left alone may be old: what it announces is through, or is relayed.
        left = {i for i, one in given.items() if i in done and done[i].version == one.version}
        through = self.announce({i: held for i, held in done.items() if i not in left})
        if read is not None:
            read.update((i, Versioned.of(held)) for i, held in done.items())
        if announced:
            await through
        return {document_id: held.state for document_id, held in done.items()}

    async def relay(
        self, topic: str = "", partitions: Sequence[int] = (-1,), *, announced: bool = True
    ) -> int:
        """Announce what a crash left of these partitions' documents; answers how many.

        Called by the partitions' owner, before their next records. `announced`: as in `change`.
        """
        left: dict[str, Held[S]] = {}
        async for raw in self._store.pending(self._documents.loop, topic, partitions):
            left[raw["_id"]] = self._recognise(load_held(self._documents, raw))
        if left:
            through = self.announce(left)
            if announced:
                await through
        return len(left)

    def forget(self) -> None:
        """Drop the copies in memory; called when partitions change hands."""
        self._cache.clear()

    @asynccontextmanager
    async def transaction(
        self,
    ) -> AsyncIterator[Callable[..., Awaitable[dict[str, Held[S]]]]]:
        """Exclusive use of this writer: yields the function that reads, decides and writes."""
        async with self._lock:
            yield self._transact

    async def _transact(
        self,
        ids: Sequence[str],
        decide: Decide[S],
        before_write: BeforeWrite | None = None,
        given: Mapping[str, Versioned[S]] | None = None,
    ) -> dict[str, Held[S]]:
        done: dict[str, Held[S]] = {}
        todo: Sequence[str] = ids
        while todo:
            held = await self._take(todo, given or {})
            given = None  # what loses the race is read again
            changed: dict[str, Held[S]] = {}
            for count, document_id in enumerate(todo):
                document = held[document_id]
                if decide(document_id, document):
                    changed[document_id] = document
                else:
                    done[document_id] = document
                if count % YIELD_EVERY == YIELD_EVERY - 1:
                    await asyncio.sleep(0)
            lost = await self._write(changed, before_write)
            done.update((i, document) for i, document in changed.items() if i not in lost)
            if lost:
                self._observer.race_lost(self._group, len(lost))
            todo = [document_id for document_id in changed if document_id in lost]
        self._keep(done)
        return done

    async def _take(
        self, ids: Sequence[str], given: Mapping[str, Versioned[S]]
    ) -> dict[str, Held[S]]:
        """Working copies, out of the cache: they come back only after a successful write."""
        held: dict[str, Held[S]] = {}
        missing: list[str] = []
        for document_id in ids:
            document = self._cache.pop(document_id, None)
            known = given.get(document_id)
            if known is not None and (document is None or document.version < known.version):
                document = self._recognise(known.to_held())
            if document is None:
                missing.append(document_id)
            else:
                held[document_id] = document
        if missing:
            found = await self._store.read(missing)
            for document_id in missing:
                raw = found.get(document_id, {})
                held[document_id] = self._recognise(load_held(self._documents, raw))
        return held

    def _recognise(self, held: Held[S]) -> Held[S]:
        """What this process has announced already is not announced again after a new read."""
        held.book.outbox = [self._known.get(entry.id, entry) for entry in held.book.outbox]
        return held

    async def _write(
        self, changed: Mapping[str, Held[S]], before_write: BeforeWrite | None
    ) -> set[str]:
        writes: list[GuardedWrite] = []
        gone: dict[str, list[Entry]] = {}
        loop_field = f"l.{self._documents.loop}"
        for document_id, document in changed.items():
            if document.book.outbox:
                gone[document_id] = document.book.drop_acknowledged()
            fields = self._documents.dump(document.state)
            fields[loop_field] = bookkeeping.dump(document.book)
            writes.append(GuardedWrite(document_id, document.version, fields))
        oversized = self._store.oversized(writes) if writes else set()
        if before_write is not None:
            await before_write(oversized)
        if oversized:
            writes = [write for write in writes if write.id not in oversized]
        lost = await self._store.write(writes) if writes else set()
        for write in writes:
            if write.id not in lost:
                changed[write.id].version += 1
                self._untidy.pop(write.id, None)
                for entry in gone.get(write.id, ()):
                    self._known.pop(entry.id, None)
        # The oversized come back as lost: the caller's decision sets their facts aside.
        return lost | oversized

    def _keep(self, done: Mapping[str, Held[S]]) -> None:
        if self._cached_documents:
            self._cache.update((i, document) for i, document in done.items() if document.version)
        while len(self._cache) > self._cached_documents:
            self._cache.popitem(last=False)

    def announce(self, done: Mapping[str, Held[S]]) -> asyncio.Future[None]:
        """Announce what waits in these documents; the future ends when all is acknowledged."""
        waiting: list[Entry] = []
        for document_id, document in done.items():
            if not document.book.outbox:
                continue
            self._untidy[document_id] = document
            self._tidiable.set()
            for entry in document.book.outbox:
                if entry.progress == "waiting":
                    entry.progress = "sent"
                    self._known[entry.id] = entry
                    waiting.append(entry)
        return self._announcer.announce(waiting)

    async def _tidy_forever(self) -> None:
        while True:
            await self._tidiable.wait()
            self._tidiable.clear()
            await asyncio.sleep(CLEAN_AFTER_S)
            try:
                await self.tidy()
            except TransientError as error:
                self._observer.failure(self._group, "tidy", error)
            if self._untidy:
                self._tidiable.set()

    async def tidy(self) -> None:
        """Write the outboxes of documents whose announcements are through and that rest."""
        ids = list(self._untidy)[:CLEAN_AT_ONCE]
        if not ids:
            return
        given = {} if self._cached_documents else {i: Versioned.of(self._untidy[i]) for i in ids}
        async with self._lock:
            done = await self._transact(ids, _has_acknowledged, given=given)
        for document_id, held in done.items():
            if not held.book.outbox:
                self._untidy.pop(document_id, None)
        self.announce(done)


def _has_acknowledged(_document_id: str, held: Held[Any]) -> bool:
    return any(entry.progress == "acknowledged" for entry in held.book.outbox)
