"""When too many dead letters are our fault, not the records'. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

MAX_IN_A_ROW = 20
WINDOW_RECORDS = 1_000
MAX_IN_WINDOW = 50
"""5 % of the last 1,000."""


class DeadLetterLimit:
    """Remembers the recent outcomes of one partition's records, in order."""

    __slots__ = ("_dead_at", "_in_a_row", "_seen")

    def __init__(self) -> None:
        self._seen = 0
        self._in_a_row = 0
        self._dead_at: deque[int] = deque()

    def one_too_many(self, dead: Sequence[bool]) -> int | None:
        """Index of the first dead letter over a limit; None if all may be set aside.

        Args:
            dead: for each record in order, whether it failed. Nothing is remembered.
        """
        trial = DeadLetterLimit()
        trial._seen, trial._in_a_row = self._seen, self._in_a_row
        trial._dead_at = deque(self._dead_at)
        for index, failed in enumerate(dead):
            trial._add(failed)
            if trial._in_a_row > MAX_IN_A_ROW or len(trial._dead_at) > MAX_IN_WINDOW:
                return index
        return None

    def remember(self, dead: Sequence[bool]) -> None:
        """Take outcomes into account that were let through."""
        if not any(dead):
            self._seen += len(dead)
            self._in_a_row = 0
            return
        for failed in dead:
            self._add(failed)

    def _add(self, failed: bool) -> None:  # noqa: FBT001 -- the outcome itself
        self._seen += 1
        if failed:
            self._in_a_row += 1
            self._dead_at.append(self._seen)
        else:
            self._in_a_row = 0
        while self._dead_at and self._dead_at[0] <= self._seen - WINDOW_RECORDS:
            self._dead_at.popleft()
