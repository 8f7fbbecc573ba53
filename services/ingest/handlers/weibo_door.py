"""Checks and understands what comes to the address of one Weibo account.

Weibo's signature does not cover the body, so it is bound to the first body that came with it.
"""

from __future__ import annotations

from typing import Final

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.nonces import Binding, NonceTable
from services.ingest.domain.refusals import Refusal
from services.ingest.domain.weibo_events import understand_weibo
from services.ingest.ports import Request
from shared.platforms.accounts import WeiboAccount
from shared.platforms.fields import BodyError
from shared.platforms.verdict import Verdict
from shared.platforms.weibo import messages, signature

_BOUND: Final = {
    Binding.OTHER_BODY: Refusal.NONCE_REUSED,
    Binding.FULL: Refusal.NONCES_FULL,
}


class WeiboDoor:
    """The address of one account; see `services.ingest.ports.Door`."""

    platform: Final = "weibo"
    content_types: Final = frozenset({b"application/json", b"text/json", b"text/plain"})
    reply: Final = (b"text/plain; charset=utf-8", b"")

    def __init__(self, account: WeiboAccount, nonces: NonceTable) -> None:
        self._account = account.uid
        self._app_secret = account.app_secret
        self._nonces = nonces

    def greet(self, request: Request, now: float) -> bytes | Refusal:
        """Return the echo string of a genuine verification."""
        echo = request.query.get("echostr", "").encode()
        refusal = self._check(request, b"GET " + echo, now)
        return echo if refusal is None else refusal

    def read(self, request: Request, now: float) -> Incoming | Refusal:
        """Check a push and tell which event it is."""
        refusal = self._check(request, request.body, now)
        if refusal is not None:
            return refusal
        try:
            return understand_weibo(messages.read(request.body), account=self._account)
        except BodyError as error:
            return Refusal(error.fault)

    def _check(self, request: Request, body: bytes, now: float) -> Refusal | None:
        query = request.query
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        verdict = signature.check(
            query.get("signature", ""),
            timestamp,
            nonce,
            app_secret=self._app_secret.get_secret_value(),
            now=now,
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        return _BOUND.get(
            self._nonces.bind(f"weibo:{self._account}", timestamp, nonce, body, now=now)
        )
