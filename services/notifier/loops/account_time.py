"""The platform's clock as one account has heard it."""

from __future__ import annotations

from datetime import datetime

from services.notifier.domain.decide_push import Moment
from services.notifier.domain.platform_clock import PlatformClock, Reading
from services.notifier.ports import Clock


class AccountTime:
    """The platform's clock as one account has heard it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._platform = PlatformClock()

    def hear(self, date: datetime | None) -> None:
        """Take in the `Date` of an answer that has just arrived."""
        if date is not None:
            millis = round(date.timestamp() * 1000)
            self._platform = self._platform.hear(millis, self._clock.read())

    def read(self) -> Reading:
        """Our own clocks."""
        return self._clock.read()

    def moment(self) -> Moment:
        """Now, for decisions."""
        reading = self._clock.read()
        return Moment(self._platform.now(reading), self._platform.unsure_until(reading))
