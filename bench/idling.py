"""What the laptop stack costs while nothing happens: CPU seconds over a quiet minute.

All processes of the embedded stack count: log, store, sandbox and services. CPU seconds are the
kernel's own count, so a noisy neighbour moves them little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.figures import Figure
from deploy.local.parts.embedded_log import EmbeddedLog
from deploy.local.parts.store import EmbeddedStore
from deploy.local.stack import Stack

SETTLE_S = 15.0
"""After the start: groups form, caches fill, first looks are done."""
QUIET_S = 60.0
BAR_PERCENT = 5.0
"""Of one core."""
Embedded = EmbeddedLog | EmbeddedStore


def idling(folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """One quiet minute of the embedded stack."""
    tell(f"idle: the embedded stack without traffic for {QUIET_S:.0f} s")
    with Stack(folder / "idle") as stack:
        time.sleep(SETTLE_S)
        before, began = _cpu_seconds(stack), time.monotonic()
        time.sleep(QUIET_S)
        seconds = time.monotonic() - began
        spent = {name: cpu - before[name] for name, cpu in _cpu_seconds(stack).items()}
    percent = {name: round(100 * cpu / seconds, 2) for name, cpu in spent.items()}
    value = round(sum(percent.values()), 2)
    ratio = round(value / BAR_PERCENT, 3)
    return [Figure("idle_cpu_percent", value, "%", BAR_PERCENT, ratio, 1, facts=percent)]


def _cpu_seconds(stack: Stack) -> dict[str, float]:
    """User and system time of each process so far, by its name."""
    found: dict[str, float] = {}
    parts = [part.process for part in (stack.log, stack.store) if isinstance(part, Embedded)]
    for process in [*parts, *(one.process for one in stack.applications.values())]:
        root = psutil.Process(process.pid)
        times = [one.cpu_times() for one in (root, *root.children(recursive=True))]
        found[process.name] = sum(one.user + one.system for one in times)
    return found
