from __future__ import annotations

import pytest

from services.sentiment.adapters.model_file import SHIPPED_MODEL
from services.sentiment.training.practice import make_practice


def test_the_scorer_equals_the_training_library_with_the_dequantised_weights() -> None:
    pytest.importorskip("sklearn", reason="needs the train extra; `make train` checks it too")
    from services.sentiment.training.check import LARGEST_DIFFERENCE, largest_difference

    texts = [text for _, text in make_practice()][::4][:1_000]
    assert len(texts) == 1_000
    assert largest_difference(SHIPPED_MODEL, texts) < LARGEST_DIFFERENCE
