"""The platforms' clock: wall time that a test may shift, so that no other module asks for the time.

Decisions take `now` as an argument; only the edge (`app`, routes, senders) reads this clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, tzinfo
from email.utils import formatdate
from zoneinfo import ZoneInfo

SHANGHAI: tzinfo = ZoneInfo("Asia/Shanghai")


class Clock:
    """Unix seconds, plus an offset in seconds that `POST /_control` may set."""

    def __init__(self, read: Callable[[], float] = time.time) -> None:
        self._read = read
        self.offset_s = 0.0

    def now(self) -> float:
        """Return the platform's time in Unix seconds."""
        return self._read() + self.offset_s


def http_date(now: float) -> str:
    """Return `now` as an HTTP `Date` header."""
    return formatdate(now, usegmt=True)


def shanghai_day(now: float) -> str:
    """Return the platform's calendar day, e.g. `2026-11-22`; quotas a day reset on it."""
    return datetime.fromtimestamp(now, SHANGHAI).strftime("%Y-%m-%d")


def shanghai_month(now: float) -> str:
    """Return the platform's calendar month, e.g. `2026-11`; quotas a month reset on it."""
    return datetime.fromtimestamp(now, SHANGHAI).strftime("%Y-%m")


def weibo_time(now: float) -> str:
    """Return Weibo's `created_at`, e.g. `Mon Jul 16 18:09:20 +0800 2012`."""
    return datetime.fromtimestamp(now, SHANGHAI).strftime("%a %b %d %H:%M:%S %z %Y")
