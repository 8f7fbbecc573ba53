"""The store as the runner sees it. `shared.testing.memory_store` implements it without a server.

A guarded document has the fields `_id`, `v` (its version, 1 at the insert) and `l` (one entry of
bookkeeping for each loop), beside the state's own fields.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

DOCUMENT_LIMIT_BYTES = 1_048_576


def owner_text(topic: str, partition: int) -> str:
    """How a document names the partition whose owner announces for it; -1 for no partition."""
    return f"{topic}|{partition}" if partition >= 0 else "|-1"


@dataclass(slots=True)
class GuardedWrite:
    """Set `fields` and raise the version, if the document still has the version that was read.

    `read_version` 0 means that the document was not there: it is inserted, and the write is lost
    if it exists by now. A document is never removed, only emptied, so nothing rises again.
    """

    id: str
    read_version: int
    fields: Mapping[str, Any]
    """New values by name; `l.<loop>` reaches into the bookkeeping."""
    encoded: Any = None
    """The store's own form of the write, kept between weighing and writing."""


class GuardedStore(Protocol):
    """One collection of guarded documents.

    All methods raise `TransientError` when the store can't be reached or the outcome is unknown;
    reading again tells.
    """

    async def read(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The documents found, by id."""

    async def write(self, writes: Sequence[GuardedWrite]) -> set[str]:
        """Write all that still have the version read; answers the ids that lost.

        One unordered bulk with `w=majority`, `j=true`. A write that the store refuses for itself
        (too large) must not spoil the others.
        """

    def oversized(self, writes: Sequence[GuardedWrite]) -> set[str]:
        """Ids whose fields would pass `DOCUMENT_LIMIT_BYTES`. No I/O; encodes the writes once."""

    def pending(
        self, loop: str, topic: str, partitions: Sequence[int]
    ) -> AsyncIterator[dict[str, Any]]:
        """Documents of this loop with announcements left, last written for these partitions.

        Partition -1 stands for documents that no partition owns.
        """


@dataclass(frozen=True, slots=True)
class PartitionBook:
    """What is kept of one partition of a group."""

    upto: int
    """Skipped records and offsets without a record are counted up to here, exclusive."""
    start: int
    """Where the group began to read."""
    topic_id: str = ""
    """Names the topic that the offsets belong to, however often its name is used again; empty
    where the log has no such name."""


class PartitionBooks(Protocol):
    """What a group skipped and sets aside, durable, by (group, epoch, topic, partition).

    A record is noted before it goes to the dead-letter topic, so that it stays dead whatever comes
    between: another process, other bounds of its batch, a mended handler. Else it could be applied
    too, and count twice.
    """

    async def load(
        self, group: str, epoch: str, topic: str, partition: int
    ) -> PartitionBook | None:
        """The partition's book; None if none was kept yet.

        Raises:
            TransientError: the store can't be reached.
        """

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
        """Add to the counts, if the stored `upto` is still `read`; -1 for books never kept.

        Args:
            group: with epoch, topic and partition, whose book it is.
            epoch: of the log.
            topic: without prefix.
            partition: its number.
            start: where the group began; kept from the first call.
            read: the `upto` that was loaded.
            upto: everything before it is counted with this call.
            skipped: records that the group does not want.
            without_record: offsets that hold no record for a reader: markers and aborted records of
                transactions, what compaction or retention took.
            topic_id: see `PartitionBook`; empty leaves what is stored.

        Raises:
            TransientError: another process has counted meanwhile, or the store can't be reached;
                load again.
        """

    async def load_aside(
        self, group: str, epoch: str, topic: str, partition: int
    ) -> dict[int, str]:
        """Offsets that are being set aside, or were lately, with the reason's word.

        Raises:
            TransientError: the store can't be reached.
        """

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
        """Note what is about to be set aside, and forget offsets that are committed.

        Raises:
            TransientError: the store can't be reached.
        """


class Leases(Protocol):
    """Named leases, so that one process at a time does what must not be done twice at once."""

    async def acquire(self, name: str, holder: str, seconds: float, now: float) -> bool:
        """Take or renew the lease; false while another holder's has not expired."""

    async def release(self, name: str, holder: str) -> None:
        """Give it back early."""
