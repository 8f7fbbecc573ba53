"""How often chance opens an incident, and how fast a real burst does, on simulated streams."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest

from services.sentiment.domain.incidents.changes import apply_judgements, resolve
from services.sentiment.domain.incidents.claims import Evidence, judge_account
from services.sentiment.domain.incidents.comments import NegativeComment
from services.sentiment.domain.incidents.history import fold_span
from services.sentiment.domain.incidents.incident import AccountIncidents, unresolved
from services.sentiment.domain.incidents.judgement import Opened
from services.sentiment.domain.incidents.usual import HOUR_MS, MINUTE_MS, Usual
from services.sentiment.domain.incidents.windows import Volume
from tests.unit.sentiment.incidents.builders import ACCOUNT, PRIOR, THRESHOLDS

START = 1_795_363_200_000 - 28 * 24 * HOUR_MS
DAYS = 15
PEOPLE_PER_HOUR = 12
DISPERSION = 3.0
SUBJECTS = ("service", "price", "general", "quality")


def _mean(hour: int) -> float:
    """Quiet nights, busy days; the account's evenings are eight times its nights."""
    return PEOPLE_PER_HOUR * (1.6 if 8 <= (hour + 8) % 24 <= 23 else 0.2)


def _calm_weeks(seed: int) -> tuple[list[int], Usual]:
    """Days on which chance opened an incident, and the history after them."""
    numbers, chance = np.random.default_rng(seed), random.Random(seed)
    usual, state = Usual(), AccountIncidents()
    days: list[int] = []
    recent: list[NegativeComment] = []
    for hour in range(DAYS * 24):
        at = START + hour * HOUR_MS
        shape = _mean(hour) / (DISPERSION - 1)
        count = int(numbers.poisson(numbers.gamma(shape, _mean(hour) / shape)))
        fresh = [
            NegativeComment(
                id=f"{hour}-{number}",
                at=at + chance.randrange(HOUR_MS),
                author=f"{hour}-{number}",
                subject=chance.choice(SUBJECTS),
                severity=2 if chance.random() < 0.01 else 0,
                fingerprint=f"{hour}-{number}",
            )
            for number in range(count)
        ]
        others = {at + minute * MINUTE_MS: count * 9 // 60 + 1 for minute in range(60)}
        recent = [one for one in recent if one.at > at - 2 * HOUR_MS] + fresh
        now = at + HOUR_MS
        seen = Evidence(hour + 1, tuple(recent), Volume.of(others), usual)
        judgements = judge_account(state, seen, PRIOR, THRESHOLDS, now)
        changed = apply_judgements(ACCOUNT, state, judgements, seen=hour + 1, now=now)
        state = changed.state if changed else state
        for one in unresolved(state):
            days.append(hour // 24)
            ended = resolve(state, one.id, "test", now)
            assert ended is not None
            state = ended.state
        usual = fold_span(usual, PRIOR, (at, now), fresh, others)
    return days, usual


def _delay_s(usual: Usual, numbers: np.random.Generator) -> float:
    """Seconds until three times as many complaints as usual are an incident."""
    noon = usual.folded_upto + 12 * HOUR_MS
    since, comments = 0.0, list[NegativeComment]()
    while since < 3600:
        since += float(numbers.exponential(3600 / (3 * PEOPLE_PER_HOUR * 1.6)))
        number = f"burst-{len(comments)}"
        at = noon + int(since * 1000)
        comments.append(NegativeComment(number, at, number, "service", 0, number))
        seen = Evidence(1, tuple(comments), Volume(), usual)
        found = judge_account(AccountIncidents(), seen, PRIOR, THRESHOLDS, at)
        if any(isinstance(one, Opened) for one in found):
            return since
    return since


@pytest.fixture(scope="module")
def calm_weeks() -> tuple[list[int], Usual]:
    return _calm_weeks(seed=1)


def test_chance_opens_no_incident_in_two_weeks_once_a_day_is_known(
    calm_weeks: tuple[list[int], Usual],
) -> None:
    days, _ = calm_weeks
    assert [day for day in days if day >= 1] == []


def test_a_wave_of_three_times_the_usual_is_found_in_minutes(
    calm_weeks: tuple[list[int], Usual],
) -> None:
    _, usual = calm_weeks
    numbers = np.random.default_rng(7)
    delays = [_delay_s(usual, numbers) for _ in range(15)]
    assert statistics.median(delays) < 15 * 60
