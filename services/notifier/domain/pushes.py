"""One push as a row: its states, what may follow which, and what each change announces.

planned ─▶ held ─▶ calling ─▶ sent | refused | unknown
   └────────┴─────────┴▶ held again          └▶ dropped from planned and held

A row is `calling` before its call is made. What is found `calling` after a crash may have been
called. A dropped row was never sent, for certain, so it may be planned again: see `plan_again`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from services.notifier.domain.queueing import lane_of, patience
from shared.events import (
    PushDropped,
    PushEvent,
    PushHeld,
    PushRefused,
    PushSent,
    PushUnknown,
    stable_id,
)
from shared.kafka.handler import Announcement, Change

E = TypeVar("E", bound=PushEvent)

LATEST_MILLIS: Final = 32_503_679_999_999


class PushState(StrEnum):
    """Where a push stands."""

    PLANNED = "planned"
    HELD = "held"
    CALLING = "calling"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DROPPED = "dropped"


OPEN_STATES: Final = frozenset({PushState.PLANNED, PushState.HELD})
"""Still to be decided."""
PLANNED_AGAIN: Final = frozenset({"tag_lost", "opted_out", "not_following"})
"""Why a row was dropped that may be planned again, when the fan earns the tag again."""
FINAL_STATES: Final = frozenset(
    {PushState.SENT, PushState.REFUSED, PushState.UNKNOWN, PushState.DROPPED}
)


@dataclass(frozen=True, slots=True)
class Push:
    """One (campaign, fan, occurrence). Times in milliseconds, 0 for never."""

    id: str
    campaign: str
    account: str
    """`platform:account`."""
    fan: str
    """The fan's key, `platform:account:openid`."""
    occurrence: str
    channel: str
    cause: str
    """The `ce_id` of the tag change, or the campaign's id."""
    cause_at: int
    """Facts up to here must have arrived before the push is decided."""
    created_at: int
    state: PushState = PushState.PLANNED
    reason: str = ""
    not_before: int = 0
    """When it may go; 0 where nobody knows."""
    look_at: int = 0
    """When it is decided again."""
    deadline: int = 0
    """When it should have gone by; what is due goes in this order."""
    lane: str = ""
    """A `Lane` while it is to be decided, else empty."""
    tag_number: int = 0
    """Number of the tag change that caused it; 0 for an audience's."""
    waits_for_fan: bool = False
    """An act of the fan may free it: then it is decided at once."""
    number: int = 0
    """Raised by each announced change."""
    called_at: int = 0
    attempt: str = ""
    """Names the last commitment to call: a mass send's key, or one batch of calls."""
    message_id: str = ""
    changed_at: int = 0
    trace: str = ""
    """The `traceparent` of what caused it, so that what becomes of it can be joined with that."""

    @property
    def openid(self) -> str:
        """The fan's own id on the platform."""
        return self.fan.split(":", 2)[2]

    @property
    def audience(self) -> bool:
        """Whether it was planned for everybody with a tag, rather than caused by the fan."""
        return self.cause == self.campaign


def plan(push: Push) -> Change[Push]:
    """A new row."""
    return Change(queue(replace(push, look_at=max(push.look_at, push.created_at))))


def plan_again(known: Push, push: Push) -> Change[Push] | None:
    """A row for what the fan has earned anew; None where the known row forbids it.

    Only a later tag change than the one behind the known row counts: the same one may be delivered
    again.
    """
    if known.state is not PushState.DROPPED or known.reason not in PLANNED_AGAIN:
        return None
    if push.cause == known.cause or push.tag_number <= known.tag_number:
        return None
    return plan(replace(push, number=known.number))


def queue(push: Push, deadline: int | None = None) -> Push:
    """The row in its place in the queue: by this deadline, or by how long it may wait."""
    if deadline is None:
        deadline = push.look_at + patience(audience=push.audience)
    return replace(push, deadline=deadline, lane=lane_of(deadline, push.look_at).value)


def hold(
    push: Push,
    reason: str,
    now: int,
    *,
    not_before: int | None,
    look_at: int,
    waits_for_fan: bool = False,
    deadline: int | None = None,
) -> Change[Push]:
    """Not now. Announced when the reason or the date is news.

    Without a date (`not_before` None) it is announced with the time of the next look, once.
    It has had its turn, so it queues anew from its next look, unless it keeps its deadline.
    """
    held = queue(
        replace(
            push,
            state=PushState.HELD,
            reason=reason,
            not_before=not_before or 0,
            look_at=look_at,
            waits_for_fan=waits_for_fan,
            changed_at=now,
        ),
        deadline,
    )
    if (push.state, push.reason, push.not_before) == (PushState.HELD, reason, held.not_before):
        return Change(held)
    told = look_at if not_before is None else not_before
    return _announce(held, PushHeld, now, reason=reason, not_before=min(told, LATEST_MILLIS))


def wake(push: Push, at: int, window_end: int | None = None) -> Change[Push] | None:
    """Look at a held row at once, because something has happened.

    Args:
        push: the row.
        at: when it happened.
        window_end: when the window closes that it has opened.
    """
    if push.state is not PushState.HELD or not push.look_at:
        return None
    deadline = at + patience(audience=push.audience)
    if window_end is not None:
        deadline = min(deadline, window_end)
    if push.deadline:
        deadline = min(deadline, push.deadline)
    return Change(replace(push, look_at=0, deadline=deadline, lane=lane_of(deadline, at).value))


def drop(push: Push, reason: str, now: int) -> Change[Push]:
    """It will never go."""
    dropped = _final(push, PushState.DROPPED, reason, now)
    return _announce(dropped, PushDropped, now, reason=reason)


def call(push: Push, now: int, attempt: str) -> Change[Push]:
    """Commit to a call that is made right after this is durable."""
    calling = replace(
        push,
        state=PushState.CALLING,
        reason="",
        lane="",
        waits_for_fan=False,
        called_at=now,
        attempt=attempt,
        changed_at=now,
    )
    return Change(calling)


def sent(push: Push, now: int, message_id: str) -> Change[Push]:
    """The platform accepted a call that named the fan."""
    done = replace(_final(push, PushState.SENT, "", now), message_id=message_id)
    return _announce(done, PushSent, now)


def refused(push: Push, reason: str, now: int) -> Change[Push]:
    """The platform definitely refused, and it will never go."""
    return _announce(_final(push, PushState.REFUSED, reason, now), PushRefused, now, reason=reason)


def unknown(push: Push, reason: str, now: int) -> Change[Push]:
    """Nobody can tell; it counts as sent."""
    return _announce(_final(push, PushState.UNKNOWN, reason, now), PushUnknown, now, reason=reason)


def _final(push: Push, state: PushState, reason: str, now: int) -> Push:
    return replace(
        push, state=state, reason=reason, lane="", waits_for_fan=False, not_before=0, changed_at=now
    )


def _announce(push: Push, event: type[E], now: int, **fields: str | int) -> Change[Push]:
    numbered = replace(push, number=push.number + 1)
    platform, account, fan = push.fan.split(":", 2)
    outcome = event.model_validate(
        {
            "occurred_at": now,
            "platform": platform,
            "account": account,
            "fan": fan,
            "push": push.id,
            "campaign": push.campaign,
            "occurrence": push.occurrence,
            "channel": push.channel,
            "number": numbered.number,
            **fields,
        }
    )
    cause = stable_id("push-change", push.id, numbered.number)
    return Change(numbered, (Announcement(outcome, cause, push.trace),))
