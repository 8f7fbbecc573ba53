from __future__ import annotations

import pytest

from services.sentiment.adapters.model_file import shipped_model
from services.sentiment.domain.tables.severity import HAZARD_TERMS
from services.sentiment.domain.tone.text import normalise
from services.sentiment.domain.verdict import WORST_SEVERITY


@pytest.mark.parametrize(
    ("text", "severity", "hazard"),
    [
        ("刹车失灵差点出人命", 3, "safety"),
        ("充电的時候手機自燃了", 3, "safety"),
        ("插座漏电，太吓人", 3, "safety"),
        ("喝完上吐下泻，住院三天", 3, "injury"),
        ("孩子吃了过敏，脸都肿了", 2, "minors"),
        ("里面有虫子", 2, "food"),
        ("食物中毒了", 3, "food"),
        ("已经打12315投诉", 2, "legal"),
        ("再不处理就找记者曝光", 2, "media"),
        ("诈骗公司", 2, "fraud"),
        ("申请退款", 1, "refund"),
    ],
)
def test_a_named_hazard_sets_the_severity_and_is_its_reason(
    text: str, severity: int, hazard: str
) -> None:
    verdict = shipped_model().score([text])[0]
    assert verdict.severity == severity
    assert hazard in {reason.hazard for reason in verdict.reasons}
    assert all(reason.term in normalise(text) for reason in verdict.reasons)


@pytest.mark.parametrize(
    "text", ["无语", "太难吃了，再也不来", "垃圾", "一般般吧", "很好用", "", "气炸了", "颜值炸裂"]
)
def test_anger_and_praise_alone_are_not_severe(text: str) -> None:
    assert shipped_model().score([text])[0].severity == 0


@pytest.mark.parametrize(
    "text", ["用了没有过敏", "不会漏电，放心", "不用担心中毒", "孩子用也不会过敏"]
)
def test_a_denied_hazard_does_not_count(text: str) -> None:
    assert shipped_model().score([text])[0].severity == 0


def test_a_hazard_that_is_only_asked_about_is_watched_at_most() -> None:
    assert shipped_model().score(["会不会漏电"])[0].severity == 1
    assert shipped_model().score(["敏感肌用了会过敏吗"])[0].severity <= 1


def test_a_calm_report_of_danger_outranks_an_angry_trifle() -> None:
    calm, angry = shipped_model().score(["刹车失灵差点出人命", "无语！！！垃圾！！！[怒][怒]"])
    assert calm.severity > angry.severity
    assert calm.kind == "complaint"


def test_the_worst_reason_comes_first() -> None:
    verdict = shipped_model().score(["要求退款，食物中毒住院了，已报警"])[0]
    levels = [reason.level for reason in verdict.reasons]
    assert levels == sorted(levels, reverse=True)
    assert verdict.severity == levels[0] == WORST_SEVERITY


@pytest.mark.parametrize("hazard", sorted(HAZARD_TERMS))
def test_every_term_of_the_table_survives_the_normaliser_and_is_found(hazard: str) -> None:
    model = shipped_model()
    for level, words in HAZARD_TERMS[hazard].items():  # type: ignore[index] # a key of the table
        for word in words.split():
            assert model.score([f"今天{word}"])[0].severity >= min(level, 1), word
