"""Which comments an incident has, which reach `general`, and when an incident ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.sentiment.domain.incidents.changes import acknowledge, resolve, resume_promotions
from services.sentiment.domain.incidents.claims import ALONG_MS, judge_account
from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.incident import AccountIncidents, Incident
from services.sentiment.domain.incidents.judgement import Joined, Judgement, Opened, Quiet, Resolved
from services.sentiment.domain.incidents.usual import MINUTE_MS
from services.sentiment.domain.incidents.windows import in_order, people_since
from tests.unit.sentiment.incidents.builders import (
    ACCOUNT,
    NOON,
    PRIOR,
    THRESHOLDS,
    comment,
    complaints,
    evaluate,
    evidence,
    incident,
)

NOW = NOON + 10 * MINUTE_MS


def judged(found: list[NegativeComment], *known: Incident, now: int = NOW) -> dict[str, Judgement]:
    state = AccountIncidents(incidents=known, ordinal=len(known))
    judgements = judge_account(state, evidence(found), PRIOR, THRESHOLDS, now)
    return {one.subject: one for one in judgements}


def grave_about(*subjects: str) -> list[NegativeComment]:
    """One grave comment about each: none of them is enough alone."""
    return [
        comment(500 + number, at=NOON + number * 1_000, subject=subject)
        for number, subject in enumerate(subjects)
    ]


def mild(number: int, *, at: int) -> list[NegativeComment]:
    return [comment(700 + n, at=at + n, subject="general", severity=0) for n in range(number)]


def test_grave_comments_about_other_things_reach_general_beside_a_grave_incident() -> None:
    others = grave_about("product_safety", "privacy", "service", "price")
    found = judged([*complaints(6), *others])
    assert isinstance(found["food_safety"], Opened)
    general = found["general"]
    assert isinstance(general, Opened)
    assert (general.reason.level, general.picture.people) == (3, 4)


def test_grave_comments_reach_general_beside_a_grave_incident_that_is_open_already() -> None:
    others = grave_about("product_safety", "privacy", "service", "price")
    general = judged([*complaints(6), *others], incident())["general"]
    assert isinstance(general, Opened)
    assert general.picture.people == 4


@pytest.mark.parametrize(
    ("before", "opens"), [(ALONG_MS, False), (ALONG_MS + 31, True)], ids=["along", "earlier"]
)
def test_mild_comments_come_along_if_they_began_a_quarter_of_an_hour_before(
    before: int, *, opens: bool
) -> None:
    start = NOON
    crowd = mild(30, at=start - before)
    general = judged([*complaints(6, start=start), *crowd], now=NOW)["general"]
    assert isinstance(general, Opened if opens else Quiet)


def test_mild_comments_do_not_come_along_with_a_mild_incident() -> None:
    open_one = incident(severity=1, subject="service", id=f"{ACCOUNT}:service:1")
    assert isinstance(judged(mild(30, at=NOON), open_one)["general"], Opened)
    grave_one = replace(open_one, severity=2)
    assert isinstance(judged(mild(30, at=NOON), grave_one)["general"], Quiet)


@pytest.mark.parametrize(("after", "opens"), [(0, False), (1, True)])
def test_mild_comments_come_along_until_the_grave_incident_is_over(after: int, opens: int) -> None:
    over = incident(status="resolved", resolved_at=NOON + 100, last_at=NOON)
    crowd = [
        comment(800 + n, at=NOON + 100 + after, subject="general", severity=0) for n in range(30)
    ]
    assert isinstance(judged(crowd, over)["general"], Opened if opens else Quiet)


def test_a_resolved_incident_has_its_comments_up_to_its_last_one() -> None:
    over = incident(
        status="resolved", severity=1, resolved_at=NOW, started_at=NOON, last_at=NOON + 20_000
    )
    own = [comment(n, at=NOON + n * 500, severity=0) for n in range(41)]
    assert own[-1].at == over.last_at
    found = judged(own, over)
    assert "food_safety" not in found
    assert found["general"] == Quiet("general", "no_comments")
    later = [comment(100 + n, at=over.last_at + 1 + n, severity=0) for n in range(20)]
    opened = judged([*own, *later], over)["food_safety"]
    assert isinstance(opened, Opened)
    assert opened.picture.people == 20


def test_comments_before_an_open_incident_began_are_not_its_own() -> None:
    begun = incident(severity=1, started_at=NOON)
    early = [comment(n, at=NOON - 1 - n * 100, severity=0) for n in range(30)]
    found = judged([*early, comment(99, at=NOON, severity=0)], begun)
    joined = found["food_safety"]
    assert isinstance(joined, Joined)
    assert (joined.picture.people, joined.picture.first_at) == (1, NOON)
    assert isinstance(found["general"], Opened), "what is nobody's counts for general"


def test_while_a_general_incident_is_open_only_what_is_grave_opens_another() -> None:
    general = incident(id=f"{ACCOUNT}:general:1", subject="general", severity=1)
    many = complaints(30, subject="service", severity=0)
    assert "service" not in judged(many, general)
    assert isinstance(judged(complaints(4), general)["food_safety"], Opened)


def test_what_a_subject_not_judged_has_counts_for_the_general_incident_that_is_open() -> None:
    general = incident(
        id=f"{ACCOUNT}:general:1", subject="general", severity=1, started_at=NOON - 1
    )
    joined = judged(complaints(30, subject="service", severity=0), general)["general"]
    assert isinstance(joined, Joined)
    assert joined.picture.people == 30


def test_an_incident_does_not_end_at_its_acknowledgement() -> None:
    """Calm is counted from when a person took it: time for what they do to be seen."""
    late = NOON + 3 * 60 * MINUTE_MS
    state, _ = evaluate(AccountIncidents(), evidence(complaints(6)))
    taken = acknowledge(state, state.incidents[0].id, "wang", late)
    assert taken is not None
    quiet = THRESHOLDS.quiet_ms
    for waited, ends in ((0, False), (quiet - 1, False), (quiet, True)):
        now = late + waited
        found = judge_account(taken.state, evidence(complaints(6)), PRIOR, THRESHOLDS, now)
        assert isinstance(found[0], Resolved) is ends, waited


def test_it_is_calm_from_the_last_comment_that_is_as_grave_as_what_opened_it() -> None:
    state, _ = evaluate(AccountIncidents(), evidence(complaints(6)))
    taken = acknowledge(state, state.incidents[0].id, "wang", NOON)
    assert taken is not None
    now = NOON + 2 * THRESHOLDS.quiet_ms
    since = now - THRESHOLDS.quiet_ms

    def ends(*more: NegativeComment) -> object:
        seen = evidence([*complaints(6), *more])
        return judge_account(taken.state, seen, PRIOR, THRESHOLDS, now)[0]

    milder = [comment(50 + n, at=now - 1, severity=2) for n in range(5)]
    assert ends(*milder) == Resolved("food_safety", "no_more_comments")
    at_the_edge = [comment(50 + n, at=since) for n in range(5)]  # more would be a turn to the worse
    assert ends(*at_the_edge) == Resolved("food_safety", "no_more_comments")
    assert isinstance(ends(*(replace(one, at=since + 1) for one in at_the_edge)), Joined)
    assert ends(comment(50, at=now)) == Resolved("food_safety", "back_to_the_usual")


def test_resuming_promotions_keeps_who_acknowledged_and_when() -> None:
    state = AccountIncidents(incidents=(incident(),))
    taken = acknowledge(state, incident().id, "wang", NOON + 1)
    assert taken is not None
    resumed = resume_promotions(taken.state, incident().id, "li", NOON + 9)
    assert resumed is not None
    (one,) = resumed.state.incidents
    assert (one.acknowledged_at, one.acknowledged_by) == (NOON + 1, "wang")
    assert (one.pause_promotions, one.number) == (False, 3)
    over = resolve(resumed.state, one.id, "zhao", NOON + 20)
    assert over is not None
    (one,) = over.state.incidents
    assert (one.acknowledged_at, one.resolved_at, one.resolved_by) == (NOON + 1, NOON + 20, "zhao")


def test_resuming_promotions_of_an_open_incident_acknowledges_it() -> None:
    state = AccountIncidents(incidents=(incident(),))
    resumed = resume_promotions(state, incident().id, "li", NOON + 9)
    assert resumed is not None
    (one,) = resumed.state.incidents
    assert (one.status, one.acknowledged_at, one.acknowledged_by) == (
        "acknowledged",
        NOON + 9,
        "li",
    )


def test_comments_as_grave_as_just_counts_as_grave_reach_general_too() -> None:
    others = [replace(one, severity=2) for one in grave_about("privacy", "service", "price", "x")]
    general = judged([*complaints(6), *others])["general"]
    assert isinstance(general, Opened)
    assert (general.reason.level, general.picture.severity) == (2, 2)


@pytest.mark.parametrize(("earlier", "opens"), [(0, False), (1, True)])
def test_comments_of_one_instant_come_along_or_do_not(earlier: int, *, opens: bool) -> None:
    at = NOON - ALONG_MS - earlier
    crowd = [comment(900 + n, at=at, subject="general", severity=0) for n in range(30)]
    general = judged([*complaints(6), *crowd])["general"]
    assert isinstance(general, Opened if opens else Quiet)


def test_what_comes_after_a_resolved_incident_counts_for_general() -> None:
    over = incident(
        status="resolved", severity=1, resolved_at=NOON + 9, started_at=NOON - 9, last_at=NOON
    )
    few = [comment(n, at=NOON + 1 + n, severity=0) for n in range(6)]
    others = [comment(50 + n, at=NOON + 1 + n, subject="x", severity=0) for n in range(5)]
    together = judged([*few, *others], over)["general"]
    assert isinstance(together, Opened)
    assert together.picture.people == 11
    assert isinstance(judged(others, over)["general"], Quiet)


def test_people_still_writing_who_are_half_of_the_limit_are_not_calm() -> None:
    begun = incident(
        status="acknowledged",
        acknowledged_at=NOON,
        reason=replace(incident().reason, limit=4),
    )
    now = NOON + 2 * THRESHOLDS.quiet_ms

    def ends(people: int) -> object:
        more = [comment(60 + n, at=now - n) for n in range(people)]
        return judged([*complaints(3), *more], begun, now=now)["food_safety"]

    assert ends(1) == Resolved("food_safety", "back_to_the_usual")
    assert isinstance(ends(2), Joined)


@pytest.mark.parametrize(
    ("severities", "severity"),
    [
        ((3, 3, 3), 3),
        ((3, 3, 2, 2), 2),
        ((2, 2, 2, 2), 2),
        ((2, 2, 2, 1), 1),
        ((1, 0, 0), 1),
        ((0, 0, 0), 0),
    ],
)
def test_a_severity_is_what_enough_people_report(
    severities: tuple[int, ...], severity: int
) -> None:
    found = [comment(n, at=NOON + n, severity=one) for n, one in enumerate(severities)]
    joined = judged(found, incident(severity=0))["food_safety"]
    assert isinstance(joined, Joined)
    assert joined.picture.severity == severity


@pytest.mark.parametrize(
    ("copies", "people", "flood"),
    [(3, 6, 3), (3, 7, 0), (4, 7, 4), (2, 3, 0), (3, 3, 3), (9, 9, 9)],
)
def test_a_flood_is_three_people_and_half_of_all_with_one_text(
    copies: int, people: int, flood: int
) -> None:
    found = [
        comment(n, at=NOON + n, fingerprint="same" if n < copies else f"f{n}")
        for n in range(people)
    ]
    opened = judged(found)["food_safety"]
    assert isinstance(opened, Opened)
    assert opened.reason.copied_people == flood


def test_one_person_who_copies_a_text_is_no_flood() -> None:
    copied = [comment(n, at=NOON + n, author="a0", fingerprint="same") for n in range(9)]
    opened = judged([*copied, *complaints(4)])["food_safety"]
    assert isinstance(opened, Opened)
    assert opened.reason.copied_people == 0


def test_people_are_counted_from_an_instant_on() -> None:
    ordered = in_order([*complaints(4), comment(9, at=NOON + 5_000, author="a3")])
    counted = [people_since(ordered, NOON + late) for late in (0, 1, 5_000, 10_000, 15_000, 15_001)]
    assert counted == [4, 3, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.1, 60.0), (0.2, 135.0), (0.5, 540.0), (0.6, 540.0), (0.99, 540.0)]
)
def test_a_crowd_of_calm_comments_brings_its_usual_share_of_angry_ones(
    share: float, expected: float
) -> None:
    """As many as make that share of all, and never more than there are calm ones."""
    angry = complaints(1_500, apart=10, subject="service", severity=0)
    seen = evidence(angry, volume={NOON: 540})
    prior = replace(PRIOR, negative_share=share)
    found = judge_account(AccountIncidents(), seen, prior, THRESHOLDS, NOW)
    (opened,) = [one for one in found if isinstance(one, Opened) and one.subject == "service"]
    assert opened.reason.expected == expected
