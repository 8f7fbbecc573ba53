"""An incident's reason, number by number: staff read it, and calm is measured by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.sentiment.domain.incidents.claims import judge_account
from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.incident import AccountIncidents
from services.sentiment.domain.incidents.judgement import Opened, Reason, Thresholds
from services.sentiment.domain.incidents.subjects import SUBJECTS
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    MINUTE_MS,
    Usual,
    expect,
    limit_in,
)
from services.sentiment.domain.incidents.windows import windows
from tests.unit.sentiment.incidents.builders import (
    NOON,
    PRIOR,
    THRESHOLDS,
    comment,
    complaints,
    evidence,
)

NOW = NOON + 10 * MINUTE_MS


def opened(
    found: list[NegativeComment], *, thresholds: Thresholds = THRESHOLDS, now: int = NOW
) -> dict[str, Reason]:
    judgements = judge_account(AccountIncidents(), evidence(found), PRIOR, thresholds, now)
    return {one.subject: one.reason for one in judgements if isinstance(one, Opened)}


def usual_people(stream: str, width: int, *, severe: bool) -> float:
    """In a window that lies within one hour, by the prior."""
    return expect(Usual(), PRIOR, stream, NOON, severe=severe).per_hour * width / HOUR_MS


def test_the_window_that_is_named_is_the_worst_and_of_those_the_shortest() -> None:
    found = opened(complaints(9, start=NOON + 20 * MINUTE_MS, apart=20_000), now=NOW)
    reason = found["food_safety"]
    assert (reason.level, reason.window_ms, reason.people) == (3, 5 * MINUTE_MS, 9)
    assert (reason.limit, reason.source, reason.times) == (3, "prior", 0)
    assert reason.crossed_at == NOON + 20 * MINUTE_MS + 40_000, "three within a minute"
    assert (reason.copied_people, reason.late) == (0, False)
    by_prior = usual_people("food_safety_severe", 5 * MINUTE_MS, severe=True)
    assert reason.expected == round(by_prior, 3) != round(by_prior, 4)


def test_the_limit_is_the_one_that_chance_passes_as_rarely_as_configured() -> None:
    reason = opened(complaints(60, subject="service", severity=0, apart=500))["service"]
    assert (reason.level, reason.people) == (0, 60)
    width = reason.window_ms
    expectation = expect(Usual(), PRIOR, "service", NOON, severe=False)
    people = usual_people("service", width, severe=False)
    share_of_one = THRESHOLDS.false_alarms_a_month / (len(SUBJECTS) * len(THRESHOLDS.windows_ms))
    assert reason.limit == max(8, limit_in(expectation, people, width, share_of_one))
    assert reason.expected == round(people, 3)


def test_grave_and_mild_comments_have_false_alarms_of_their_own() -> None:
    grave = complaints(4)
    mild = complaints(30, subject="service", severity=0, apart=1_000)
    never, always = 1e-300, 1e9
    only_mild = Thresholds(false_alarms_a_month=always, severe_false_alarms_a_month=never)
    only_grave = Thresholds(false_alarms_a_month=never, severe_false_alarms_a_month=always)
    assert "food_safety" not in opened(grave, thresholds=only_mild)
    assert "service" in opened(mild, thresholds=only_mild)
    assert "food_safety" in opened(grave, thresholds=only_grave)
    assert "service" not in opened(mild, thresholds=only_grave)


def test_grave_comments_that_are_far_apart_do_not_hide_a_crowd_of_mild_ones() -> None:
    grave = [
        comment(100 + n, at=NOON - (n + 2) * 100 * MINUTE_MS, subject="service") for n in range(3)
    ]
    crowd = complaints(30, subject="service", severity=0, apart=1_000)
    assert opened(grave) == {}
    assert opened([*grave, *crowd])["service"].level == 0


@pytest.mark.parametrize(("after", "late"), [(-1, False), (0, False), (1, True)])
def test_comments_are_late_that_crossed_a_quarter_of_an_hour_ago(after: int, *, late: bool) -> None:
    crossed = NOON + 10_000
    now = crossed + THRESHOLDS.late_after_ms + after
    reason = opened(complaints(5), now=now)["food_safety"]
    assert (reason.crossed_at, reason.late) == (crossed, late)


def test_a_window_ends_with_its_comment_and_begins_after_the_one_a_width_before() -> None:
    three = [comment(1, at=NOON), comment(2, at=NOON + 1), comment(3, at=NOON + MINUTE_MS)]
    found = [(one.people, one.first, one.last, one.end) for one in windows(three, MINUTE_MS)]
    assert found == [
        (1, 0, 0, NOON),
        (2, 0, 1, NOON + 1),
        (2, 1, 2, NOON + MINUTE_MS),
    ]
    same = [replace(one, author="a") for one in three]
    assert [one.people for one in windows(same, MINUTE_MS)] == [1, 1, 1]
