"""Changes of incidents: done twice they are done once, and each announces itself with one id."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.sentiment.domain.incidents.changes import (
    KEPT_CLOSED,
    Announced,
    acknowledge,
    apply_judgements,
    escalate,
    resolve,
    resume_promotions,
)
from services.sentiment.domain.incidents.incident import AccountIncidents, unresolved
from services.sentiment.domain.incidents.judge import picture_of
from services.sentiment.domain.incidents.judgement import Opened
from tests.unit.sentiment.incidents.builders import (
    ACCOUNT,
    NOON,
    THRESHOLDS,
    complaints,
    incident,
)

STATE = AccountIncidents(seen=1, ordinal=1, incidents=(incident(),))
ID = incident().id


def opening() -> Opened:
    return Opened("food_safety", incident().reason, picture_of(complaints(5), THRESHOLDS))


def opened(state: AccountIncidents, now: int = NOON) -> Announced:
    announced = apply_judgements(ACCOUNT, state, [opening()], seen=2, now=now)
    assert announced is not None
    return announced


def test_a_second_opening_about_the_same_subject_is_not_applied() -> None:
    after = opened(STATE)
    assert after.events == ()
    assert len(unresolved(after.state)) == 1


def test_an_opening_decided_again_later_has_the_same_incident_and_cause() -> None:
    first, again = opened(AccountIncidents()), opened(AccountIncidents(), now=NOON + 999)
    assert [cause for _, cause in first.events] == [cause for _, cause in again.events]
    assert first.state.incidents[0].id == again.state.incidents[0].id


def test_every_change_has_a_cause_of_its_own_and_a_rising_number() -> None:
    state, causes, numbers = STATE, list[str](), list[int]()
    changes: tuple[Callable[[AccountIncidents], Announced | None], ...] = (
        lambda s: escalate(s, ID, 1, NOON),
        lambda s: escalate(s, ID, 2, NOON),
        lambda s: acknowledge(s, ID, "wang", NOON),
        lambda s: resume_promotions(s, ID, "wang", NOON),
        lambda s: resolve(s, ID, "wang", NOON),
    )
    for change in changes:
        announced = change(state)
        assert announced is not None
        assert change(announced.state) is None
        state = announced.state
        causes += [cause for _, cause in announced.events]
        numbers += [event.number for event, _ in announced.events]
    assert len(set(causes)) == 5
    assert numbers == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("step", [0, 2, 3])
def test_no_step_of_an_escalation_is_left_out_or_repeated(step: int) -> None:
    assert escalate(STATE, ID, step, NOON) is None


def test_promotions_stay_paused_until_somebody_says_otherwise() -> None:
    taken = acknowledge(STATE, ID, "wang", NOON)
    assert taken is not None
    assert taken.events[0][0].pause_promotions
    resumed = resume_promotions(taken.state, ID, "li", NOON)
    assert resumed is not None
    assert not resumed.events[0][0].pause_promotions
    assert resumed.state.incidents[0].acknowledged_by == "wang"


@pytest.mark.parametrize("change", [acknowledge, resolve, resume_promotions])
def test_an_unknown_incident_is_not_changed(change: object) -> None:
    assert callable(change)
    assert change(STATE, "wechat:gh_brand:price:9", "wang", NOON) is None


def test_only_incidents_severe_enough_pause_promotions() -> None:
    for pause_from, paused in ((0, True), (3, True), (4, False)):
        announced = apply_judgements(
            ACCOUNT,
            AccountIncidents(),
            [opening()],
            seen=1,
            now=NOON,
            pause_from_severity=pause_from,
        )
        assert announced is not None
        assert announced.state.incidents[0].pause_promotions is paused


def test_a_document_keeps_the_newest_closed_incidents_and_all_open_ones() -> None:
    closed = tuple(
        incident(id=f"{ACCOUNT}:price:{number}", subject="price", status="resolved")
        for number in range(KEPT_CLOSED + 20)
    )
    waiting = incident(id=f"{ACCOUNT}:service:1", subject="service")
    after = opened(AccountIncidents(incidents=(waiting, *closed), ordinal=200)).state
    assert waiting in after.incidents
    assert closed[-1] in after.incidents
    assert closed[0] not in after.incidents
    assert len(after.incidents) == KEPT_CLOSED + 2
