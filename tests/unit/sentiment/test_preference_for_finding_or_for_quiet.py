from __future__ import annotations

import numpy as np

from services.sentiment.adapters.model_file import SHIPPED_MODEL, load_model, shipped_model
from services.sentiment.domain.adapting.bags import BUCKETS
from services.sentiment.domain.adapting.table import AccountTable
from services.sentiment.training.practice import make_practice

_TEXTS = [text for _, text in make_practice()][::3]


def _negatives(preference: str) -> set[str]:
    model = load_model(SHIPPED_MODEL, preference)  # type: ignore[arg-type] # one of three
    return {
        text
        for text, verdict in zip(_TEXTS, model.score(_TEXTS), strict=True)
        if verdict.tone == "neg"
    }


def test_who_prefers_quiet_is_told_of_fewer_and_who_prefers_finding_of_more() -> None:
    assert _negatives("disturb-less") < _negatives("balanced") < _negatives("find-more")


def test_a_preference_moves_no_probability_and_no_order() -> None:
    told = [
        [verdict.negative for verdict in load_model(SHIPPED_MODEL, preference).score(_TEXTS)]
        for preference in ("find-more", "balanced", "disturb-less")
    ]
    assert told[0] == told[1] == told[2]


def test_balanced_is_the_shipped_model_as_it_was() -> None:
    assert load_model(SHIPPED_MODEL, "balanced").score(_TEXTS) == shipped_model().score(_TEXTS)


def test_a_preference_and_an_accounts_biases_add_and_a_second_table_replaces_the_first() -> None:
    model = load_model(SHIPPED_MODEL, "disturb-less")
    nothing = np.zeros(BUCKETS, np.int16)
    back = AccountTable(nothing, 1.0, 0.0, (0.5, 0.0, 0.0), model.model)
    blank = AccountTable(nothing, 1.0, 0.0, (0.0, 0.0, 0.0), model.model)
    assert [v.tone for v in model.adapted(back).score(_TEXTS)] == [
        v.tone for v in shipped_model().score(_TEXTS)
    ]
    assert model.adapted(back).adapted(blank).score(_TEXTS) == model.score(_TEXTS)
