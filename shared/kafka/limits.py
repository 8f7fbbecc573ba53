"""When too many dead letters are our fault, not the records'. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from shared.errors import DeadLetterReason, PermanentError

MAX_IN_A_ROW = 20
WINDOW_RECORDS = 1_000
MAX_IN_WINDOW = 50
"""5 % of the last 1,000."""

Outcome = Literal["done", "failed", "late"]


def outcome_of(error: PermanentError) -> Outcome:
    """A record that came too late is late by itself: one source can send a thousand of them."""
    return "late" if error.reason is DeadLetterReason.TOO_OLD_TO_TELL else "failed"


class DeadLetterLimit:
    """Remembers the recent outcomes of one partition's records, in order.

    A late record is neither good nor bad: it is left out, so that it neither stops a partition nor
    hides a row of failures.
    """

    __slots__ = ("_dead_at", "_in_a_row", "_seen")

    def __init__(self) -> None:
        self._seen = 0
        self._in_a_row = 0
        self._dead_at: deque[int] = deque()

    def one_too_many(self, outcomes: Sequence[Outcome]) -> int | None:
        """Index of the first dead letter over a limit; None if all may be set aside.

        Args:
            outcomes: of each record in order. Nothing is remembered.
        """
        trial = DeadLetterLimit()
        trial._seen, trial._in_a_row = self._seen, self._in_a_row
        trial._dead_at = deque(self._dead_at)
        for index, outcome in enumerate(outcomes):
            trial._add(outcome)
            if trial._in_a_row > MAX_IN_A_ROW or len(trial._dead_at) > MAX_IN_WINDOW:
                return index
        return None

    def remember(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes into account that were let through."""
        if outcomes.count("done") == len(outcomes):
            self._seen += len(outcomes)
            self._in_a_row = 0
            return
        for outcome in outcomes:
            self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        if outcome == "late":
            return
        self._seen += 1
        if outcome == "failed":
            self._in_a_row += 1
            self._dead_at.append(self._seen)
        else:
            self._in_a_row = 0
        while self._dead_at and self._dead_at[0] <= self._seen - WINDOW_RECORDS:
            self._dead_at.popleft()
