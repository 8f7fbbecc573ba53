"""A word may stand anywhere in Chinese, and must not be a piece of a longer Latin word."""

from __future__ import annotations

import pytest

from services.segmenter.domain.fan import NEVER, Fan
from services.segmenter.domain.rules.base import Rule
from services.segmenter.domain.rules.keywords import KeywordsSpec
from shared.events import MessageReceived

AT = 1_764_000_000_000


def rule(*words: str, **more: object) -> Rule:
    spec = {"tag": "t", "kind": "keywords", "any_of": list(words), **more}
    return KeywordsSpec.model_validate(spec).compile()


def wrote(text: str, at: int = AT) -> MessageReceived:
    return MessageReceived(
        occurred_at=at,
        platform="wechat",
        account="gh_1",
        fan="f",
        authenticated_by="wechat_safe",
        message_type="text",
        text=text,
    )


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("红包", "红包abc", True),
        ("红包", "abc红包", True),
        ("红包", "红包123", True),
        ("红包", "领红包啦", True),
        ("abc红包", "xabc红包", False),
        ("abc红包", "领abc红包x", True),
        ("红包abc", "红包abc", True),
        ("红包abc", "红包abcd", False),
        ("红包abc", "领红包abc啦", True),
        ("vip红", "vip红a", True),
        ("红v", "红va", False),
        ("vip", "我是vip吗", True),
        ("vip", "vip", True),
        ("vip", "viper", False),
        ("vip", "xvip", False),
        ("vip", "vip1", False),
        ("vip", "1vip", False),
        ("vip", "ＶＩＰ！", True),
        ("vip", "viper or vip", True),
        ("v", "v", True),
        ("618", "618大促", True),
        ("618", "16180", False),
        ("c++", "c++11", True),
        ("a", "é a", True),
    ],
)
def test_only_a_latin_end_must_not_go_on_as_a_latin_word(
    word: str, text: str, *, found: bool
) -> None:
    made = rule(word)
    fan = Fan()
    assert made.observe(fan, wrote(text)) is found
    assert made.until(fan) == (NEVER if found else 0)


def test_the_newest_time_of_a_word_counts_also_when_an_older_message_comes_late() -> None:
    made = rule("红包", **{"for": "1h"})
    fan = Fan()
    for late in (0, 5_000, 1_000):
        made.observe(fan, wrote("红包", AT + late))
    assert made.until(fan) == AT + 5_000 + 3_600_000
    assert made.remembered(fan, AT) == {"word": "红包", "last_at": AT + 5_000}
