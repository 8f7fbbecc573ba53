"""What a fan's events make of the notifier's knowledge, in whatever order they come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.account import MOST_INCIDENTS, Account, apply_incident
from services.notifier.domain.fan import FanFacts, FanTags, apply_event, apply_tags
from services.notifier.domain.keywords import read_preference
from services.notifier.domain.records import FactDocuments, IncidentDocuments
from services.notifier.domain.windows import Act
from shared.events import (
    Event,
    FanFollowed,
    FanUnfollowed,
    IncidentOpened,
    IncidentResolved,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    OtherReceived,
    PurchaseMade,
    QrScanned,
    TagAssigned,
)

MORE: dict[type[Event], dict[str, Any]] = {
    MessageReceived: {"message_type": "text", "text": "hi"},
    MenuClicked: {"menu_key": "k"},
    QrScanned: {"scene": "s"},
    LinkViewed: {"url": "u"},
    PurchaseMade: {"order_id": "o", "amount_minor": 1},
    FanFollowed: {},
    FanUnfollowed: {},
}


def event(kind: type[Event], at: int, platform: str = "wechat", /, **more: Any) -> Event:
    return kind.model_validate(
        {
            "occurred_at": at,
            "platform": platform,
            "account": "brand",
            "fan": "f",
            "authenticated_by": "wechat_safe",
            **MORE.get(kind, {}),
            **more,
        }
    )


def after(*events: Event) -> FanFacts:
    facts = FanFacts()
    for one in events:
        facts = apply_event(facts, one)
    return facts


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(MORE, key=lambda kind: kind.__name__)), st.integers(1, 9)),
        unique_by=lambda pair: pair[1],
        max_size=8,
    ).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found)))
)
def test_the_order_of_arrival_decides_neither_following_nor_the_newest_time(
    orders: tuple[list[tuple[type[Event], int]], list[tuple[type[Event], int]]],
) -> None:
    first, second = (after(*(event(kind, at) for kind, at in order)) for order in orders)
    assert first.following == second.following
    assert first.seen_at == second.seen_at


def test_an_unfollow_forgets_all_but_the_opt_out() -> None:
    facts = after(
        event(MessageReceived, 1), event(MessageReceived, 2, text="退订"), event(FanUnfollowed, 3)
    )
    assert facts == FanFacts(seen_at=3, following=False, following_at=3, opted_out=True, opted_at=2)


def test_a_choice_that_arrives_late_does_not_undo_a_newer_one() -> None:
    out = event(MessageReceived, 20, text="退订")
    back = event(MessageReceived, 10, text="订阅")
    assert after(out, back).opted_out
    assert after(back, out).opted_out


def test_a_message_that_was_re_sent_after_the_unfollow_opens_no_window() -> None:
    facts = after(event(FanUnfollowed, 5), event(MessageReceived, 4))
    assert (facts.following, facts.windows) == (False, {})


def test_a_stranger_who_writes_on_weibo_does_not_follow_again_but_a_follow_does() -> None:
    left = after(event(FanUnfollowed, 5, "weibo"), event(MessageReceived, 6, "weibo"))
    assert left.following is False
    assert apply_event(left, event(FanFollowed, 7, "weibo")).following is True


def test_each_act_opens_its_own_window_and_an_older_one_does_not_close_it() -> None:
    facts = after(event(MenuClicked, 5), event(MenuClicked, 3), event(QrScanned, 4))
    assert facts.windows == {Act.CLICK: 5, Act.SCAN: 4}
    assert after(event(LinkViewed, 5)).windows == {}


@pytest.mark.parametrize("kind", ["event.scancode_push", "event.SCANCODE_WAITMSG"])
def test_scanning_from_the_menu_opens_the_clicks_window(kind: str) -> None:
    assert after(event(OtherReceived, 5, kind=kind)).windows == {Act.CLICK: 5}


def test_what_a_shop_tells_opens_no_window_and_is_no_choice() -> None:
    told = event(OtherReceived, 5, kind="event.subscribe", authenticated_by="standard_webhooks")
    assert after(told) == FanFacts(seen_at=5)


def test_a_weibo_subscription_keyword_is_a_preference() -> None:
    assert after(event(OtherReceived, 5, "weibo", kind="event.unsubscribe")).opted_out
    again = after(
        event(OtherReceived, 5, "weibo", kind="event.unsubscribe"),
        event(OtherReceived, 6, "weibo", kind="event.subscribe"),
    )
    assert not again.opted_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("退订", True),
        ("ＴＤ", True),
        ("td!", True),
        ("退 订", True),
        ("订阅", False),
        ("DY", False),
        ("我想退订这个月的套餐怎么办", None),
        ("T", True),
        ("", None),
        ("订单", None),
        ("退订" * 100, None),
    ],
)
def test_only_a_message_that_is_the_keyword_is_a_choice(text: str, expected: bool | None) -> None:  # noqa: FBT001 - a parameter
    assert read_preference(text) is expected


@given(st.text(max_size=50))
def test_no_text_breaks_the_reading_of_preferences(text: str) -> None:
    read_preference(text)


def tags(number: int, *names: str) -> TagAssigned:
    return TagAssigned(
        occurred_at=1,
        platform="wechat",
        account="brand",
        fan="f",
        tag="t",
        rule_version="v",
        because="event",
        cause="c",
        tags=names,
        number=number,
    )


@given(st.permutations(range(1, 7)))
def test_the_highest_number_decides_the_tags(order: list[int]) -> None:
    known = FanTags()
    for number in order:
        known = apply_tags(known, tags(number, f"tag-{number}"))
    assert known == FanTags(("tag-6",), 6)


def incident(number: int, *, pause: bool, name: str = "i", at: int = 1) -> IncidentOpened:
    kind = IncidentOpened if pause else IncidentResolved
    return kind.model_validate(  # type: ignore[return-value] # both are incident events
        {
            "occurred_at": at,
            "platform": "wechat",
            "account": "brand",
            "incident": name,
            "subject": "s",
            "severity": 1,
            "number": number,
            "pause_promotions": pause,
        }
    )


@given(st.permutations([(1, True), (2, True), (3, False)]))
def test_the_highest_number_of_an_incident_decides_the_pause(order: list[tuple[int, bool]]) -> None:
    account = Account()
    for number, pause in order:
        account = apply_incident(account, incident(number, pause=pause))
    assert not account.paused


def test_old_incidents_are_forgotten_but_none_that_pauses() -> None:
    account = apply_incident(Account(), incident(1, pause=True, name="open", at=0))
    for at in range(1, MOST_INCIDENTS + 50):
        account = apply_incident(account, incident(1, pause=False, name=f"i{at}", at=at))
    assert len(account.incidents) == MOST_INCIDENTS
    assert account.paused


def test_facts_and_incidents_survive_being_stored() -> None:
    facts = after(event(MessageReceived, 1, text="退订"), event(MenuClicked, 2))
    documents = FactDocuments()
    loaded = documents.load(documents.dump(documents.load({})) | {"_id": "f"})
    assert loaded.facts == FanFacts()
    stored = {"facts": {**documents.dump(loaded)["facts"]}}
    assert documents.load(stored).facts == FanFacts()
    again = documents.load(documents.dump(type(loaded)(facts=facts))).facts
    assert again == facts
    account = apply_incident(Account(), incident(1, pause=True))
    incidents = IncidentDocuments()
    assert incidents.load(incidents.dump(account)) == account
