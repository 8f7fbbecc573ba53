"""Comments, incidents and evidence for the tests of the incident domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from services.sentiment.domain.incidents.changes import apply_judgements
from services.sentiment.domain.incidents.claims import Evidence, judge_account
from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.incident import AccountIncidents, Incident
from services.sentiment.domain.incidents.judgement import Reason, Thresholds
from services.sentiment.domain.incidents.usual import MINUTE_MS, Prior, Usual
from services.sentiment.domain.incidents.windows import Volume

NOON = 1_795_233_600_000  # 2026-11-21 12:00 in Shanghai, a Saturday
ACCOUNT = "wechat:gh_brand"
PRIOR = Prior()
THRESHOLDS = Thresholds()


def comment(number: int, *, at: int = NOON, **changes: Any) -> NegativeComment:
    """One negative comment by a person of its own."""
    made = NegativeComment(
        id=f"c{number}",
        at=at,
        author=f"a{number}",
        subject="food_safety",
        severity=3,
        fingerprint=f"f{number}",
    )
    return replace(made, **changes)


def complaints(
    people: int, *, start: int = NOON, apart: int = 5_000, **changes: Any
) -> list[NegativeComment]:
    """As many people, one comment each, `apart` ms between them."""
    return [comment(n, at=start + n * apart, **changes) for n in range(people)]


def evidence(
    comments: Iterable[NegativeComment],
    *,
    counter: int = 1,
    volume: Mapping[int, int] | None = None,
    usual: Usual | None = None,
) -> Evidence:
    """What the evaluator would have read."""
    return Evidence(counter, tuple(comments), Volume.of(volume or {}), usual or Usual())


def evaluate(
    state: AccountIncidents,
    seen: Evidence,
    *,
    now: int = NOON + MINUTE_MS,
    thresholds: Thresholds = THRESHOLDS,
) -> tuple[AccountIncidents, list[str]]:
    """Judge and apply; answers the state and the names of what was announced."""
    judgements = judge_account(state, seen, PRIOR, thresholds, now)
    announced = apply_judgements(ACCOUNT, state, judgements, seen=seen.counter, now=now)
    if announced is None:
        return state, []
    return announced.state, [type(event).__name__ for event, _ in announced.events]


def incident(**changes: Any) -> Incident:
    """An incident that just opened."""
    made = Incident(
        id=f"{ACCOUNT}:food_safety:1",
        account=ACCOUNT,
        subject="food_safety",
        status="open",
        severity=3,
        reason=Reason(
            level=3,
            window_ms=5 * MINUTE_MS,
            people=12,
            limit=3,
            expected=0.004,
            source="prior",
            times=0,
            crossed_at=NOON,
            copied_people=0,
            late=False,
        ),
        people=12,
        comments=13,
        samples=("c1", "c2", "c3"),
        started_at=NOON - 60_000,
        last_at=NOON,
        opened_at=NOON,
        number=1,
        pause_promotions=True,
        step_at=NOON,
    )
    return replace(made, **changes)
