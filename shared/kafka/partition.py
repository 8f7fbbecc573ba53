"""What the runner knows of one assigned partition, and which offset may be committed."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from shared.kafka.limits import DeadLetterLimit
from shared.observe.observer import StopReason


@dataclass(slots=True)
class Partition:
    """One assignment of a partition; a new assignment gets a new one."""

    number: int
    limit: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    ready: asyncio.Task[None] | None = None
    """Reads the books and announces what a crash left, before the first record."""
    books_from: int = -1
    """Skipped records at this offset and above are not in the books yet."""
    start: int = 0
    """Where this group began to read."""
    aside: dict[int, str] | None = None
    """Offsets that stay dead letters, with the reason's word; None until they are read."""
    failures: int = 0
    """Passing failures in a row."""
    paused: bool = False
    stopped: StopReason | None = None
    in_flight: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)
    """(next offset, announcements) of batches that are durable, in order."""
    done: int = -1
    """The offset that may be committed; -1 for none yet."""
    committed: int = -1
    seen: int = -1
    """The next offset that the runner expects."""
    end: int = -1
    """The log's end, when it was last asked for."""

    def advance(self) -> int:
        """Take finished batches off the front, in order; answers the offset to commit."""
        while self.in_flight and self.in_flight[0][1].done():
            offset, through = self.in_flight[0]
            if through.cancelled() or through.exception() is not None:
                break
            self.in_flight.popleft()
            self.done = offset
        return self.done
