"""What this process writes for its senders wakes them at once, so that they need not look often."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from services.notifier.ports import Writer
from shared.documents.reader import Versioned
from shared.kafka.handler import Change
from shared.waiting import Bell

S = TypeVar("S")


class RingingWriter(Generic[S]):
    """A writer that rings after each change; see `ports.Writer`.

    Not for the loop that is woken: it would wake itself.

    Args:
        writer: changes the documents.
        bells: of the loops that are woken; loops may be added later.
    """

    def __init__(self, writer: Writer[S], bells: list[Bell]) -> None:
        self._writer = writer
        self._bells = bells

    async def change(
        self,
        ids: Iterable[str],
        decide: Callable[[str, S], Change[S] | None],
        *,
        announced: bool = True,
        read: dict[str, Versioned[S]] | None = None,
    ) -> dict[str, S]:
        """See the port."""
        try:
            return await self._writer.change(ids, decide, announced=announced, read=read)
        finally:  # a write may have succeeded though its answer was lost
            for bell in self._bells:
                bell.ring()
