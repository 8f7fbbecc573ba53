"""What time it is on the platform, and whether that is sure enough for calendar-bound sends.

Ours, corrected by the `Date` header of the platform's last answer. The correction is carried by
the monotonic clock, so a wall clock that somebody sets does not move it; but a jump means that
something is wrong, and calendar-bound sends wait until the platform has been heard again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from services.notifier.domain.periods import BOUNDARY_MARGIN_MS, MINUTE_MS, near_boundary

HEARD_WITHIN_MS: Final = 5 * MINUTE_MS
"""Without an answer for so long, the correction is too old."""
JUMP_MS: Final = 30_000
"""A larger step of either clock is a jump."""
_HEADER_MIDDLE_MS: Final = 500
"""A `Date` header names a whole second; the answer was written somewhere in it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at our clocks."""

    wall: int
    """Milliseconds since the epoch; somebody may set it."""
    mono: int
    """Milliseconds of a clock that only runs forward."""


@dataclass(frozen=True, slots=True)
class PlatformClock:
    """What we know of a platform's clock."""

    heard: Reading | None = None
    """Our clocks when the last `Date` arrived."""
    platform: int = 0
    """The platform's time then, in milliseconds."""
    doubtful: bool = False
    """The last `Date` contradicted the one before by more than a jump; one more must confirm it."""

    def hear(self, date: int, at: Reading) -> PlatformClock:
        """The clock after a `Date` header (milliseconds) that arrived `at`."""
        platform = date + _HEADER_MIDDLE_MS
        doubtful = self.heard is not None and abs(platform - self.now(at)) > JUMP_MS
        return replace(self, heard=at, platform=platform, doubtful=doubtful)

    def now(self, at: Reading) -> int:
        """The platform's time; our wall clock's while the platform was never heard."""
        if self.heard is None:
            return at.wall
        return self.platform + at.mono - self.heard.mono

    def unsure_until(self, at: Reading) -> int | None:
        """When to look again if the platform's calendar is not sure now; None when it is.

        Near a boundary only waiting helps; otherwise an answer of the platform does.
        """
        now = self.now(at)
        if self.heard is None or self.doubtful:
            return now
        if at.mono - self.heard.mono > HEARD_WITHIN_MS:
            return now
        drift = (at.wall - self.heard.wall) - (at.mono - self.heard.mono)
        if abs(drift) > JUMP_MS:
            return now
        if near_boundary(now):
            return now + 2 * BOUNDARY_MARGIN_MS
        return None
