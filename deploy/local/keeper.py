"""Starts again what ended by itself, after growing pauses, and says so; the others stay up.

A service whose configuration is wrong ends at once, however often it is started. So the pauses
grow, its last lines are shown, and as soon as the file is right it comes up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from deploy.local.application import Application

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0
"""One that was ready for so long has the pauses of its earlier ends forgiven."""


class Stack(Protocol):
    """What is kept; see `deploy.local.stack.Stack`."""

    @property
    def applications(self) -> Mapping[str, Application]:
        """The processes by name."""

    def respawn_service(self, name: str) -> None:
        """Start one again; does not wait."""


@dataclass(slots=True)
class _Kept:
    ended: int = 0
    """How often in a row."""
    again_at: float | None = None
    """When it is started again; None while it runs."""
    ready_at: float | None = None


class Keeper:
    """Looks after the processes of a stack.

    Args:
        stack: whose.
        say: shows a line, or several, to whoever started the stack.
        clock: monotonic seconds.
    """

    def __init__(
        self, stack: Stack, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stack = stack
        self._say = say
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def look(self) -> None:
        """Look at each process once; returns at once."""
        for name, application in list(self._stack.applications.items()):
            kept = self._kept.setdefault(name, _Kept())
            if application.process.is_running():
                self._look_at_running(application, kept)
            elif kept.again_at is None:
                self._note_end(application, kept)
            elif self._clock() >= kept.again_at:
                kept.again_at = None
                self._say(f"{name}: starting it again …")
                self._stack.respawn_service(name)

    def _note_end(self, application: Application, kept: _Kept) -> None:
        kept.ended += 1
        kept.ready_at = None
        pause_s = pause_after(kept.ended)
        kept.again_at = self._clock() + pause_s
        code = application.process.exit_code
        self._say(
            f"{application.name}: ended with exit code {code}; the others stay up, and it is"
            f" started again in {pause_s:g} s. Its last lines:\n{application.process.log_tail()}"
        )

    def _look_at_running(self, application: Application, kept: _Kept) -> None:
        if not kept.ended:
            return
        if kept.ready_at is None:
            with suppress(OSError):  # it does not answer yet
                if application.is_ready():
                    kept.ready_at = self._clock()
                    self._say(f"{application.name}: ready")
        elif self._clock() - kept.ready_at >= STEADY_S:
            kept.ended = 0


def pause_after(ends: int) -> float:
    """Return how long to wait before one that ended so often in a row is started, in seconds."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(ends - 1, 10)))
