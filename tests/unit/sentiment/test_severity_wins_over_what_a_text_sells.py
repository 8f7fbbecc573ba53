"""What may cost a life is a complaint, whatever else the text sells, asks or shrugs about.

A complaint that is grave counts towards an incident whatever its tone; spam never does.
"""

from __future__ import annotations

import pytest

from services.sentiment.adapters.model_file import shipped_model

SILENCED = 0.02
"""What a rule leaves of «negative» where it overrules the model."""


@pytest.mark.parametrize(
    "text",
    [
        "刹车失灵差点出人命，加微信",
        "刹车失灵差点出人命，扫码进群",
        "吃完食物中毒住院了，加我微信说",
        "加微信，我有证据，充电宝爆炸起火了",
    ],
)
def test_a_grave_text_with_signs_of_spam_stays_a_negative_complaint(text: str) -> None:
    (found,) = shipped_model().score([text])
    assert found.severity >= 2
    assert found.kind == "complaint"
    assert found.negative > 10 * SILENCED


@pytest.mark.parametrize("text", ["加微信，兼职刷单", "扫码进群，加V详聊", "质量差，加微信"])
def test_the_same_signs_without_anything_grave_are_spam(text: str) -> None:
    (found,) = shipped_model().score([text])
    assert (found.tone, found.kind, found.severity < 2) == ("neu", "spam", True)
    assert found.negative <= SILENCED


@pytest.mark.parametrize(
    "text",
    ["请问刹车失灵差点出人命怎么处理", "食物中毒住院了请问怎么办", "中毒了怎么联系客服"],
)
def test_a_question_about_something_grave_is_a_complaint(text: str) -> None:
    (found,) = shipped_model().score([text])
    assert found.kind == "complaint"
    assert found.negative > 10 * SILENCED


@pytest.mark.parametrize("text", ["就那样，孩子中毒了", "凑合，手机爆炸了"])
def test_a_shrug_beside_something_grave_is_no_shrug(text: str) -> None:
    (found,) = shipped_model().score([text])
    assert found.severity >= 2
    assert (found.tone, found.kind) == ("neg", "complaint")
