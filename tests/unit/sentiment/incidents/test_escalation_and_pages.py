"""Escalation timing, the rows that must exist, and what each answer makes of a page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.paging.escalation import (
    Done,
    Escalate,
    Policy,
    Step,
    Wait,
    missing,
    next_escalation,
    wanted_pages,
)
from services.sentiment.domain.paging.pages import (
    MAX_RETRY_AFTER_S,
    RESULTS,
    RETRY,
    WORD_LIFETIME_MS,
    Outcome,
    answered,
    needed,
    new_page,
    obsolete,
)
from tests.unit.sentiment.incidents.builders import NOON, incident

POLICY = Policy(
    (
        Step(0.0, ("robot",)),
        Step(300.0, ("robot", "pager"), ("@all",)),
        Step(600.0, ("pager",)),
    ),
    repeat_s=900.0,
)


@given(step=st.integers(0, 20), waited=st.integers(0, 2_000_000))
def test_the_next_step_is_due_exactly_when_its_time_is_up(step: int, waited: int) -> None:
    due_after = {0: 300_000, 1: 600_000}.get(step, 900_000)
    found = next_escalation(incident(step=step), POLICY, NOON + waited)
    if waited >= due_after:
        assert found == Escalate(step + 1, "not_acknowledged")
    else:
        assert found == Wait(NOON + due_after)


@given(step=st.integers(0, 9), waited=st.integers(0, 10_000_000))
@pytest.mark.parametrize("status", ["acknowledged", "resolved"])
def test_nothing_escalates_once_a_person_has_it(status: str, step: int, waited: int) -> None:
    found = next_escalation(incident(status=status, step=step), POLICY, NOON + waited)
    assert found == Done()


def test_a_risen_severity_is_told_at_once() -> None:
    assert next_escalation(incident(grave=True), POLICY, NOON) == Escalate(1, "severity_rose")


def test_dead_channels_are_skipped_but_not_for_channels_as_dead() -> None:
    dead = frozenset({"robot"})
    assert next_escalation(incident(), POLICY, NOON, refused=dead) == Escalate(1, "channels_dead")
    all_dead = frozenset({"robot", "pager"})
    assert isinstance(next_escalation(incident(), POLICY, NOON, refused=all_dead), Wait)


def test_an_open_incident_needs_the_pages_of_its_step() -> None:
    pages = wanted_pages(incident(step=1, step_at=NOON + 5), POLICY)
    assert [(page.channel, page.action, page.mention) for page in pages] == [
        ("robot", "trigger", ("@all",)),
        ("pager", "trigger", ("@all",)),
    ]
    assert {page.due_at for page in pages} == {NOON + 5}


def test_beyond_the_last_step_the_last_one_is_repeated_with_rows_of_its_own() -> None:
    ids = [wanted_pages(incident(step=step), POLICY)[0].id for step in (2, 3, 4)]
    assert len(set(ids)) == 3
    assert all("/pager/" in one for one in ids)


def test_word_of_an_acknowledgement_goes_to_every_channel_that_may_have_been_paged() -> None:
    taken = incident(status="acknowledged", step=1, acknowledged_at=NOON + 9)
    pages = wanted_pages(taken, POLICY, ["robot", "pager", "robot"])
    assert [(page.channel, page.action) for page in pages] == [
        ("pager", "acknowledge"),
        ("robot", "acknowledge"),
    ]
    assert wanted_pages(taken, POLICY, []) == []


def test_only_the_page_that_a_comment_caused_measures_from_the_comment() -> None:
    first, later = incident(), incident(step=1)
    assert [page.deciding_at for page in wanted_pages(first, POLICY)] == [NOON]
    assert {page.deciding_at for page in wanted_pages(later, POLICY)} == {0}


def test_rows_that_exist_are_not_made_again() -> None:
    wanted = wanted_pages(incident(step=1), POLICY)
    assert missing(wanted, [wanted[0].id]) == wanted[1:]
    assert missing(wanted, [one.id for one in wanted]) == []


@given(
    results=st.lists(st.sampled_from(RESULTS), max_size=30),
    chance=st.floats(0, 1, exclude_max=True),
    asked=st.one_of(st.none(), st.floats(0, 1e6)),
)
def test_a_page_stays_due_until_its_channel_took_or_refused_it(
    results: list[str], chance: float, asked: float | None
) -> None:
    page, now = new_page(wanted_pages(incident(), POLICY)[0]), NOON
    for number, result in enumerate(results, start=1):
        page = answered(page, Outcome(result, "c", asked), now, chance)  # type: ignore[arg-type]
        assert page.attempts == number
        if result in {"sent", "refused"}:
            assert (page.state, page.done_at) == (result, now)
            assert not needed(page, incident(), now)
            return
        assert page.state == "due"
        least_s = min(asked or 0.0, MAX_RETRY_AFTER_S)
        most_s = max(RETRY.max_delay_s, least_s)
        assert least_s * 1000 - 1 <= page.next_at - now <= most_s * 1000 + 1
        now = page.next_at
        assert needed(page, incident(), now)


def test_a_page_nobody_needs_any_more_is_not_called() -> None:
    page = new_page(wanted_pages(incident(), POLICY)[0])
    assert needed(page, incident(), NOON)
    assert not needed(page, incident(status="acknowledged"), NOON)
    assert not needed(page, None, NOON)
    assert not needed(obsolete(page, NOON), incident(), NOON)


def test_word_of_an_ending_is_given_up_after_a_day() -> None:
    over = incident(status="resolved", resolved_at=NOON)
    page = new_page(wanted_pages(over, POLICY, ["robot"])[0])
    assert needed(page, over, NOON + WORD_LIFETIME_MS - 1)
    assert not needed(page, over, NOON + WORD_LIFETIME_MS)


def test_all_pages_of_an_incident_share_a_dedup_key() -> None:
    pages = [*wanted_pages(incident(step=0), POLICY), *wanted_pages(incident(step=1), POLICY)]
    assert {new_page(page).dedup_key for page in pages} == {incident().id}
