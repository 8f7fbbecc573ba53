"""Random histories of one fan, and a rule file in which every kind of rule has work to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from shared.events import (
    CommentPosted,
    Event,
    FanFollowed,
    FanUnfollowed,
    LinkViewed,
    MenuClicked,
    MessageReceived,
    PurchaseMade,
    QrScanned,
)

START = 1_700_000_000_000
WHO: dict[str, Any] = {
    "platform": "wechat",
    "account": "gh_1",
    "fan": "openid-1",
    "authenticated_by": "wechat_safe",
}
KEY = "wechat:gh_1:openid-1"

RULES_TEXT = """
tags:
  - {tag: clicks, kind: count, event: MenuClicked, at_least: 3, within: 10s}
  - {tag: clicks-held, kind: count, event: MenuClicked, at_least: 2, within: 5s, for: 20s}
  - {tag: menu-a, kind: count, event: MenuClicked, at_least: 1, within: 7s, where: {menu_key: a}}
  - {tag: scans, kind: count, event: QrScanned, at_least: 2, within: 30s, where: {scene: {prefix: s}}}
  - {tag: spent, kind: count, event: PurchaseMade, sum: amount_minor, at_least: 100, within: 30s}
  - {tag: spent-held, kind: count, event: PurchaseMade, sum: amount_minor, at_least: 50, within: 9s, for: 5s}
  - {tag: talks, kind: count, event: CommentPosted, at_least: 2, within: 8s}
  - {tag: refund, kind: keywords, any_of: [退款, 退货, Refund], for: 12s}
  - {tag: invoice, kind: keywords, any_of: [发票], for: 9s}
  - {tag: asked, kind: keywords, any_of: [价格, vip]}
  - {tag: store, kind: source_scene, prefix: store-}
  - {tag: expo, kind: source_scene, scenes: [expo, 展会], for: 25s}
"""  # noqa: E501 one rule a line

SCENES = ["", "store-1", "expo", "展会", "other"]
TEXTS = [
    "你好",
    "我要退款！",
    "退货退款",
    "ｒｅｆｕｎｄ please",
    "refunds",
    "价格多少",
    "VIP会员",
    "vipers",
    "要發票",
    "退\u200b款",
]


_MAKE: dict[str, Callable[[dict[str, Any], int], Event]] = {
    "follow": lambda who, pick: FanFollowed(scene=SCENES[pick % 5], **who),
    "unfollow": lambda who, _: FanUnfollowed(**who),
    "click": lambda who, pick: MenuClicked(menu_key="ab"[pick % 2], **who),
    "scan": lambda who, pick: QrScanned(scene=["s1", "x"][pick % 2], **who),
    "buy": lambda who, pick: PurchaseMade(
        order_id="o", amount_minor=[0, 10, 40, 60, 500][pick % 5], **who
    ),
    "comment": lambda who, pick: CommentPosted(article="a", comment_id=str(pick), text="好", **who),
    "view": lambda who, _: LinkViewed(url="https://example.com", **who),
    "text": lambda who, pick: MessageReceived(
        message_type="text", text=TEXTS[pick % len(TEXTS)], **who
    ),
}

_KINDS = ["click"] * 4 + ["buy"] * 3 + ["text"] * 3 + ["scan", "comment", "view"] + ["follow"] * 2


def acts(*, size: int = 16) -> st.SearchStrategy[Any]:
    """What one fan did, in the order in which it happened; close enough to fill small windows."""
    kinds = ["click", "click", "click", "buy", "text", "scan", "comment", "view"]
    moves = st.lists(
        st.tuples(st.sampled_from(kinds), st.integers(0, 7_000), st.integers(0, 30)),
        min_size=1,
        max_size=size,
    )

    def build(steps: list[tuple[str, int, int]]) -> list[Event]:
        at, done = START, []
        for kind, ahead, pick in steps:
            at += ahead
            done.append(_MAKE[kind](WHO | {"occurred_at": at}, pick))
        return done

    return moves.map(build)


def histories(*, leaving: bool = True, late: bool = True, size: int = 60) -> st.SearchStrategy[Any]:
    """Histories of one fan in the order of the log.

    Args:
        leaving: with unfollows.
        late: times may go back by some seconds.
        size: at most so many events.
    """
    kinds = [*_KINDS, "unfollow"] if leaving else _KINDS
    step = st.one_of(
        st.integers(0, 4_000), st.integers(0, 40_000), st.integers(-12_000 if late else 0, 0)
    )
    moves = st.lists(
        st.tuples(st.sampled_from(kinds), step, st.integers(0, 30)), min_size=1, max_size=size
    )

    def build(steps: list[tuple[str, int, int]]) -> list[Event]:
        at, history = START, []
        for kind, ahead, pick in steps:
            at = max(START, at + ahead)
            history.append(_MAKE[kind](WHO | {"occurred_at": at}, pick))
        return history

    return moves.map(build)
