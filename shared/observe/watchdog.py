"""Ends a process that makes no progress, so that its work goes to one that does.

A consumer whose event loop hangs looks alive to the log for a while and to its supervisor for
ever. A thread of its own watches a tick of the loop and what the runner tells of its progress.
Only time in which the thread itself ran counts: a laptop that slept, or a frozen process that was
woken, is given its full time again.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.observe.logs import get_logger
from shared.observe.metrics import LOOP_LAG_SECONDS, Meter

EXIT_STUCK = 70
"""EX_SOFTWARE of sysexits.h."""
TICK_S = 0.25
LAST_WORDS_S = 2.0
"""A log line may block (a full pipe, a lock): the process ends without it after this time."""

Progress = Callable[[], float | None]
"""Seconds for which there was work and none of it moved; None when idle or waiting for a
dependency on purpose. Called from the watchdog's thread, so it only reads."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the watchdog saw at one look."""

    waited_s: float
    """Since the look before."""
    loop_ticked: bool
    stuck_s: Mapping[str, float]
    """By name, what `Progress` told."""


class Judge:
    """Decides from looks alone, so that time is an argument.

    Args:
        limit_s: how long the loop, or a piece of work, may stand still.
        look_every_s: how often it is asked; a longer wait is the process's own sleep.
    """

    def __init__(self, limit_s: float, look_every_s: float) -> None:
        self._limit_s = limit_s
        self._longest_wait_s = 2 * look_every_s
        self._silent_s = 0.0

    def verdict(self, sight: Sight) -> str | None:
        """Why the process must end; None while it may go on."""
        if sight.waited_s > self._longest_wait_s:
            self._silent_s = 0.0
            return None
        self._silent_s = 0.0 if sight.loop_ticked else self._silent_s + sight.waited_s
        if self._silent_s > self._limit_s:
            return f"event loop silent for {self._silent_s:.0f} s"
        for name, seconds in sight.stuck_s.items():
            if seconds > self._limit_s:
                return f"{name} without progress for {seconds:.0f} s"
        return None


class Watchdog:
    """Watches the running event loop from `start` to `stop`.

    Args:
        limit_s: seconds without progress after which the process ends.
        meter: for the histogram of the loop's lag.
        progress: what else must move, by name.
        end: ends the process; tests pass their own.
    """

    def __init__(
        self,
        limit_s: float,
        meter: Meter,
        progress: Mapping[str, Progress] | None = None,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._progress = dict(progress or {})
        self._lag = meter.histogram(LOOP_LAG_SECONDS)
        self._end = end
        self._look_every_s = min(1.0, limit_s / 5)
        self._judge = Judge(limit_s, self._look_every_s)
        self._ticks = 0
        self._stopped = threading.Event()
        self._ticker: asyncio.Task[None] | None = None
        self._log = get_logger(__name__)

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="watchdog-tick")
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
        if self._ticker is not None:
            self._ticker.cancel()

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + TICK_S
            await asyncio.sleep(TICK_S)
            self._ticks += 1
            self._lag.observe(max(0.0, clock() - due))

    def _watch(self) -> None:
        seen, looked = self._ticks, time.monotonic()
        while not self._stopped.wait(self._look_every_s):
            now = time.monotonic()
            sight = Sight(now - looked, self._ticks != seen, self._stuck())
            seen, looked = self._ticks, now
            reason = self._judge.verdict(sight)
            if reason is not None and not self._stopped.is_set():
                self._bark(reason)
                return

    def _stuck(self) -> dict[str, float]:
        stuck: dict[str, float] = {}
        for name, progress in tuple(self._progress.items()):
            try:
                seconds = progress()
            except Exception as error:  # noqa: BLE001 - it must not take the watchdog with it
                self._log.error("watchdog.progress.failed", progress=name, exc_info=error)
                del self._progress[name]
                continue
            if seconds is not None:
                stuck[name] = seconds
        return stuck

    def _bark(self, reason: str) -> None:
        silent_end = threading.Timer(LAST_WORDS_S, self._end, (EXIT_STUCK,))
        silent_end.daemon = True
        silent_end.start()
        self._log.critical("watchdog.process.ended", reason=reason, exit_code=EXIT_STUCK)
        sys.stdout.flush()
        faulthandler.dump_traceback(all_threads=True)  # files and lines, no values
        silent_end.cancel()
        self._end(EXIT_STUCK)
