"""Which comments belong to which incident, and the judgements of a whole account. Pure.

A comment belongs to the incident about its subject that was open at its time. What belongs to none
counts towards `general`, so a crisis of many small complaints is seen too; but not the mild ones
that come along with a grave incident, about which staff were paged already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.sentiment.domain.incidents.comments import SEVERE, NegativeComment
from services.sentiment.domain.incidents.incident import (
    AccountIncidents,
    Incident,
    current_of,
    open_about,
)
from services.sentiment.domain.incidents.judge import judge
from services.sentiment.domain.incidents.judgement import Judgement, Opened, Thresholds, Yardstick
from services.sentiment.domain.incidents.subjects import GENERAL, SUBJECTS
from services.sentiment.domain.incidents.usual import MINUTE_MS, Prior, Usual
from services.sentiment.domain.incidents.windows import Volume

ALONG_MS = 15 * MINUTE_MS
"""Mild complaints may begin so long before the grave ones that they belong to."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the evaluator read of one account: the counter first, then the rest."""

    counter: int
    comments: tuple[NegativeComment, ...]
    volume: Volume
    usual: Usual


def judge_account(
    state: AccountIncidents, evidence: Evidence, prior: Prior, thresholds: Thresholds, now: int
) -> list[Judgement]:
    """Judge each subject of an account, `general` last."""
    judgements: list[Judgement] = []
    yardstick = Yardstick(evidence.usual, prior, thresholds)
    claims = [_claim(one) for one in state.incidents if one.subject != GENERAL]
    general = open_about(state, GENERAL)
    for subject in SUBJECTS:
        if subject == GENERAL:
            continue
        mine = open_about(state, subject)
        after = _covered_until(state.incidents, subject)
        comments = [
            comment
            for comment in evidence.comments
            if comment.subject == subject and comment.at > after
        ]
        if not comments and mine is None:
            continue
        judgement = judge(subject, comments, evidence.volume, current_of(mine), yardstick, now=now)
        if isinstance(judgement, Opened):
            if general is not None and not judgement.reason.level:
                continue  # the same crowd is already being looked after
            claims.append(
                _Claim(
                    subject, judgement.picture.first_at, None, None, bool(judgement.reason.level)
                )
            )
        judgements.append(judgement)
    after = _covered_until(state.incidents, GENERAL)
    judgements.append(
        judge(
            GENERAL,
            _unclaimed(evidence.comments, claims, after),
            evidence.volume,
            current_of(general),
            yardstick,
            now=now,
        )
    )
    return judgements


@dataclass(frozen=True, slots=True)
class _Claim:
    """The comments that an incident has; its ends are None while it is open."""

    subject: str
    start: int
    end: int | None
    """Event time of its last comment."""
    over_at: int | None
    """When it ended, by our clock."""
    grave: bool

    def has(self, comment: NegativeComment) -> bool:
        """Whether the comment is this incident's, or a mild one that comes along with it."""
        if comment.subject == self.subject and comment.at >= self.start:
            return self.end is None or comment.at <= self.end
        if not self.grave or comment.severity >= SEVERE or comment.at < self.start - ALONG_MS:
            return False
        return self.over_at is None or comment.at <= self.over_at


def _claim(incident: Incident) -> _Claim:
    over = incident.status == "resolved"
    return _Claim(
        incident.subject,
        incident.started_at,
        incident.last_at if over else None,
        incident.resolved_at,
        incident.severity >= SEVERE,
    )


def _covered_until(incidents: Sequence[Incident], subject: str) -> int:
    """Event time up to which comments belong to incidents of this subject that are over."""
    return max(
        (one.last_at for one in incidents if one.subject == subject and one.status == "resolved"),
        default=-1,
    )


def _unclaimed(
    comments: Iterable[NegativeComment], claims: Sequence[_Claim], after: int
) -> list[NegativeComment]:
    return [
        comment
        for comment in comments
        if comment.at > after and not any(claim.has(comment) for claim in claims)
    ]
