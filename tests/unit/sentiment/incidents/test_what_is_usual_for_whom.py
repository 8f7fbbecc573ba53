"""Which subjects are judged, against which history, and what is shown of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.sentiment.domain.incidents.claims import judge_account
from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.incident import AccountIncidents, Incident
from services.sentiment.domain.incidents.judgement import Joined, Opened, Quiet
from services.sentiment.domain.incidents.subjects import GENERAL, SUBJECTS
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    HourCounts,
    Usual,
    fold_hour,
)
from tests.unit.sentiment.incidents.builders import (
    ACCOUNT,
    NOON,
    PRIOR,
    THRESHOLDS,
    comment,
    complaints,
    evidence,
    incident,
)
from tests.unit.sentiment.incidents.test_who_has_a_comment import NOW, judged

FIRST, LAST = SUBJECTS[0], SUBJECTS[-2]
OF_ALL = {"id": f"{ACCOUNT}:{GENERAL}:1", "subject": GENERAL, "severity": 1}


def test_a_subject_that_is_looked_after_already_does_not_hide_the_next_one() -> None:
    mild = complaints(30, subject=FIRST, severity=0)
    grave = [comment(300 + n, at=NOON + n, subject=LAST) for n in range(4)]
    found = judged([*mild, *grave], incident(**OF_ALL))
    assert FIRST not in found
    assert isinstance(found[LAST], Opened)


@pytest.mark.parametrize(("late", "opens"), [(0, False), (1, True)])
def test_what_a_general_incident_had_up_to_its_last_comment_opens_no_other(
    late: int, *, opens: bool
) -> None:
    over = incident(**OF_ALL, status="resolved", resolved_at=NOON + 9, last_at=NOON)
    crowd = [
        comment(n, at=NOON + late, subject=SUBJECTS[n % len(SUBJECTS)], severity=0)
        for n in range(2 * len(SUBJECTS))
    ]
    assert isinstance(judged(crowd, over)[GENERAL], Opened if opens else Quiet)


def test_an_open_incident_without_comments_is_left_as_it_is() -> None:
    assert judged([], incident())["food_safety"] == Quiet("food_safety", "no_new_comments")
    assert judged([])[GENERAL] == Quiet(GENERAL, "no_comments")
    few = judged([comment(1, severity=0)])["food_safety"]
    assert few == Quiet("food_safety", "within_the_usual")


@pytest.mark.parametrize("severity", [2, 3])
def test_a_crowd_hides_nothing_that_is_grave(severity: int) -> None:
    grave = complaints(5, severity=severity)
    seen = evidence(grave, volume={NOON: 5_000})
    (found, _) = judge_account(AccountIncidents(), seen, PRIOR, THRESHOLDS, NOW)
    assert isinstance(found, Opened)
    assert found.reason.level == severity


def test_what_is_grave_is_measured_against_what_was_grave_before() -> None:
    usual = Usual()
    start = NOON - 40 * 24 * HOUR_MS
    for hour in range(39 * 24):
        counts = HourCounts({"food_safety": 60, GENERAL: 60}, 60, 90)
        usual = fold_hour(usual, PRIOR, start + hour * HOUR_MS, counts)

    def opens(found: list[NegativeComment]) -> bool:
        judgements = judge_account(
            AccountIncidents(), evidence(found, usual=usual), PRIOR, THRESHOLDS, NOW
        )
        return any(isinstance(one, Opened) for one in judgements)

    assert opens(complaints(5)), "five in an hour of sixty mild ones, but none was grave"
    assert not opens(complaints(5, severity=1))


def test_the_gravest_comments_are_shown_first_the_earliest_of_them_and_no_two_alike() -> None:
    found = [
        comment(1, at=NOON, severity=1),
        comment(2, at=NOON + 1, severity=3, fingerprint="same"),
        comment(3, at=NOON + 2, severity=3, fingerprint="same"),
        comment(5, at=NOON + 3, severity=3),
        comment(4, at=NOON + 3, severity=3),
        comment(6, at=NOON + 4, severity=2),
    ]
    joined = judged(found, open_about_food())["food_safety"]
    assert isinstance(joined, Joined)
    assert joined.picture.samples == ("c2", "c4", "c5")
    assert (joined.picture.people, joined.picture.comments) == (6, 6)
    assert (joined.picture.first_at, joined.picture.last_at) == (NOON, NOON + 4)


def open_about_food() -> Incident:
    return replace(incident(), started_at=NOON)
