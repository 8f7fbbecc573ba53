"""The story's script: decided by its seed, as large as promised, without colliding events."""

from __future__ import annotations

from collections import Counter

from deploy.sandbox.actions import Action
from deploy.sandbox.story import script, texts

CAST = script.invent_cast("gh_1", "77", "shop", wechat_fans=300, weibo_fans=100)
ACTS = (
    script.follow_actions,
    script.talk_actions,
    script.purchase_actions,
    script.leave_actions,
)


def _genuine(actions: list[Action]) -> list[Action]:
    return [one for one in actions if one.forge is None]


def test_the_same_seed_tells_the_same_story_and_another_a_different_one() -> None:
    again = script.invent_cast("gh_1", "77", "shop", wechat_fans=300, weibo_fans=100)
    assert again == CAST
    for act in ACTS:
        assert act(CAST) == act(CAST)
        assert act(CAST) != act(CAST, seed=1)
    assert script.complaints(CAST) == script.complaints(CAST)
    assert script.ordinary_comments(CAST) == script.ordinary_comments(CAST)


def test_each_of_the_400_fans_follows_once() -> None:
    follows = _genuine(script.follow_actions(CAST))
    assert len(follows) == 400
    assert {one.fan for one in follows} == {*CAST.wechat_fans, *CAST.weibo_fans}
    assert {one.kind for one in follows} == {"subscribe", "scan_follow", "follow"}
    assert all(len(fan.encode()) == 28 for fan in CAST.wechat_fans)


def test_no_two_genuine_events_of_a_fan_could_be_taken_for_one() -> None:
    for act in ACTS:
        keys = Counter(
            (one.account, one.fan, one.kind, one.key, one.text, one.event_id)
            for one in _genuine(act(CAST))
        )
        assert max(keys.values()) == 1


def test_troubles_are_in_every_large_act() -> None:
    for act in ACTS[:3]:
        actions = act(CAST)
        assert any(one.lost_answers for one in actions)
        assert any(one.copies == 2 for one in actions)
    forged = [one for act in ACTS for one in act(CAST) if one.forge]
    assert {one.forge for one in forged} == {"signature", "stale", "body"}
    assert len(forged) > 10


def test_a_shop_loses_one_answer_at_most_since_its_second_pause_takes_minutes() -> None:
    assert max(one.lost_answers for one in script.purchase_actions(CAST)) == 1
    assert max(one.lost_answers for one in script.talk_actions(CAST)) == 2


def test_the_complaints_are_25_different_ones_by_25_different_fans() -> None:
    found = script.complaints(CAST)
    assert len({one.text for one in found}) == len({one.fan for one in found}) == 25
    assert {one.fan for one in found} <= set(CAST.wechat_fans)


def test_ordinary_comments_hold_all_tones_and_some_writers_without_openid() -> None:
    found = script.ordinary_comments(CAST)
    assert {one.text for one in found} == {*texts.FRIENDLY, *texts.NEUTRAL, *texts.GRUMBLES}
    assert 0 < sum(1 for one in found if not one.fan) < len(found) / 4


def test_a_purchase_is_what_its_goods_cost() -> None:
    prices = dict(texts.GOODS)
    purchases = _genuine(script.purchase_actions(CAST))
    assert len(purchases) == 133 + 22
    for one in purchases:
        assert one.fields["amount_minor"] == sum(prices[name] for name in one.fields["items"])
        owner = CAST.weibo_fans if one.fields["platform"] == "weibo" else CAST.wechat_fans
        assert one.fan in owner
