"""What the commands say about lines that they can't read: each of the first, and how many."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from services.sentiment.adapters.comment_files import Comment, Labelled, Malformed

REPORTED_LINES: Final = 20  # malformed lines named one by one; all are counted

Row = TypeVar("Row", Labelled, Comment)


@dataclass(slots=True)
class Complaints:
    """Counts malformed lines, and names the first of them."""

    name: str
    count: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def note(self, malformed: Malformed) -> None:
        """Another line was left out."""
        self.count += 1
        self.reasons[malformed.reason] = self.reasons.get(malformed.reason, 0) + 1
        if self.count <= REPORTED_LINES:
            say(f"{self.name}:{malformed.line}: {malformed.reason}")

    def close(self) -> None:
        """The file is read: say how many there were."""
        if self.count:
            say(f"{self.name}: {self.count} malformed lines left out")


def usable(rows: Iterable[Row | Malformed], complaints: Complaints) -> Iterator[Row]:
    """The rows that could be read."""
    for row in rows:
        if isinstance(row, Malformed):
            complaints.note(row)
        else:
            yield row


def say(message: str) -> None:
    """A line for the person at the terminal, on standard error."""
    sys.stderr.write(message + "\n")
