"""What the segmenter needs from outside, beside the runner's own ports."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from shared.events import TagEvent


class FanIndex(Protocol):
    """Finds fans; nothing is written through it.

    All methods raise `TransientError` when the store can't be reached.
    """

    async def due(self, until: int, limit: int, skip: int = 0) -> list[str]:
        """Keys of fans whom time changes by `until` (ms), the earliest first, but for `skip`."""

    async def outdated(self, digest: str, limit: int) -> list[str]:
        """Keys of fans whose tags agree with another rule book than this one."""

    async def find(self, key: str) -> Mapping[str, Any] | None:
        """A fan's document."""

    async def count_by_tag(self, tags: Sequence[str]) -> dict[str, int]:
        """How many fans hold each of these tags."""

    async def count_outdated(self, digest: str) -> int:
        """How many fans are still to be examined by this rule book."""


class FanPartitions(Protocol):
    """Which part of the log this process reads, and how far it is."""

    def any(self) -> bool:
        """Whether it reads any of it."""

    def of(self, key: str) -> int | None:
        """The partition that holds this fan's events; None if another process reads it."""

    async def applied(self, numbers: Collection[int]) -> set[int]:
        """Those of its partitions of which all is applied that the log had at the call.

        Raises:
            TransientError: the log does not answer.
        """


class TagNotes(Protocol):
    """Is told of tag changes, for figures only: a change may be told twice after a lost race."""

    def changed(self, changes: Sequence[TagEvent]) -> None:
        """These changes were decided."""

    def rules_read(self, tags: Sequence[str], digest: str) -> None:
        """A rule book is in force."""

    def rules_refused(self, problems: Sequence[str]) -> None:
        """The rule file can't be used; the book in force stays."""

    def examined(self, fans: int) -> None:
        """So many fans were examined by a changed book."""

    def counted(self, fans_by_tag: Mapping[str, int]) -> None:
        """How many fans hold each tag now."""
