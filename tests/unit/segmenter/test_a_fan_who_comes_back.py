"""Who left and follows again begins afresh, and what came late changes nothing."""

from __future__ import annotations

import pytest

from services.segmenter.domain.fan import Fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.tagging import apply_event
from shared.events import FanFollowed, FanUnfollowed
from tests.support.fan_histories import START
from tests.support.fan_histories import WHO as OF_A_FAN

WHO = ("wechat", "gh_1", "openid-1")


@pytest.mark.parametrize(("at", "follows"), [(START - 1, False), (START, True), (START + 1, True)])
def test_a_follow_as_old_as_the_leaving_starts_the_fan_afresh(at: int, *, follows: bool) -> None:
    gone = Fan(number=3, clock=START, following=False)
    followed = FanFollowed(scene="s", **OF_A_FAN | {"occurred_at": at})
    fan, _ = apply_event(RuleBook([]), gone, WHO, followed, "id")
    assert fan.following is follows
    assert (fan.number, fan.scene) == (3, "s" if follows else "")


def test_who_left_twice_comes_back_only_by_a_follow_after_the_second_time() -> None:
    gone = Fan(number=3, clock=START, following=False)
    leaving = FanUnfollowed(**OF_A_FAN | {"occurred_at": START + 5})
    fan, told = apply_event(RuleBook([]), gone, WHO, leaving, "id")
    assert (fan.clock, fan.following, fan.number, told) == (START + 5, False, 3, [])
    followed = FanFollowed(scene="s", **OF_A_FAN | {"occurred_at": START + 4})
    assert apply_event(RuleBook([]), fan, WHO, followed, "id")[0].following is False
