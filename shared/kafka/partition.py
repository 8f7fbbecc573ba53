"""What the runner knows of one assigned partition, and which offset may be committed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import TopicPartition

from shared.kafka.limits import DeadLetterLimit
from shared.kafka.log_consumer import LogConsumer
from shared.observe.observer import PauseReason, StopReason


@dataclass(frozen=True, slots=True)
class Count:
    """What became of some offsets that left no trace in a document."""

    upto: int
    """Everything before it is counted with this count or an earlier one."""
    skipped: int = 0
    without_record: int = 0


@dataclass(slots=True)
class Partition:
    """One assignment of a partition; a new assignment gets a new one. Each has its own clock."""

    number: int
    topic_id: str = ""
    """Names the very topic that it belongs to; empty where the log has no such names."""
    limit: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    ready: asyncio.Task[None] | None = None
    """Reads the books and announces what a crash left, before the first record."""
    books_from: int = -1
    """Skipped records and offsets without a record, here and above, are not counted yet."""
    books_saved: int = -1
    """The same of the store's book: what lies between is in `unsaved`."""
    unsaved: list[Count] = field(default_factory=list)
    """Counts that the store's book does not have yet; nothing beyond them is committed."""
    is_disowned: bool = False
    """Whether another process has counted in its book: what is in memory means nothing more."""
    start: int = 0
    """Where this group began to read."""
    aside: dict[int, str] | None = None
    """Offsets that stay dead letters, with the reason's word; None until they are read."""
    failures: int = 0
    """Passing failures in a row."""
    unreadable: int = 0
    """Times in a row that the next record could not be read."""
    pass_again_at: float = 0.0
    """When offsets without a record may be counted again, after the store failed."""
    paused: bool = False
    stopped: StopReason | None = None
    in_flight: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)
    """(next offset, announcements) of batches that are durable, in order."""
    done: int = -1
    """The offset that may be committed; -1 for none yet."""
    committed: int = -1
    seen: int = -1
    """The next offset that the runner expects: what lies before it is durable, or no record."""
    end: int = -1
    """The log's end, when it was last asked for."""
    readable: int = -1
    """How far a reader may read: before `end` while somebody's transaction is open."""
    moved_at: float = field(default_factory=time.monotonic)
    """When records of it last became durable, or it was assigned."""
    tried_at: float = field(default_factory=time.monotonic)
    """When it last waited for something on purpose."""
    behind_since: float | None = None
    """Since when it has been behind without ever catching up; None while it is not."""
    newest_ms: int = 0
    """When the last durable record was produced, by its producer's clock; 0 where unknown."""

    def advance(self) -> int:
        """Take finished batches off the front, in order; answers the offset to commit."""
        while self.in_flight and self.in_flight[0][1].done():
            offset, through = self.in_flight[0]
            if through.cancelled() or through.exception() is not None:
                break
            self.in_flight.popleft()
            self.done = offset
        return self.done

    @property
    def next_offset(self) -> int:
        """Nothing before it is left to do."""
        return max(self.seen, self.books_from)

    @property
    def is_ready(self) -> bool:
        """Whether it is known where the group stands in it."""
        return self.ready is not None and self.ready.done() and not self.ready.cancelled()

    def pass_over(self, upto: int) -> None:
        """The offsets before `upto` hold no record that is not done: the next one is expected."""
        through: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        through.set_result(None)
        self.seen = upto
        self.in_flight.append((upto, through))

    def wait(self, now: float) -> None:
        """It waits for something on purpose: that is no silence."""
        self.tried_at = now

    def progress(self, upto: int, now: float) -> None:
        """Everything before `upto` is durable."""
        self.seen = upto
        self.moved_at = now
        self.unreadable = 0
        if upto >= self.end:
            self.behind_since = None

    def look(self, end: int, readable: int, now: float) -> None:
        """Take in how far the log goes."""
        self.end, self.readable = end, readable
        if not 0 <= self.next_offset < end:
            self.behind_since = None
        elif self.behind_since is None:
            self.behind_since = now

    def lag(self, now: float, now_ms: float) -> tuple[int, float]:
        """Records not applied yet, and the age of the oldest one in seconds.

        Args:
            now: of the clock that only goes forward.
            now_ms: of the clock that producers use.
        """
        if self.behind_since is None:
            return 0, 0.0
        age = now - self.behind_since
        if self.newest_ms > 0:  # what is not applied is younger than what was
            age = min(age, max(0.0, (now_ms - self.newest_ms) / 1000))
        return max(0, self.end - max(self.next_offset, 0)), age

    def silent_s(self, now: float) -> float:
        """Seconds without progress or a try while the log had records to read; else 0."""
        waiting = 0 <= self.next_offset < self.readable and not self.stopped and not self.paused
        if not waiting or self.behind_since is None:
            return 0.0
        return now - max(self.behind_since, self.moved_at, self.tried_at)


class PartitionsHeld(Protocol):
    """The partitions that a consumer holds, and what is done with them; see `Assignment`."""

    partitions: dict[int, Partition]

    def busy(self) -> AbstractContextManager[bool]:
        """While something is worked on; false while partitions change hands."""

    def owns(self, partition: Partition) -> bool:
        """Whether this very assignment is still ours."""

    def pause(
        self,
        partition: Partition,
        consumer: LogConsumer,
        offset: int,
        seconds: float,
        reason: PauseReason,
    ) -> None:
        """Go back to `offset` and deliver again after `seconds`."""

    def stop_at(self, partition: Partition, offset: int, reason: StopReason) -> None:
        """Deliver no more of it until a restart."""

    def find_again(self, partition: Partition, place: TopicPartition) -> None:
        """Find anew where the group stands."""

    def wake(self) -> None:
        """Something may be committed."""
