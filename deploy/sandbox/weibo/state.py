"""One Weibo account as the platform sees it, and Weibo's rules of answering a fan.

Source: Weibo wiki "Customer service messages": free within 48 h of an action, once after a mention.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from deploy.sandbox.clock import weibo_time
from deploy.sandbox.config import Limits, WeiboAccount

WINDOW_S = 48 * 3600.0
TEXT_LETTERS = 300  # a text must be shorter

OK = 0
BAD_PARAMETER = 10008
MISSING_PARAMETER = 10016
USER_RATE = 10023
USER_MISSING = 20003
TOO_LONG = 20012
MAY_NOT_WRITE = 20301
BAD_TOKEN = 21332

ERRORS = {
    BAD_PARAMETER: "Error: param error, see doc for more info.",
    MISSING_PARAMETER: "Error: miss required parameter, see doc for more info.",
    USER_RATE: "User requests out of rate limit!",
    USER_MISSING: "User does not exists!",
    TOO_LONG: "Text too long, please input text less than 300 characters!",
    MAY_NOT_WRITE: "Can't send direct message to user who is not your follower!",
    BAD_TOKEN: "access token is rejected",
}

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class WeiboFan:
    """What Weibo knows about a fan of one account. `acted_at` opens the free window."""

    following: bool = False
    acted_at: float | None = None
    mentioned_at: float | None = None


@dataclass(frozen=True, slots=True)
class WeiboComment:
    """A comment on one of the account's statuses."""

    comment_id: int
    uid: int
    text: str
    created_at: float

    def as_json(self) -> dict[str, Any]:
        """Return it as `comments/to_me` does, in short."""
        return {
            "id": self.comment_id,
            "idstr": str(self.comment_id),
            "created_at": weibo_time(self.created_at),
            "text": self.text,
            "user": {"id": self.uid, "idstr": str(self.uid)},
        }


def decide_reply(fan: WeiboFan | None, now: float) -> tuple[int, str]:
    """Decide whether the account may write to the fan now: a code and the reason."""
    if fan is None:
        return USER_MISSING, "unknown_user"
    if not fan.following and fan.mentioned_at is None:
        return MAY_NOT_WRITE, "not_following"
    if fan.acted_at is not None and now < fan.acted_at + WINDOW_S:
        return OK, "within_window"
    if fan.mentioned_at is not None and now < fan.mentioned_at + WINDOW_S:
        return OK, "after_mention"
    return MAY_NOT_WRITE, "window_closed"


def check_content(kind: str, data: str) -> int:
    """Check a reply's `type` and `data` (JSON text)."""
    try:
        content = json.loads(data)
    except ValueError:
        return BAD_PARAMETER
    if not isinstance(content, dict):
        return BAD_PARAMETER
    if kind == "text":
        text = content.get("text")
        if not isinstance(text, str) or not text:
            return BAD_PARAMETER
        return TOO_LONG if len(text) >= TEXT_LETTERS else OK
    if kind == "articles":
        return OK if isinstance(content.get("articles"), list) else BAD_PARAMETER
    return OK if kind == "position" else BAD_PARAMETER


@dataclass(slots=True)
class WeiboState:
    """The mutable part of one account."""

    config: WeiboAccount
    limits: Limits = field(default_factory=Limits)
    fans: dict[str, WeiboFan] = field(default_factory=dict)
    comments: list[WeiboComment] = field(default_factory=list)
    _calls: deque[float] = field(default_factory=deque)

    def note(self, kind: str, fan: str, at: float) -> None:
        """Note what a fan did."""
        known = self.fans.get(fan, WeiboFan())
        if kind in ("unfollow", "unsubscribe"):
            self.fans[fan] = WeiboFan()
        elif kind == "mention":
            self.fans[fan] = replace(known, mentioned_at=at)
        elif kind == "view":
            self.fans[fan] = known
        else:
            follows = known.following or kind in ("follow", "scan_follow", "subscribe")
            self.fans[fan] = replace(known, following=follows, acted_at=at)

    def reply(self, fan: str, now: float) -> tuple[int, str]:
        """Decide on one reply and book it: the once after a mention is used up."""
        while self._calls and now - self._calls[0] >= _HOUR_S:
            self._calls.popleft()
        if len(self._calls) >= self.limits.weibo_calls_per_hour:
            return USER_RATE, "rate"
        self._calls.append(now)
        code, reason = decide_reply(self.fans.get(fan), now)
        if reason == "after_mention":
            self.fans[fan] = replace(self.fans[fan], mentioned_at=None)
        return code, reason

    def add_comment(self, uid: int, text: str, at: float) -> WeiboComment:
        """Put a comment under one of the account's statuses."""
        comment = WeiboComment(4_500_000_000_000_000 + len(self.comments), uid, text, at)
        self.comments.append(comment)
        return comment
