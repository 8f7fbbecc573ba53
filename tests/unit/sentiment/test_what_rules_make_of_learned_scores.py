"""Where rules overrule what was learned, and where they must not: at the very edges."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.sentiment.domain.judge import LEANING, SILENT, SILENT_NEGATIVE, SURE, judge
from services.sentiment.domain.tables.terms import Family, Found
from services.sentiment.domain.verdict import Verdict

TEXT = "某某某某词语某某某某"
"""The terms stand at its middle; what they are is said by the test."""
ANGRY = (0.6, 0.3, 0.1)


def hit(family: Family, value: str, level: int = 0) -> Found:
    return Found(family, value, level, 4, 6)


def judged(
    *found: Found, learned: Sequence[float] = ANGRY, text: str = TEXT, negative: float = 0.7
) -> Verdict:
    return judge(text, found, negative, learned, ("词语",))


def is_silenced(verdict: Verdict) -> bool:
    assert (verdict.probabilities == SILENT) == (verdict.spans == ())
    return verdict.probabilities == SILENT


def test_without_a_term_what_was_learned_stands() -> None:
    found = judged()
    assert found.probabilities == ANGRY
    assert (found.tone, found.negative, found.kind, found.severity) == ("neg", 0.7, "complaint", 0)
    assert (found.spans, found.aspect, found.reasons) == (("词语",), None, ())
    calm = judged(learned=(0.1, 0.8, 0.1))
    assert (calm.tone, calm.kind) == ("neu", "other")
    assert judged(learned=(0.1, 0.2, 0.7)).kind == "praise"


@pytest.mark.parametrize("sign", ["spam", "inquiry"])
@pytest.mark.parametrize("severity", [0, 1, 2, 3])
def test_a_sale_or_a_question_silences_what_is_not_grave(sign: str, severity: int) -> None:
    hazards = (hit("hazard", "food", severity),) if severity else ()
    found = judged(hit("kind", sign), *hazards)
    assert found.severity == severity
    assert is_silenced(found) is (severity < 2)
    if severity >= 2:
        assert (found.tone, found.negative, found.kind) == ("neg", 0.7, "complaint")
    else:
        assert found.negative == SILENT_NEGATIVE
        assert found.kind == ("spam" if sign == "spam" else "question")
    sure_of_it = judged(hit("kind", sign), *hazards, negative=0.01)
    assert sure_of_it.negative == 0.01


def test_what_is_grave_is_a_complaint_also_in_a_calm_or_friendly_text() -> None:
    for learned in ((0.1, 0.8, 0.1), (0.1, 0.1, 0.8)):
        grave = judged(hit("hazard", "injury", 2), learned=learned)
        assert (grave.kind, grave.severity) == ("complaint", 2)
        assert judged(hit("hazard", "injury", 1), learned=learned).kind != "complaint"


@pytest.mark.parametrize(
    ("likely", "silenced"), [(SURE - 0.01, True), (SURE, False), (SURE + 0.01, False)]
)
def test_a_question_that_is_surely_negative_is_a_complaint_with_a_question_mark(
    likely: float, *, silenced: bool
) -> None:
    found = judged(hit("kind", "inquiry"), learned=(likely, 1 - likely, 0.0))
    assert is_silenced(found) is silenced
    assert is_silenced(judged(hit("kind", "spam"), learned=(likely, 1 - likely, 0.0)))


def test_a_question_that_demands_something_is_not_merely_one() -> None:
    demanding = judged(hit("kind", "inquiry"), hit("kind", "demand"))
    assert not is_silenced(demanding)
    long = judged(hit("kind", "inquiry"), text=TEXT * 5)
    assert not is_silenced(long)
    other_word = judged(hit("kind", "question"))
    assert not is_silenced(other_word)
    asked = judged(hit("kind", "question"), learned=(0.1, 0.8, 0.1))
    assert asked.kind == "question"


@pytest.mark.parametrize("severity", [0, 1, 2])
def test_a_shrug_leaves_little_to_either_side_in_their_proportion(severity: int) -> None:
    hazards = (hit("hazard", "food", severity),) if severity else ()
    found = judged(hit("kind", "lukewarm"), *hazards, learned=(0.6, 0.2, 0.2))
    if severity == 2:
        assert (found.probabilities, found.spans) == ((0.6, 0.2, 0.2), ("词语",))
        return
    assert found.probabilities == pytest.approx((LEANING * 0.75, 1 - LEANING, LEANING * 0.25))
    assert (found.tone, found.spans, found.negative) == ("neu", (), 0.7)


def test_a_shrug_beside_a_demand_is_none() -> None:
    elsewhere = Found("kind", "demand", 0, 7, 9)
    assert judged(hit("kind", "lukewarm"), elsewhere).probabilities == ANGRY
    inside = Found("kind", "demand", 0, 5, 6)
    assert judged(hit("kind", "lukewarm"), inside).spans == ()


def test_a_text_that_says_nothing_is_silent_whatever_was_learned() -> None:
    found = judge("转发微博", (), 0.9, (0.9, 0.1, 0.0), ("转发",))
    assert is_silenced(found)
    assert (found.tone, found.negative, found.kind) == ("neu", SILENT_NEGATIVE, "other")


def test_the_worst_hazard_is_the_severity_and_every_hazard_a_reason() -> None:
    found = judged(hit("hazard", "refund", 1), hit("hazard", "food", 3), hit("aspect", "service"))
    assert [(one.hazard, one.level, one.term) for one in found.reasons] == [
        ("food", 3, "词语"),
        ("refund", 1, "词语"),
    ]
    assert (found.severity, found.aspect) == (3, "service")
