"""The incidents of one account: one document holds them all. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.sentiment.domain.incidents.judgement import (
    Current,
    Reason,
)
from shared.events.base import Platform

Status = Literal["open", "acknowledged", "resolved"]
StepWhy = Literal["", "not_acknowledged", "severity_rose", "channels_dead", "worse"]
"""Why the escalation step that was reached was due; nothing for the first one."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a person knew who acknowledged an incident: what is worse than this pages again."""

    severity: int
    people: int
    at: int
    """When it was acknowledged, by our clock, ms."""
    by: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One crisis of one account about one subject. Times are ms since the epoch."""

    id: str
    account: str
    """`platform:account`."""
    subject: str
    status: Status
    severity: int
    reason: Reason
    people: int
    """Different people so far."""
    comments: int
    samples: tuple[str, ...]
    """Ids of comments worth reading."""
    started_at: int
    """Event time of its first comment."""
    last_at: int
    """Event time of its newest comment."""
    opened_at: int
    """When we opened it, by our clock."""
    number: int
    """Number of the event that announced it last."""
    pause_promotions: bool
    step: int = 0
    """The escalation step that was reached."""
    step_at: int = 0
    """When it was reached, by our clock."""
    step_why: StepWhy = ""
    """Why that step was due."""
    round: int = 0
    """How often it got worse after an acknowledgement, so that paging began anew."""
    round_step: int = 0
    """The step with which the present round began; the policy's steps count from there."""
    known: Known | None = None
    """What who acknowledged it last knew, also after it got worse."""
    grave: bool = False
    """Its severity rose past the step that was paged; the next step is due at once."""
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    resolved_at: int | None = None
    resolved_by: str = ""
    resolution: str = ""
    """Why it ended: `no_more_comments`, `back_to_the_usual` or `by_hand`."""
    trace: str = ""
    """The `traceparent` of a comment that opened it: what comes of it goes on with that."""


@dataclass(frozen=True, slots=True)
class AccountIncidents:
    """All incidents of an account, newest last, and how far the evaluator has looked."""

    seen: int = 0
    """The account's counter when the judgement was made."""
    ordinal: int = 0
    """How many incidents there have been."""
    incidents: tuple[Incident, ...] = ()


def find(state: AccountIncidents, incident_id: str) -> Incident | None:
    """The incident with this id."""
    return next((one for one in state.incidents if one.id == incident_id), None)


def unresolved(state: AccountIncidents) -> list[Incident]:
    """The incidents that are not over."""
    return [one for one in state.incidents if one.status != "resolved"]


def open_about(state: AccountIncidents, subject: str) -> Incident | None:
    """The incident about this subject that is not over; there is one at the most."""
    return next((one for one in unresolved(state) if one.subject == subject), None)


def current_of(incident: Incident | None) -> Current | None:
    """What the judgement needs to know of an incident."""
    if incident is None:
        return None
    # Documents from before there was `known`: what stands there had been told.
    known = incident.known or known_now(incident, incident.acknowledged_by, 0)
    return Current(
        started_at=incident.started_at,
        limit=incident.reason.limit,
        window_ms=incident.reason.window_ms,
        level=incident.reason.level,
        changed_at=incident.acknowledged_at or incident.opened_at,
        acknowledged=incident.status == "acknowledged",
        known_severity=known.severity,
        known_people=known.people,
    )


def known_now(incident: Incident, who: str, now: int) -> Known:
    """What somebody knows who acknowledges the incident as it is."""
    return Known(incident.severity, incident.people, now, who)


def account_of(incident_id: str) -> str:
    """The account in an incident's id, `<account>:<subject>:<ordinal>`."""
    return incident_id.rsplit(":", 2)[0]


def split_account(account: str) -> tuple[Platform, str]:
    """`platform:account` in its parts."""
    platform, _, rest = account.partition(":")
    return ("weibo" if platform == "weibo" else "wechat"), rest
