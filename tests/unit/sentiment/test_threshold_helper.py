from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.tone.threshold import (
    ASSUMPTION,
    CAUTIOUS_ASSUMPTION,
    MINIMUM_SCORES,
    choose_threshold,
)

_STREAMS = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(lambda few: few * MINIMUM_SCORES)


@given(_STREAMS, st.floats(1, 5_000))
def test_the_expected_false_alerts_stay_in_the_budget(scores: list[float], budget: float) -> None:
    chosen = choose_threshold(scores, budget)
    ranked = np.array(scores)
    wrong = (1 - ranked)[ranked > chosen.value].sum() / max((1 - ranked).sum(), 1.0) * 10_000
    assert wrong <= budget + 1e-6
    assert chosen.false_alerts == pytest.approx(wrong, abs=1e-6)


@given(_STREAMS, st.floats(1, 1_000))
def test_a_larger_budget_never_raises_the_threshold(scores: list[float], budget: float) -> None:
    assert choose_threshold(scores, 2 * budget).value <= choose_threshold(scores, budget).value


def test_on_a_calibrated_stream_the_realised_false_alerts_match() -> None:
    dice = np.random.default_rng(7)
    scores = dice.beta(0.3, 1.5, 200_000)
    truth = dice.random(len(scores)) < scores
    chosen = choose_threshold(scores.tolist(), 100)
    realised = (~truth & (scores > chosen.value)).sum() / (~truth).sum() * 10_000
    assert realised == pytest.approx(100, rel=0.15)


def test_the_cautious_choice_alerts_less_and_says_what_it_assumes() -> None:
    scores = np.linspace(0, 1, 1_000).tolist()
    bold, cautious = choose_threshold(scores, 100), choose_threshold(scores, 100, cautious=True)
    assert cautious.alerts < bold.alerts
    assert (bold.assumes, cautious.assumes) == (ASSUMPTION, CAUTIOUS_ASSUMPTION)


def test_too_few_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="scores are needed"):
        choose_threshold([0.5] * (MINIMUM_SCORES - 1), 100)


@pytest.mark.parametrize("budget", [0, -1, 10_001])
def test_a_budget_that_is_none_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        choose_threshold([0.5] * MINIMUM_SCORES, budget)
