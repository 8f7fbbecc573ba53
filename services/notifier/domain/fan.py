"""What the notifier knows of a fan, in three parts, each written by one loop.

The events loop owns the facts, the tags loop the tags, the sender's loop the ledger. All read all.
Facts are kept with their times and the newest wins, so a late re-send of a webhook does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.notifier.domain.keywords import read_preference
from services.notifier.domain.ledger import Ledger
from services.notifier.domain.windows import Act, act_of
from shared.events import (
    Event,
    FanEvent,
    FanUnfollowed,
    LinkViewed,
    MassSendFinished,
    MessageReceived,
    OtherReceived,
    TagAssigned,
    TagRemoved,
)

MOST_JOBS: Final = 128
"""Finished mass sends whose counts an account's document keeps."""
_UNSUBSCRIBED: Final = "event.unsubscribe"
_SUBSCRIBED: Final = "event.subscribe"


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How a mass send ended, as the platform counted it (WeChat MASSSENDJOBFINISH)."""

    message_id: str
    status: str
    total: int
    filtered: int
    sent: int
    errors: int
    at: int


@dataclass(frozen=True, slots=True)
class FanFacts:
    """What a fan did, as far as it decides about pushes. Times in milliseconds, 0 for never."""

    seen_at: int = 0
    """Newest fact of any kind: facts up to here have arrived."""
    following: bool | None = None
    """Whether the fan can be reached; None while nothing said so."""
    following_at: int = 0
    windows: Mapping[Act, int] = field(default_factory=dict)
    """Newest act of each kind that opens a window."""
    opted_out: bool = False
    opted_at: int = 0
    jobs: tuple[JobCounts, ...] = ()
    """Only in an account's own document: its finished mass sends, oldest first."""

    @property
    def acted_at(self) -> int:
        """When the fan last did something that opens a window."""
        return max(self.windows.values(), default=0)


@dataclass(frozen=True, slots=True)
class FanTags:
    """The fan's tags after the change with the highest number."""

    tags: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Fan:
    """All that a decision about a fan needs."""

    facts: FanFacts = field(default_factory=FanFacts)
    tags: FanTags = field(default_factory=FanTags)
    ledger: Ledger = field(default_factory=Ledger)


def apply_event(facts: FanFacts, event: Event) -> FanFacts:
    """The facts after an event of this fan (or, for a finished mass send, of this account)."""
    if isinstance(event, MassSendFinished):
        return _finish_job(facts, event)
    at = event.occurred_at
    known = replace(facts, seen_at=max(facts.seen_at, at))
    if isinstance(event, FanUnfollowed):
        return known if at < facts.following_at else _forget(known, at)
    if isinstance(event, OtherReceived) and event.authenticated_by == "standard_webhooks":
        return known  # a shop's word, whatever it is called, is no act on the platform
    known = prefer(known, _preference_in(event), at)
    act = act_of(event)
    if act is None and not isinstance(event, LinkViewed):
        return known
    if facts.following is False and (at < facts.following_at or not _proves_return(event, act)):
        return known
    windows = known.windows
    if act is not None and at > windows.get(act, 0):
        windows = {**windows, act: at}
    return replace(known, following=True, following_at=max(known.following_at, at), windows=windows)


def prefer(facts: FanFacts, opted_out: bool | None, at: int) -> FanFacts:  # noqa: FBT001 - a value
    """The facts after a fan's choice about pushes; a choice older than the known one is ignored."""
    if opted_out is None or at < facts.opted_at:
        return facts
    return replace(facts, opted_out=opted_out, opted_at=at)


def apply_tags(tags: FanTags, event: TagAssigned | TagRemoved) -> FanTags:
    """The tags after a change; one with a lower number than the known is old news."""
    if event.number <= tags.number:
        return tags
    return FanTags(event.tags, event.number)


def _forget(facts: FanFacts, at: int) -> FanFacts:
    """Only that the fan left and, so that it is kept for good, that pushes were refused."""
    return FanFacts(
        seen_at=facts.seen_at,
        following=False,
        following_at=at,
        opted_out=facts.opted_out,
        opted_at=facts.opted_at,
    )


def _proves_return(event: Event, act: Act | None) -> bool:
    """Whether a fan who left follows again: strangers may write on Weibo, but not on WeChat."""
    return act is Act.SUBSCRIBE or (isinstance(event, FanEvent) and event.platform == "wechat")


def _preference_in(event: Event) -> bool | None:
    match event:
        case MessageReceived(text=text):
            return read_preference(text)
        case OtherReceived(kind=kind) if kind.lower() == _UNSUBSCRIBED:
            return True
        case OtherReceived(kind=kind) if kind.lower() == _SUBSCRIBED:
            return False
        case _:
            return None


def _finish_job(facts: FanFacts, event: MassSendFinished) -> FanFacts:
    job = JobCounts(
        event.message_id,
        event.status,
        event.total,
        event.filtered,
        event.sent,
        event.errors,
        event.occurred_at,
    )
    others = tuple(one for one in facts.jobs if one.message_id != job.message_id)
    return replace(
        facts,
        seen_at=max(facts.seen_at, event.occurred_at),
        jobs=(*others, job)[-MOST_JOBS:],
    )
