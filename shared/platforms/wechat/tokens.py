"""The access token of one account: when it is asked for again, and that it's asked for once.

WeChat's stable token may be asked for by every instance: within its life the answer is the same
token, in its last five minutes a new one while the old one still counts. Forcing a new one kills
the old one at once, and is allowed 20 times a day, 30 s apart: the last resort after a refusal.
Where even the forced one is refused, no token helps: the channel stops until a person acts.
Source: WeChat "getStableAccessToken".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeGuard

import httpx
from pydantic import SecretStr

from shared.platforms.calls import Answer, call
from shared.platforms.outcomes import Accepted, Outcome, Reaction, Reason, Refused
from shared.platforms.wechat.errors import classify_token

RENEW_BEFORE_S: Final = 240.0
"""Inside the five minutes in which WeChat hands out the next token."""
FORCE_EVERY_S: Final = 3600.0 * 1.5
"""16 forced renewals a day at most, where WeChat allows 20."""
_SHORT_LIFE_SHARE: Final = 0.1
_HOPELESS: Final = 2
"""So many new tokens, each refused at once."""
_LONGEST_LIFE_S: Final = 86_400.0 * 366


@dataclass(frozen=True, slots=True)
class _Held:
    token: SecretStr
    renew_at: float


class TokenCache:
    """Holds an account's token and renews it.

    Args:
        http: the client that calls are made with.
        base_url: where the API is, with any prefix.
        app_id: the account's AppID.
        app_secret: the account's AppSecret.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        base_url: str,
        app_id: str,
        app_secret: SecretStr,
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._url = base_url.rstrip("/") + "/cgi-bin/stable_token"
        self._app_id = app_id
        self._app_secret = app_secret
        self._clock = clock
        self._held: _Held | None = None
        self._forced_at: float | None = None
        self._forced: SecretStr | None = None
        """The token that was forced, until a call has shown that WeChat takes it."""
        self._new_refused: tuple[SecretStr, ...] = ()
        """New tokens that WeChat refused, one after the other."""
        self._lock = asyncio.Lock()

    async def get(self) -> Outcome[SecretStr]:
        """Return a token that should be good, asking WeChat only where the held one is ageing."""
        if (held := self._good()) is not None:
            return Accepted(held)
        async with self._lock:
            if (held := self._good()) is not None:
                return Accepted(held)
            return await self._ask(force=False)

    async def replace(self, refused: SecretStr) -> Outcome[SecretStr]:
        """Return another token than the one that WeChat has just refused.

        Callers that were refused together share one renewal.
        """
        async with self._lock:
            held = self._good()
            if held is not None and held != refused:
                return Accepted(held)
            self._held = None
            found = await self._ask(force=False)
            if not isinstance(found, Accepted) or found.value != refused:
                return found
            self._held = None
            now = self._clock()
            if self._forced_at is not None and now - self._forced_at < FORCE_EVERY_S:
                return Refused(Reason.TOKEN, self._next(refused), None, found.platform_time)
            self._forced_at = now
            forced = await self._ask(force=True)
            self._forced = forced.value if isinstance(forced, Accepted) else None
            return forced

    def note_taken(self) -> None:
        """Note that WeChat answered a call and did not refuse its token."""
        self._forced, self._new_refused = None, ()

    def note_new_refused(self, token: SecretStr) -> Reaction:
        """Note that WeChat refused a token that `replace` had just got; returns what to do.

        Another program may have replaced one token meanwhile. But where the forced one is refused,
        or two in a row, no token helps and nothing but a person does.
        """
        if token not in self._new_refused:
            self._new_refused = (*self._new_refused[-1:], token)
        return self._next(token)

    def _next(self, refused: SecretStr) -> Reaction:
        hopeless = refused == self._forced or len(self._new_refused) >= _HOPELESS
        return Reaction.STOP if hopeless else Reaction.RETRY

    async def ask_time(self) -> datetime | None:
        """Ask for the token again, without effect, to hear the platform's time."""
        async with self._lock:
            return (await self._ask(force=False)).platform_time

    def _good(self) -> SecretStr | None:
        held = self._held
        return held.token if held is not None and self._clock() < held.renew_at else None

    async def _ask(self, *, force: bool) -> Outcome[SecretStr]:
        asked_at = self._clock()
        request = self._http.build_request(
            "POST",
            self._url,
            content=json.dumps(
                {
                    "grant_type": "client_credential",
                    "appid": self._app_id,
                    "secret": self._app_secret.get_secret_value(),
                    "force_refresh": force,
                }
            ),
            headers={"content-type": "application/json"},
        )
        answer = await call(self._http, request)
        if not isinstance(answer, Answer):
            return answer
        if code := answer.code("errcode"):
            return classify_token(code, answer.platform_time)
        token, life_s = answer.body.get("access_token"), answer.body.get("expires_in")
        if not answer.is_success or not isinstance(token, str) or not token or not _is_life(life_s):
            return answer.unreadable()
        margin_s = min(RENEW_BEFORE_S, life_s * _SHORT_LIFE_SHARE)
        self._held = _Held(SecretStr(token), asked_at + life_s - margin_s)
        return Accepted(self._held.token, answer.platform_time)


def _is_life(found: object) -> TypeGuard[float]:
    """Whether a token's life is a number of seconds that a clock can count."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    return 0 < found <= _LONGEST_LIFE_S
