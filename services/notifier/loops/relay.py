"""Announces what a crash left in the outboxes of rows and waves, here or in another process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from services.notifier.ports import Rest, SendingObserver
from shared.errors import TransientError

EVERY_S: Final = 30.0


class Outbox(Protocol):
    """The part of `DocumentWriter` that keeps announcing."""

    async def start(self) -> None:
        """Begin to tidy."""

    async def stop(self) -> None:
        """Finish what is on its way."""

    async def relay(self) -> int:
        """Announce what was left."""


class Relay:
    """Keeps the outboxes of documents that no partition owns moving.

    An announcement may be made twice, with the same id; consumers drop the second.
    """

    def __init__(
        self, outboxes: Sequence[Outbox], observer: SendingObserver, *, rest: Rest
    ) -> None:
        self._outboxes = tuple(outboxes)
        self._observer = observer
        self._rest = rest

    async def start(self) -> None:
        """Begin to tidy."""
        for outbox in self._outboxes:
            await outbox.start()

    async def stop(self) -> None:
        """Finish what is on its way."""
        for outbox in self._outboxes:
            await outbox.stop()

    async def run(self) -> None:
        """Relay for ever."""
        while True:
            try:
                for outbox in self._outboxes:
                    await outbox.relay()
            except TransientError as error:
                self._observer.failed("relay", error)
            await self._rest(EVERY_S)
