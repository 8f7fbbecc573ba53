from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.tone import metrics

_SCORED = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6).map(float)), min_size=2, max_size=40
).filter(lambda rows: len({negative for negative, _ in rows}) == 2)


@given(_SCORED)
def test_auc_is_the_chance_that_a_negative_scores_above_another(
    rows: list[tuple[bool, float]],
) -> None:
    negative = np.array([row[0] for row in rows])
    score = np.array([row[1] for row in rows])
    wins = [
        1.0 if mine > other else 0.5 if mine == other else 0.0
        for mine in score[negative]
        for other in score[~negative]
    ]
    assert metrics.auc(negative, score) == pytest.approx(sum(wins) / len(wins))


@given(_SCORED)
def test_the_threshold_of_recall_never_lets_more_than_the_budget_through(
    rows: list[tuple[bool, float]],
) -> None:
    negative = np.array([row[0] for row in rows])
    score = np.array([row[1] for row in rows])
    recall = metrics.recall_at(negative, score, alerts=2_500)
    assert recall is not None
    caught = np.sort(score[negative])[::-1][: round(recall * negative.sum())]
    let_through = (score[~negative] >= caught.min()).sum() if len(caught) else 0
    assert let_through <= 0.25 * (~negative).sum()


def test_without_neutral_texts_the_choice_is_between_two() -> None:
    scores = np.array([[0.1, 0.8, 0.1], [0.1, 0.7, 0.2]])
    assert metrics.decide(scores, neutral=True).tolist() == [1, 1]
    assert metrics.decide(scores, neutral=False).tolist() == [0, 2]


def test_macro_f1_counts_only_classes_that_occur() -> None:
    truth, said = np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2])
    assert metrics.macro_f1(truth, said) == pytest.approx((2 / 3 + 1.0) / 2)


def test_without_both_sides_there_is_no_auc() -> None:
    assert metrics.auc(np.array([True]), np.array([1.0])) is None
    assert metrics.recall_at(np.array([False]), np.array([1.0])) is None


def test_a_set_is_ranked_by_the_question_that_is_decided() -> None:
    likely = np.array([[0.2, 0.7, 0.1], [0.3, 0.1, 0.6]])
    negative = np.array([0.1, 0.3])
    assert metrics.ranking(likely, negative, neutral=True) is negative
    two = metrics.ranking(likely, negative, neutral=False)
    assert two[0] == pytest.approx(np.log(2.0))
    assert two[1] == pytest.approx(-np.log(2.0))
