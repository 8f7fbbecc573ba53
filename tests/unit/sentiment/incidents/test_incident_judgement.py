"""The judgement: what opens an incident, what joins it, what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.incidents.changes import acknowledge, resolve
from services.sentiment.domain.incidents.claims import judge_account
from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.incident import AccountIncidents, unresolved
from services.sentiment.domain.incidents.judgement import (
    Joined,
    Opened,
    Quiet,
    Resolved,
    Thresholds,
)
from services.sentiment.domain.incidents.subjects import SUBJECTS
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    MINUTE_MS,
    HourCounts,
    Usual,
    fold_hour,
)
from tests.unit.sentiment.incidents.builders import (
    NOON,
    PRIOR,
    THRESHOLDS,
    comment,
    complaints,
    evaluate,
    evidence,
)

NOW = NOON + 10 * MINUTE_MS

comments = st.lists(
    st.builds(
        NegativeComment,
        id=st.integers(0, 60).map("c{}".format),
        at=st.integers(NOON - HOUR_MS, NOON + HOUR_MS),
        author=st.integers(0, 12).map("a{}".format),
        subject=st.sampled_from(["food_safety", "service", "general"]),
        severity=st.integers(0, 3),
        fingerprint=st.integers(0, 5).map("f{}".format),
    ),
    max_size=40,
    unique_by=lambda one: one.id,
)


def judged(found: list[NegativeComment], state: AccountIncidents | None = None) -> list[object]:
    return list(judge_account(state or AccountIncidents(), evidence(found), PRIOR, THRESHOLDS, NOW))


@given(found=comments, data=st.data())
def test_order_and_repeated_comments_do_not_change_the_judgement(
    found: list[NegativeComment], data: st.DataObject
) -> None:
    repeated = found + data.draw(st.lists(st.sampled_from(found), max_size=9)) if found else found
    shuffled = data.draw(st.permutations(repeated))
    assert judged(shuffled) == judged(found)


@given(batches=st.lists(comments, max_size=6), minutes=st.lists(st.integers(0, 90), max_size=6))
def test_there_is_at_most_one_open_incident_for_an_account_and_subject(
    batches: list[list[NegativeComment]], minutes: list[int]
) -> None:
    state, seen = AccountIncidents(), []
    announced: list[str] = []
    for counter, (batch, minute) in enumerate(zip(batches, minutes, strict=False), start=1):
        seen += batch
        state, names = evaluate(
            state, evidence(seen, counter=counter), now=NOON + minute * MINUTE_MS
        )
        announced += names
        subjects = [one.subject for one in unresolved(state)]
        assert len(subjects) == len(set(subjects))
    assert announced.count("IncidentOpened") == state.ordinal
    assert len({one.id for one in state.incidents}) == state.ordinal


@given(found=comments)
def test_judging_the_same_comments_again_opens_nothing_more(found: list[NegativeComment]) -> None:
    once, first = evaluate(AccountIncidents(), evidence(found))
    twice, second = evaluate(once, evidence(found))
    assert "IncidentOpened" not in second
    assert [one.id for one in twice.incidents] == [one.id for one in once.incidents]
    assert first.count("IncidentOpened") == len(once.incidents)


def test_three_people_reporting_something_grave_are_an_incident() -> None:
    (opened, _) = judged(complaints(3))
    assert isinstance(opened, Opened)
    assert (opened.subject, opened.picture.severity, opened.picture.people) == ("food_safety", 3, 3)
    assert opened.reason.source == "prior"
    assert opened.reason.crossed_at == NOON + 10_000


def test_one_person_alone_is_no_incident_however_often() -> None:
    troll = [comment(n, at=NOON + n * 1000, author="a0", fingerprint="f0") for n in range(50)]
    assert all(isinstance(one, Quiet) for one in judged(troll))


def test_mild_complaints_need_more_people_than_grave_ones() -> None:
    few = complaints(5, subject="service", severity=0)
    many = complaints(12, subject="service", severity=0)
    assert not any(isinstance(one, Opened) for one in judged(few))
    assert any(isinstance(one, Opened) for one in judged(many))


def test_small_complaints_about_many_things_add_up_to_a_general_incident() -> None:
    mixed = [
        comment(n, at=NOON + n * 1000, subject=SUBJECTS[n % len(SUBJECTS)], severity=0)
        for n in range(len(SUBJECTS) * 2)
    ]
    opened = [one for one in judged(mixed) if isinstance(one, Opened)]
    assert [one.subject for one in opened] == ["general"]


def test_what_an_incident_has_does_not_count_for_a_general_one() -> None:
    opened = [one for one in judged(complaints(40)) if isinstance(one, Opened)]
    assert [one.subject for one in opened] == ["food_safety"]


def test_mild_complaints_that_come_along_with_a_grave_incident_page_nobody_again() -> None:
    along = [comment(200 + n, at=NOON + n * 2000, subject="general", severity=0) for n in range(30)]
    opened = [one for one in judged([*complaints(6), *along]) if isinstance(one, Opened)]
    assert [one.subject for one in opened] == ["food_safety"]
    state, _ = evaluate(AccountIncidents(), evidence([*complaints(6), *along]))
    closed = resolve(state, state.incidents[0].id, "wang", NOW)
    assert closed is not None
    _, names = evaluate(closed.state, evidence([*complaints(6), *along], counter=2), now=NOW)
    assert names == []


def test_grave_complaints_about_something_else_are_an_incident_of_their_own() -> None:
    fire = [comment(300 + n, at=NOON + n, subject="product_safety") for n in range(4)]
    opened = [one for one in judged([*complaints(6), *fire]) if isinstance(one, Opened)]
    assert {one.subject for one in opened} == {"food_safety", "product_safety"}


def test_many_people_with_one_text_are_said_to_be_a_flood() -> None:
    opened = judged(complaints(9, fingerprint="same"))[0]
    assert isinstance(opened, Opened)
    assert opened.reason.copied_people == 9
    assert len(opened.picture.samples) == 1


def test_different_texts_are_no_flood() -> None:
    opened = judged(complaints(9))[0]
    assert isinstance(opened, Opened)
    assert opened.reason.copied_people == 0
    assert len(opened.picture.samples) == 3


def test_comments_that_reach_us_late_open_an_incident_that_says_so() -> None:
    opened = judged(complaints(5, start=NOW - 2 * HOUR_MS))[0]
    assert isinstance(opened, Opened)
    assert opened.reason.late


def test_a_busy_article_brings_more_complaints_without_being_an_incident() -> None:
    mild = complaints(14, apart=2_000, subject="service", severity=0)
    crowd = {NOON: 900}
    quiet = judge_account(AccountIncidents(), evidence(mild, volume=crowd), PRIOR, THRESHOLDS, NOW)
    assert not any(isinstance(one, Opened) for one in quiet)
    assert any(isinstance(one, Opened) for one in judged(mild))


def test_a_crowd_does_not_hide_what_is_grave() -> None:
    grave = complaints(4)
    found = judge_account(
        AccountIncidents(), evidence(grave, volume={NOON: 900}), PRIOR, THRESHOLDS, NOW
    )
    assert isinstance(found[0], Opened)


def test_what_is_usual_for_an_account_is_no_incident_there() -> None:
    usual = Usual()
    start = NOON - 40 * 24 * HOUR_MS
    for hour in range(39 * 24):
        usual = fold_hour(
            usual, PRIOR, start + hour * HOUR_MS, HourCounts({"service": 30, "general": 30}, 30, 90)
        )
    mild = complaints(25, apart=60_000, subject="service", severity=0)
    with_history = judge_account(
        AccountIncidents(), evidence(mild, usual=usual), PRIOR, THRESHOLDS, NOW
    )
    assert not any(isinstance(one, Opened) for one in with_history)
    assert any(isinstance(one, Opened) for one in judged(mild))


def test_a_late_comment_joins_the_incident_that_is_open() -> None:
    state, _ = evaluate(AccountIncidents(), evidence(complaints(3)))
    late = comment(99, at=NOON + 2_500)
    after, names = evaluate(state, evidence([*complaints(3), late], counter=2))
    assert names == []
    assert after.incidents[0].people == 4
    assert len(after.incidents) == 1


def test_a_late_comment_of_a_resolved_incident_opens_no_new_one() -> None:
    state, _ = evaluate(AccountIncidents(), evidence(complaints(6)))
    closed = resolve(state, state.incidents[0].id, "wang", NOW)
    assert closed is not None
    late = [comment(90 + n, at=NOON + 1_000 + n) for n in range(5)]
    _, names = evaluate(closed.state, evidence([*complaints(6), *late], counter=2))
    assert names == []


def test_new_people_after_a_resolved_incident_open_the_next_one() -> None:
    state, _ = evaluate(AccountIncidents(), evidence(complaints(6)))
    closed = resolve(state, state.incidents[0].id, "wang", NOW)
    assert closed is not None
    fresh = [comment(90 + n, at=NOON + 5 * MINUTE_MS + n) for n in range(4)]
    after, names = evaluate(closed.state, evidence([*complaints(6), *fresh], counter=2), now=NOW)
    assert names == ["IncidentOpened"]
    assert [one.id.rsplit(":", 1)[1] for one in after.incidents] == ["1", "2"]


def test_an_incident_nobody_acknowledged_does_not_end_by_itself() -> None:
    state, _ = evaluate(AccountIncidents(), evidence(complaints(6)))
    _, names = evaluate(state, evidence(complaints(6)), now=NOON + 5 * HOUR_MS)
    assert names == []


@pytest.mark.parametrize(
    ("minutes", "still_writing", "outcome"),
    [(29, 0, Joined), (45, 0, Resolved), (45, 1, Resolved), (45, 2, Joined)],
    ids=["too early", "calm", "one person is calm enough", "not calm"],
)
def test_an_acknowledged_incident_ends_when_it_has_been_calm(
    minutes: int, still_writing: int, outcome: type
) -> None:
    state, _ = evaluate(AccountIncidents(), evidence(complaints(6)))
    acked = acknowledge(state, state.incidents[0].id, "wang", NOON + MINUTE_MS)
    assert acked is not None
    now = NOON + minutes * MINUTE_MS
    more = [comment(90 + n, at=now - MINUTE_MS + n) for n in range(still_writing)]
    found = judge_account(acked.state, evidence([*complaints(6), *more]), PRIOR, THRESHOLDS, now)
    assert isinstance(found[0], outcome)


def test_a_judgement_on_an_older_counter_is_not_applied() -> None:
    state = AccountIncidents(seen=9)
    after, names = evaluate(state, evidence(complaints(6), counter=8))
    assert (after, names) == (state, [])


def test_severity_rises_only_when_enough_people_say_so() -> None:
    mild = complaints(12, subject="food_safety", severity=1)
    state, _ = evaluate(AccountIncidents(), evidence(mild))
    assert state.incidents[0].severity == 1
    one_voice = [*mild, comment(90, severity=3)]
    state, _ = evaluate(state, evidence(one_voice, counter=2))
    assert state.incidents[0].severity == 1
    three = [*one_voice, comment(91, severity=3), comment(92, severity=3)]
    state, _ = evaluate(state, evidence(three, counter=3))
    assert (state.incidents[0].severity, state.incidents[0].grave) == (3, True)


@given(shift=st.integers(-200, 200))
def test_moving_all_comments_in_time_opens_the_same_incident(shift: int) -> None:
    moved = [replace(one, at=one.at + shift * MINUTE_MS) for one in complaints(7)]
    thresholds = Thresholds(horizon_ms=24 * HOUR_MS)
    found = judge_account(AccountIncidents(), evidence(moved), PRIOR, thresholds, NOW)
    assert isinstance(found[0], Opened)
    assert found[0].picture.first_at == NOON + shift * MINUTE_MS
