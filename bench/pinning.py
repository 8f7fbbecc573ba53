"""One process, one core: where the machine has more than one."""

from __future__ import annotations

import os

import psutil


def cores() -> tuple[set[int], set[int]]:
    """(the measured program's core, everything else's): the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, set(usable[1:]) or {usable[0]})


def pin(pid: int, wanted: set[int]) -> None:
    """Keep a process and all its threads on these cores."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, wanted)
    os.sched_setaffinity(pid, wanted)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
