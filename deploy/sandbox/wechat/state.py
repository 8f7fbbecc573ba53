"""One official account as the platform sees it: fans, mass sends, articles and comments.

It keeps state and asks `wechat_rules` for every decision; it knows neither HTTP nor the clock.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from deploy.sandbox.clock import shanghai_day, shanghai_month
from deploy.sandbox.config import AccountKind, Limits, WechatAccount
from deploy.sandbox.wechat import rules
from deploy.sandbox.wechat.tokens import TokenIssuer

MESSAGE_KINDS = frozenset({"text", "image", "voice", "video", "location", "link"})

_MSG_ID_BASE = 1_000_000_000
_MSG_DATA_ID_BASE = 2_247_483_648  # beyond 31 bits, as today's ids are


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment under an article. `openid` is empty for an identity outside WeChat."""

    user_comment_id: int
    openid: str
    content: str
    create_time: int
    elected: bool = False


@dataclass(frozen=True, slots=True)
class MassJob:
    """A decided mass send. `code` 0: accepted as `msg_id`; 45065 names the earlier `msg_id`."""

    code: int
    msg_id: int = 0
    msg_data_id: int = 0
    split: rules.MassSplit | None = None


@dataclass(slots=True)
class _Known:
    accepted_at: float
    last_at: float
    job: MassJob


@dataclass(slots=True)
class WechatState:
    """The mutable part of one account."""

    config: WechatAccount
    limits: Limits = field(default_factory=Limits)
    started_at: float = 0.0
    fans: dict[str, rules.Fan] = field(default_factory=dict)
    articles: dict[tuple[int, int], list[Comment]] = field(default_factory=dict)
    tokens: TokenIssuer = field(init=False)
    _sent_in_month: Counter[tuple[str, str]] = field(default_factory=Counter)
    _success_days: Counter[str] = field(default_factory=Counter)
    _mass_attempts: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    _client_msg_ids: dict[str, _Known] = field(default_factory=dict)
    _ids: count[int] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = TokenIssuer(self.config.appid, self.config.token_lifetime_s)
        # Ids must not repeat when the sandbox restarts beside services that remember them.
        self._ids = count(int(self.started_at) % 1_000_000_000)

    def fan(self, openid: str) -> rules.Fan:
        """Return the fan, new if the account has never met it."""
        return self.fans.get(openid) or rules.Fan()

    def note(self, kind: str, openid: str, at: float) -> None:
        """Note what a fan did; `kind` is an action's. A menu link (`view`) opens no window."""
        fan = self.fan(openid)
        if kind == "subscribe":
            self.fans[openid] = rules.follow(fan, at)
        elif kind == "unsubscribe":
            self.fans[openid] = rules.unfollow(fan)
        elif kind in ("click", "scan"):
            self.fans[openid] = rules.open_window(fan, rules.Trigger(kind), at)
        elif kind in MESSAGE_KINDS:
            self.fans[openid] = rules.open_window(fan, rules.Trigger.MESSAGE, at)
        else:
            self.fans[openid] = fan

    def send_message(self, openid: str, now: float) -> int:
        """Charge one customer message to the fan; return the platform's code."""
        known = self.fans.get(openid)
        if known is None:
            return rules.BAD_OPENID
        code, self.fans[openid] = rules.charge_message(known, now)
        return code

    def send_mass(
        self, openids: tuple[str, ...], client_msg_id: str, now: float, *, article: bool
    ) -> MassJob:
        """Decide and book one mass send to `openids`."""
        if not rules.MASS_MIN_FANS <= len(openids) <= rules.MASS_MAX_FANS:
            return MassJob(rules.WRONG_FAN_COUNT)
        code = rules.check_mass_rate(tuple(self._mass_attempts), now)
        if code:
            return MassJob(code)
        self._mass_attempts.append(now)
        known = self._client_msg_ids.get(client_msg_id)
        code = rules.check_client_msg_id(
            (known.accepted_at, known.last_at) if known else None,
            now,
            self.limits.clientmsgid_retry_s,
        )
        if known and code:
            known.last_at = now
            return MassJob(code, known.job.msg_id, known.job.msg_data_id)
        return self._accept_mass(openids, client_msg_id, now, article=article)

    def publish_article(self) -> int:
        """Return the `msg_data_id` of a new article, open for comments."""
        msg_data_id = _MSG_DATA_ID_BASE + next(self._ids)
        self.articles[msg_data_id, 0] = []
        return msg_data_id

    def add_comment(
        self, msg_data_id: int, index: int, content: str, at: float, *, openid: str, elected: bool
    ) -> Comment | None:
        """Put a comment under an article; None if there is no such article."""
        comments = self.articles.get((msg_data_id, index))
        if comments is None:
            return None
        comment = Comment(len(comments) + 1, openid, content, int(at), elected)
        comments.append(comment)
        return comment

    def _accept_mass(
        self, openids: tuple[str, ...], client_msg_id: str, now: float, *, article: bool
    ) -> MassJob:
        kind, month, day = self.config.kind, shanghai_month(now), shanghai_day(now)
        if kind is AccountKind.SUBSCRIPTION and self._success_days[day] >= rules.MASS_PER_DAY:
            return MassJob(rules.NO_MASS_QUOTA)
        split = rules.split_mass(openids, self.fans, self._sent_in_month, kind, now)
        if not split.delivered:
            code = rules.NO_MASS_QUOTA if split.over_month else rules.BAD_OPENID
            return MassJob(code, split=split)
        self._success_days[day] += 1
        self._sent_in_month.update((openid, month) for openid in split.delivered)
        job = MassJob(
            rules.OK,
            _MSG_ID_BASE + next(self._ids),
            self.publish_article() if article else 0,
            split,
        )
        self._client_msg_ids[client_msg_id] = _Known(now, now, job)
        return job


def default_client_msg_id(content: bytes, openids: Iterable[str]) -> str:
    """Return the id that the platform derives from content and scope when none is given."""
    digest = hashlib.sha256(content)
    for openid in sorted(openids):
        digest.update(openid.encode())
    return digest.hexdigest()
