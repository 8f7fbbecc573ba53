"""Who comes back begins afresh; what has fallen or was edited is settled before an event counts."""

from __future__ import annotations

import pytest

from services.segmenter.domain.fan import Fan
from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules import KeywordsSpec
from services.segmenter.domain.tagging import apply_event
from shared.events import FanFollowed, FanUnfollowed, MessageReceived
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


def book(held_for: str) -> RuleBook:
    line = {"tag": "asked", "kind": "keywords", "any_of": ["price"], "for": held_for}
    return RuleBook([KeywordsSpec.model_validate(line)])


def says(text: str, at: int) -> MessageReceived:
    return MessageReceived(message_type="text", text=text, **OF_A_FAN | {"occurred_at": at})


@pytest.mark.parametrize(("later_ms", "fell"), [(999, 0), (1_000, 1)])
def test_a_tag_falls_before_an_event_of_that_very_instant(later_ms: int, fell: int) -> None:
    fan, _ = apply_event(book("1s"), Fan(), WHO, says("price", START), "a")
    fan, told = apply_event(book("1s"), fan, WHO, says("price", START + later_ms), "b")
    assert [one.because for one in told] == ["time", "event"][: 2 * fell]
    assert fan.tags["asked"].until == START + later_ms + 1_000


@pytest.mark.parametrize(("held_for", "kept"), [("3s", True), ("1s", False)])
def test_an_event_finds_an_edited_rule_and_settles_it_first(held_for: str, *, kept: bool) -> None:
    fan, _ = apply_event(book("2s"), Fan(), WHO, says("price", START), "a")
    fan, told = apply_event(book(held_for), fan, WHO, says("hm", START + 1_000), "b")
    assert ("asked" in fan.tags) is kept
    assert [one.because for one in told] == ([] if kept else ["rule_changed"])
