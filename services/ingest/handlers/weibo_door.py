"""Checks and understands what comes to the address of one Weibo account.

Weibo's signature does not cover the body, so it is bound to the first body that came with it. An
account may be pushed to in JSON or in WeChat's XML. What is genuine and can't be read is kept as
it came.
"""

from __future__ import annotations

from typing import Final

from services.ingest.domain.incoming import Incoming, keep_unreadable
from services.ingest.domain.nonces import Binding, NonceTable
from services.ingest.domain.refusals import Refusal
from services.ingest.domain.weibo_events import understand_weibo
from services.ingest.ports import Request
from shared.platforms.accounts import WeiboAccount
from shared.platforms.fields import BodyError, BodyFault
from shared.platforms.verdict import Verdict
from shared.platforms.weibo import messages, signature

_BOUND: Final = {
    Binding.OTHER_BODY: Refusal.NONCE_REUSED,
    Binding.FULL: Refusal.NONCES_FULL,
}


class WeiboDoor:
    """The address of one account; see `services.ingest.ports.Door`."""

    platform: Final = "weibo"
    content_types: Final = frozenset(
        {b"application/json", b"text/json", b"text/plain", b"text/xml", b"application/xml"}
    )
    reply: Final = (b"text/plain; charset=utf-8", b"")
    untold: Final = frozenset[Refusal]()

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
        body = request.body
        signed_at = int(signature.read_timestamp(request.query["timestamp"]) or now)
        try:
            push = messages.read(body)
            return understand_weibo(push, account=self._account, signed_at=signed_at)
        except BodyError as error:
            if error.fault is not BodyFault.MALFORMED:
                return Refusal(error.fault)
            return keep_unreadable(
                body,
                platform="weibo",
                account=self._account,
                authenticated_by="weibo",
                now_s=signed_at,
            )

    def _check(self, request: Request, body: bytes, now: float) -> Refusal | None:
        query = request.query
        given = query.get("signature", "")
        verdict = signature.check(
            given,
            query.get("timestamp", ""),
            query.get("nonce", ""),
            app_secret=self._app_secret.get_secret_value(),
            now=now,
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        return _BOUND.get(self._nonces.bind(given, body, now=now))
