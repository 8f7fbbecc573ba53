"""The usual, its limits, and sliding windows over event time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.usual import (
    HOUR_MS,
    SLOTS,
    HourCounts,
    Prior,
    Usual,
    expect,
    fold_hour,
    hour_of_week,
    too_many,
)
from services.sentiment.domain.incidents.windows import Volume, in_order, windows
from tests.unit.sentiment.incidents.builders import NOON, comment

PRIOR = Prior()
START = NOON // HOUR_MS * HOUR_MS


def folded(hours: int, people: int, *, start: int = START) -> Usual:
    usual = Usual()
    for number in range(hours):
        usual = fold_hour(
            usual, PRIOR, start + number * HOUR_MS, HourCounts({"service": people}, people, 100)
        )
    return usual


def test_the_week_begins_on_monday_midnight_in_shanghai() -> None:
    monday = 1_795_363_200_000  # 2026-11-23 00:00 in Shanghai
    assert hour_of_week(monday) == 0
    assert hour_of_week(monday - 1) == SLOTS - 1
    assert hour_of_week(NOON) == 5 * 24 + 12


def test_without_history_the_prior_stands_in_and_is_named() -> None:
    expected = expect(Usual(), PRIOR, "service", NOON, severe=False)
    assert (expected.source, expected.per_hour) == ("prior", PRIOR.people_per_hour)


@pytest.mark.parametrize(
    ("hours", "people", "source"),
    [
        (2, 9, "prior"),
        (3, 9, "average"),  # plainly busier than the prior
        (23, 1, "prior"),
        (24, 1, "average"),
        (24 * 3, 4, "hour_of_day"),
        (SLOTS * 3, 4, "hour_of_week"),
    ],
)
def test_the_older_the_history_the_finer_the_usual(hours: int, people: int, source: str) -> None:
    expected = expect(folded(hours, people), PRIOR, "service", NOON, severe=False)
    assert expected.source == source
    assert expected.per_hour == pytest.approx(2.0 if source == "prior" else people)


def test_each_hour_of_the_day_has_a_usual_of_its_own() -> None:
    usual = Usual()
    for number in range(24 * 4):
        at = START + number * HOUR_MS
        people = 20 if hour_of_week(at) % 24 == 12 else 1
        usual = fold_hour(usual, PRIOR, at, HourCounts({"service": people}, people, 100))
    noon = expect(usual, PRIOR, "service", NOON, severe=False)
    night = expect(usual, PRIOR, "service", NOON + 14 * HOUR_MS, severe=False)
    assert (noon.per_hour, night.per_hour) == (20, 1)


def test_an_hour_is_folded_in_once() -> None:
    usual = folded(5, 4)
    assert fold_hour(usual, PRIOR, START + 4 * HOUR_MS, HourCounts({"service": 9}, 9, 9)) == usual


def test_a_crisis_does_not_become_the_usual() -> None:
    calm = folded(SLOTS * 4, 4)
    crisis = fold_hour(calm, PRIOR, calm.folded_upto, HourCounts({"service": 5000}, 5000, 6000))
    after = expect(crisis, PRIOR, "service", calm.folded_upto, severe=False)
    assert after.per_hour < 4 * 3


def test_a_stream_that_never_spoke_is_expected_to_stay_quiet() -> None:
    expected = expect(folded(SLOTS * 3, 4), PRIOR, "price", NOON, severe=False)
    assert 0 < expected.per_hour < 0.1


@given(
    expected=st.floats(0.001, 3000),
    dispersion=st.floats(1, 10),
    chance=st.floats(1e-8, 0.4),
)
def test_the_limit_lies_above_the_usual_and_grows_with_it(
    expected: float, dispersion: float, chance: float
) -> None:
    limit = too_many(expected, dispersion, chance)
    assert limit >= max(1, math.floor(expected * 0.6))
    assert too_many(expected * 2, dispersion, chance) >= limit
    assert too_many(expected, dispersion, chance / 10) >= limit


@pytest.mark.parametrize(
    ("mean", "chance", "limit"), [(1.0, 0.02, 4), (1.0, 0.004, 5), (10.0, 0.01, 19)]
)
def test_the_limit_agrees_with_poisson_tables(mean: float, chance: float, limit: int) -> None:
    # P(X>=4|1)=0.0190, P(X>=5|1)=0.0037, P(X>=18|10)=0.0143, P(X>=19|10)=0.0072
    assert too_many(mean, 1.0, chance) == limit


@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 5)), max_size=30),
    st.integers(1, 200),
)
def test_each_window_counts_the_people_of_its_stretch(
    raw: list[tuple[int, int]], width: int
) -> None:
    ordered = in_order(comment(n, at=at, author=f"a{who}") for n, (at, who) in enumerate(raw))
    for window in windows(ordered, width):
        inside = [
            one for one in ordered[: window.last + 1] if window.end - width < one.at <= window.end
        ]
        assert window.people == len({one.author for one in inside})
        assert ordered[window.first] == inside[0]


@given(st.lists(st.integers(0, 50).map(comment), max_size=30))
def test_a_comment_is_in_the_order_once(found: list[NegativeComment]) -> None:
    assert len(in_order(found)) == len({one.id for one in found})


def test_the_volume_between_two_instants_counts_the_minutes_it_touches() -> None:
    volume = Volume.of({0: 1, 60_000: 2, 120_000: 4, 240_000: 8})
    assert volume.between(60_000, 130_000) == 6
    assert volume.between(-1, 300_000) == 15
    assert volume.between(180_000, 200_000) == 0
