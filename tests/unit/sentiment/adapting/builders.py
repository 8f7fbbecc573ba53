"""Streams of a made-up brand, whose words no model knows."""

from __future__ import annotations

import random

from services.sentiment.domain.verdict import Tone

PLACES = ("门店", "快递", "客服", "直播间", "仓库", "柜台", "官网", "小程序")
BAD = ("太差了", "真让人失望", "坏了没人管", "很不满意", "垃圾")
GOOD = ("很好", "非常满意", "太棒了", "真不错", "值得推荐")


def comment(dice: random.Random, *, bad: bool, word: str = "") -> str:
    """A plain complaint or praise, with a word of the brand's own in it."""
    return f"{dice.choice(PLACES)}{word}{dice.choice(BAD if bad else GOOD)}{dice.randint(10, 99)}"


def stream(texts: int = 600, seed: int = 1) -> list[str]:
    """Complaints name 沃姆, praise names 宝丽."""
    dice = random.Random(seed)
    return [
        comment(dice, bad=index % 2 == 0, word="沃姆" if index % 2 == 0 else "宝丽")
        for index in range(texts)
    ]


def labels(number: int = 120, seed: int = 2) -> list[tuple[Tone, str]]:
    """Half plain; half turns that the model can't read: 圆圆 is a complaint, 扣扣 is praise."""
    dice = random.Random(seed)
    told: list[tuple[Tone, str]] = []
    for index in range(number):
        bad = index % 4 < 2
        plain = comment(dice, bad=bad)
        told.append(("neg" if bad else "pos", plain if index % 2 else unread(dice, bad=bad)))
    return told


def unread(dice: random.Random, *, bad: bool) -> str:
    """A comment whose tone only the brand's people know."""
    return f"{dice.choice(PLACES)}{'圆圆' if bad else '扣扣'}了{dice.randint(10, 99)}"
