"""WeChat's access tokens: two isolated kinds, their lifetimes, overlaps and call quotas.

Source: WeChat "getStableAccessToken" and "getAccessToken".
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass

from deploy.sandbox.clock import shanghai_day
from deploy.sandbox.wechat.rules import DAILY_QUOTA, INVALID_TOKEN, MINUTE_LIMIT, OK

EXPIRED_TOKEN = 42001
OVERLAP_S = 300.0  # renewal starts this early, and old and new are valid together this long

_FORCED_PER_DAY = 20
_FORCED_APART_S = 30.0
_STABLE_PER_MINUTE = 10_000
_CLASSIC_PER_DAY = 2_000
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Issue:
    """An answer of a token endpoint: a code, and with code 0 a token and its seconds left."""

    code: int
    token: str = ""
    expires_in: int = 0


@dataclass(slots=True)
class _Token:
    value: str
    ends_at: float


class TokenIssuer:
    """One account's tokens. Times are Unix seconds; `lifetime_s` is 7,200 on the platform."""

    def __init__(self, appid: str, lifetime_s: float) -> None:
        self._appid = appid
        self._lifetime_s = lifetime_s
        self._overlap_s = min(OVERLAP_S, lifetime_s / 4)
        self._stable: list[_Token] = []
        self._classic: list[_Token] = []
        self._forced: list[float] = []
        self._stable_calls: deque[float] = deque(maxlen=_STABLE_PER_MINUTE)
        self._classic_calls: dict[str, int] = {}

    def issue_stable(self, now: float, *, force_refresh: bool) -> Issue:
        """Answer `stable_token`: the same token in its life, a new one near its end or by force."""
        calls = self._stable_calls
        if len(calls) == calls.maxlen and now - calls[0] < _MINUTE_S:
            return Issue(MINUTE_LIMIT)
        calls.append(now)
        if force_refresh:
            return self._force(now)
        current = self._stable[-1] if self._stable else None
        if current is None or now >= current.ends_at - self._overlap_s:
            current = self._new(now)
            self._stable = [*self._stable[-1:], current]
        return Issue(OK, current.value, int(current.ends_at - now))

    def issue_classic(self, now: float) -> Issue:
        """Answer `token`: always a new one; the previous dies after the overlap."""
        day = shanghai_day(now)
        if self._classic_calls.get(day, 0) >= _CLASSIC_PER_DAY:
            return Issue(DAILY_QUOTA)
        self._classic_calls = {day: self._classic_calls.get(day, 0) + 1}
        for old in self._classic:
            old.ends_at = min(old.ends_at, now + self._overlap_s)
        current = self._new(now)
        self._classic = [*self._classic[-1:], current]
        return Issue(OK, current.value, int(current.ends_at - now))

    def check(self, token: str, now: float) -> int:
        """Return 0 for a valid token, else the platform's code."""
        for one in (*self._stable, *self._classic):
            if one.value == token:
                return OK if now < one.ends_at else EXPIRED_TOKEN
        return INVALID_TOKEN

    def revoke_all(self) -> None:
        """Kill every token at once, as a leaked secret's reset does."""
        self._stable, self._classic = [], []

    def _force(self, now: float) -> Issue:
        self._forced = [at for at in self._forced if shanghai_day(at) == shanghai_day(now)]
        if self._forced and now - self._forced[-1] < _FORCED_APART_S:
            return Issue(MINUTE_LIMIT)
        if len(self._forced) >= _FORCED_PER_DAY:
            return Issue(DAILY_QUOTA)
        self._forced.append(now)
        current = self._new(now)
        self._stable = [current]
        return Issue(OK, current.value, int(current.ends_at - now))

    def _new(self, now: float) -> _Token:
        return _Token(f"{self._appid}_{secrets.token_urlsafe(96)}", now + self._lifetime_s)
