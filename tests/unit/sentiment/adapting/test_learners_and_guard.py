from __future__ import annotations

import numpy as np
import pytest

from services.sentiment.domain.adapting.bags import BUCKETS, bags_of
from services.sentiment.domain.adapting.decision import decision_biases
from services.sentiment.domain.adapting.guard import compare
from services.sentiment.domain.adapting.solve import directions, logistic, ridge, sigmoid
from tests.unit.sentiment.adapting.builders import stream

_BAGS = bags_of(stream(400))
_SCALES = np.log((1.0 + len(_BAGS)) / (1.0 + _BAGS.seen_in()))


def test_ridge_solves_its_normal_equations() -> None:
    targets = np.random.default_rng(1).standard_normal(len(_BAGS))
    weights = ridge(_BAGS, _SCALES, targets, 2.0)
    unscaled = np.divide(weights, _SCALES, out=np.zeros_like(weights), where=_SCALES > 0)
    left = _SCALES * _BAGS.gathered(targets - _BAGS.times(weights)) - 2.0 * unscaled
    assert np.abs(left).max() < 0.01 * np.abs(_SCALES * _BAGS.gathered(targets)).max()


@pytest.mark.parametrize("spread", [0.1, 10.0, 1_000.0, 100_000.0])
def test_the_logistic_fit_is_at_its_mode_however_wide_the_prior(spread: float) -> None:
    dice = np.random.default_rng(2)
    points = dice.standard_normal((80, 40))
    truth = points[:, 0] + dice.standard_normal(80) > 0
    offsets = 3.0 * dice.standard_normal(80)
    covariance = spread * points @ points.T / 40
    fit = logistic(covariance, offsets, truth)
    pull = truth - sigmoid(offsets + fit.scores)
    assert fit.scores == pytest.approx(covariance @ pull, abs=0.02 * max(1.0, spread**0.5))
    at_start = np.logaddexp(0, -np.where(truth, 1, -1) * offsets).sum()
    assert np.logaddexp(0, -np.where(truth, 1, -1) * (offsets + fit.scores)).sum() < at_start


def test_directions_are_those_of_the_full_decomposition() -> None:
    seen = np.flatnonzero(_BAGS.seen_in())
    dense = np.stack([(_SCALES * _BAGS.gathered(row))[seen] for row in np.eye(len(_BAGS))])
    found = directions(_BAGS, _SCALES)[:, seen]
    _, _, turned = np.linalg.svd(dense, full_matrices=False)
    assert found @ found.T == pytest.approx(np.eye(len(found)), abs=1e-6)
    assert np.abs(turned[:5] @ found.T).max(axis=1) == pytest.approx(1, abs=0.05)


def test_bucket_zero_never_comes_and_ends_of_texts_count() -> None:
    bags = bags_of(["好", "", "好的"])
    assert (bags.columns > 0).all()
    assert (bags.columns < BUCKETS).all()
    assert np.diff(bags.bounds).tolist() == [4, 0, 7]


def test_the_error_of_a_gain_is_what_drawing_again_would_show() -> None:
    dice = np.random.default_rng(4)
    negative = np.arange(300) % 3 == 0
    before = negative + dice.standard_normal(300)
    after = before + 0.7 * negative + 0.5 * dice.standard_normal(300)
    told = compare(negative, before, after)
    gains = []
    for _ in range(400):
        pick = np.concatenate(
            [dice.choice(np.flatnonzero(kind), kind.sum()) for kind in (negative, ~negative)]
        )
        gains.append(compare(negative[pick], before[pick], after[pick]).gain)
    assert told.error == pytest.approx(float(np.std(gains)), rel=0.15)
    assert told.convinces


def test_the_same_ranking_convinces_nobody() -> None:
    negative = np.array([True, False] * 20)
    score = np.arange(40.0)
    told = compare(negative, score, 2.0 * score)
    assert (told.gain, told.error, told.convinces) == (0.0, 0.0, False)


def test_biases_bring_the_shares_of_the_tones_to_the_labels() -> None:
    dice = np.random.default_rng(5)
    logs = np.log(dice.dirichlet((2, 2, 2), 3_000))
    leaning = np.array([-1.0, 1.0, 0.0])
    likely = np.exp(logs + leaning)
    likely /= likely.sum(axis=1, keepdims=True)
    truth = (dice.random(3_000)[:, None] > likely.cumsum(axis=1)).sum(axis=1).clip(max=2)
    neg, neu, pos = decision_biases(logs, np.zeros(3_000), truth)
    assert neg - pos == pytest.approx(-1.0, abs=0.25)
    assert neu - pos == pytest.approx(1.0, abs=0.25)


def test_labels_from_the_top_of_the_queue_do_not_move_the_line_in_the_middle() -> None:
    dice = np.random.default_rng(6)
    odds = 3.0 * dice.standard_normal(4_000)
    truth = np.where(dice.random(4_000) < sigmoid(0.3 * odds), 0, 2)  # far too sure of itself
    ranked = np.argsort(-odds)
    told = np.concatenate([ranked[:250], dice.permutation(ranked[250:])[:250]])
    logs = np.stack([-np.logaddexp(0, -odds), np.full(4_000, -9.0), -np.logaddexp(0, odds)], 1)
    neg, neu, pos = decision_biases(logs[told], np.zeros(500), truth[told])
    assert abs(neg - pos) < 0.7
    assert neu == 0.0


def test_labels_that_say_what_the_model_says_move_no_line() -> None:
    dice = np.random.default_rng(7)
    likely = dice.dirichlet((2, 2, 2), 200)
    truth = (dice.random(200)[:, None] > likely.cumsum(axis=1)).sum(axis=1).clip(max=2)
    assert decision_biases(np.log(likely), np.zeros(200), truth) == (0.0, 0.0, 0.0)
