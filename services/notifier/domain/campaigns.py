"""Campaigns: what to tell whom, when; and the names of their occurrences.

A definition never changes after it was stored; only the plan's progress and the cancellation do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from services.notifier.domain.periods import (
    DAY_MS,
    day_name,
    day_of,
    day_start,
    week_name,
    week_start,
)
from shared.events import stable_id

ONCE = "once"


class Repeat(StrEnum):
    """How often one fan may get the campaign."""

    ONCE = "once"
    DAY = "day"
    WEEK = "week"


class ContentKind(StrEnum):
    """What a push consists of, by the platform's word."""

    TEXT = "text"
    ARTICLE = "mpnews"


@dataclass(frozen=True, slots=True)
class Content:
    """A text, or the media id of an article stored with the platform."""

    kind: ContentKind
    value: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How far the rows of an audience are planned."""

    occurrence: str = ""
    """The occurrence that is being planned, or was last."""
    cursor: str = ""
    """Fans up to this key have their rows."""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. Exactly one of `audience_tag` and `trigger_tag` is set."""

    id: str
    name: str
    account: str
    """`platform:account`."""
    channel: str
    content: Content
    promotion: bool
    not_before: int
    expires: int
    repeat: Repeat
    created_at: int
    audience_tag: str | None = None
    """Fans who have this tag when the campaign is planned."""
    trigger_tag: str | None = None
    """Each fan who gains this tag from now on."""
    digest: str = ""
    """Of the definition as it was asked for: another definition under the same id is refused."""
    cancelled: bool = False
    plan: Plan = field(default_factory=Plan)

    @property
    def tag(self) -> str:
        """The tag that a fan must have when the push is sent."""
        return self.audience_tag or self.trigger_tag or ""

    @property
    def platform(self) -> str:
        """`wechat` or `weibo`."""
        return self.account.partition(":")[0]


def occurrence_at(campaign: Campaign, at: int) -> str:
    """The occurrence that an instant belongs to."""
    match campaign.repeat:
        case Repeat.ONCE:
            return ONCE
        case Repeat.DAY:
            return day_name(at)
        case Repeat.WEEK:
            return week_name(at)


def period_of(campaign: Campaign, at: int) -> tuple[int, int] | None:
    """First millisecond of the occurrence that an instant belongs to, and of the one after it.

    None where the campaign does not repeat.
    """
    match campaign.repeat:
        case Repeat.ONCE:
            return None
        case Repeat.DAY:
            start = day_start(day_of(at))
            return start, start + DAY_MS
        case Repeat.WEEK:
            start = week_start(at)
            return start, start + 7 * DAY_MS


def push_id(campaign: str, fan: str, occurrence: str) -> str:
    """The id of a push: what has the same id is the same push."""
    return stable_id("push", campaign, fan, occurrence)


def is_triggered(campaign: Campaign, tag: str, account: str, at: int) -> bool:
    """Whether gaining a tag at an instant makes a push of this campaign.

    Platforms tell time in whole seconds, so the campaign's own second counts in full.
    """
    return (
        campaign.trigger_tag == tag
        and campaign.account == account
        and not campaign.cancelled
        and campaign.created_at // 1000 * 1000 <= at < campaign.expires
    )


def occurrence_to_plan(campaign: Campaign, now: int) -> str | None:
    """The occurrence whose rows are missing now; None if there is nothing to plan."""
    if campaign.audience_tag is None or campaign.cancelled:
        return None
    if not campaign.not_before <= now < campaign.expires:
        return None
    occurrence = occurrence_at(campaign, now)
    if campaign.plan.occurrence == occurrence and campaign.plan.done:
        return None
    return occurrence
