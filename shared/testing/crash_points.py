"""Crash points: a process that kills itself, with SIGKILL, when it reaches a named step."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from shared.kafka.ports import OutgoingRecord, Publisher
from shared.observe.observer import Observer


class CrashingObserver:
    """Passes everything on to `observer`, and dies at a step.

    Args:
        observer: the one that counts.
        crash_at: `step=count` or `group/step=count`: die when the step is reached for the
            count-th time, in any group or in that one.
    """

    def __init__(self, observer: Observer, crash_at: str) -> None:
        self._observer = observer
        place, _, count = crash_at.partition("=")
        group, _, self._step = place.rpartition("/")
        self._group = group
        self._left = int(count or 1)

    def step(self, group: str, name: str) -> None:
        """Die here, if this is the place and the time."""
        if name == self._step and self._group in {"", group}:
            self._left -= 1
            if self._left == 0:
                os.write(2, f"crash point: {group}/{name}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._observer, name)


class CrashingPublisher:
    """Passes records on to `publisher`, with a step before (`publishing`) and after (`published`).

    Args:
        publisher: the one that produces.
        observer: dies at the steps.
        group: names this publisher in a crash point.
    """

    def __init__(self, publisher: Publisher, observer: CrashingObserver, group: str) -> None:
        self._publisher = publisher
        self._observer = observer
        self._group = group

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """See `shared.kafka.ports.Publisher`."""
        self._observer.step(self._group, "publishing")
        await self._publisher.publish(records)
        self._observer.step(self._group, "published")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._publisher, name)
