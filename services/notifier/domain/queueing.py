"""Who goes first among the pushes that are due: the one whose time runs out first.

A push of an audience has an hour from when it may go, one that a fan has just triggered a minute;
where a fan's act frees it, the end of the window that the act opened, if that comes sooner. Who has
waited longer has the earlier deadline, so that nobody starves behind newer ones.

Deadlines order, they do not drop: a push whose deadline is over is the first to go.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from services.notifier.domain.ledger import WINDOW_MARGIN_MS
from services.notifier.domain.periods import HOUR_MS, MINUTE_MS
from services.notifier.domain.windows import WINDOW_RULES, act_of
from shared.events import Event, FanEvent

TRIGGERED_MS: Final = MINUTE_MS
AUDIENCE_MS: Final = HOUR_MS


class Lane(StrEnum):
    """Parts of the queue, so that finding what is due reads nothing that is not due yet.

    A push is due from its `look_at`. Within a lane the deadline lies at most so far behind that.
    """

    SOON = "soon"
    LATER = "later"


LONGEST_MS: Final = {Lane.SOON: TRIGGERED_MS, Lane.LATER: AUDIENCE_MS}
"""The longest time between `look_at` and deadline of each lane."""


def patience(*, audience: bool) -> int:
    """Milliseconds from when a push may go until it should have gone."""
    return AUDIENCE_MS if audience else TRIGGERED_MS


def lane_of(deadline: int, from_at: int) -> Lane:
    """The lane of a push that may go from `from_at`."""
    return Lane.SOON if deadline - from_at <= TRIGGERED_MS else Lane.LATER


def window_end(event: Event) -> int | None:
    """Until when the window that a fan's act opens takes a call; None if it opens none."""
    act = act_of(event)
    if act is None or not isinstance(event, FanEvent):
        return None
    return event.occurred_at + WINDOW_RULES[event.platform][act].length - WINDOW_MARGIN_MS
