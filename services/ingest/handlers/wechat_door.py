"""Checks and understands what comes to the address of one WeChat account.

In plain mode the signature is bound to the body; in compatible and safe mode it covers the
ciphertext, and only what was encrypted is believed: the clear fields beside it in compatible mode
are nobody's word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.nonces import Binding, NonceTable
from services.ingest.domain.refusals import Refusal
from services.ingest.domain.wechat_events import understand_wechat
from services.ingest.ports import Request
from shared.events.fan import Authenticated
from shared.platforms.accounts import WeChatAccount
from shared.platforms.fields import BodyError, Fields, text_of
from shared.platforms.verdict import Verdict
from shared.platforms.wechat import messages, signature
from shared.platforms.wechat.crypto import CipherError, MessageCipher
from shared.platforms.wechat.replies import SUCCESS

_SAFE_FIELDS: Final = frozenset({"ToUserName", "Encrypt"})
"""What a push in safe mode has outside; compatible mode has the clear fields too."""
_BOUND: Final = {
    Binding.OTHER_BODY: Refusal.NONCE_REUSED,
    Binding.FULL: Refusal.NONCES_FULL,
}


class WeChatDoor:
    """The address of one account; see `services.ingest.ports.Door`."""

    platform: Final = "wechat"
    content_types: Final = frozenset(
        {b"text/xml", b"application/xml", b"application/json", b"text/json"}
    )
    reply: Final = (b"text/plain; charset=utf-8", SUCCESS)

    def __init__(self, account: WeChatAccount, nonces: NonceTable) -> None:
        self._account = account.original_id
        self._token = account.token
        self._allow_plain = account.allow_plain
        self._cipher = (
            MessageCipher(account.encoding_aes_key, account.app_id)
            if account.encoding_aes_key is not None
            else None
        )
        self._nonces = nonces

    def greet(self, request: Request, now: float) -> bytes | Refusal:
        """Return the echo string of a genuine verification."""
        query = request.query
        echo = query.get("echostr", "").encode()
        refusal = self._check_plain(query, b"GET " + echo, now)
        return echo if refusal is None else refusal

    def read(self, request: Request, now: float) -> Incoming | Refusal:
        """Check a push in any mode and tell which event it is."""
        try:
            if request.query.get("encrypt_type", "raw") == "raw":
                return self._read_plain(request, now)
            return self._read_sealed(request, now)
        except BodyError as error:
            return Refusal(error.fault)
        except CipherError as error:
            return Refusal(error.fault)

    def _read_plain(self, request: Request, now: float) -> Incoming | Refusal:
        if not self._allow_plain:
            return Refusal.PLAIN_MODE
        refusal = self._check_plain(request.query, request.body, now)
        if refusal is not None:
            return refusal
        return self._understand(messages.read(request.body), "wechat_plain")

    def _read_sealed(self, request: Request, now: float) -> Incoming | Refusal:
        if self._cipher is None:
            return Refusal.NO_KEY
        outside = messages.read(request.body)
        encrypted = text_of(outside, "Encrypt")
        if not encrypted:
            return Refusal.MALFORMED
        query = request.query
        verdict = signature.check_encrypted(
            query.get("msg_signature", ""),
            query.get("timestamp", ""),
            query.get("nonce", ""),
            encrypted,
            token=self._token.get_secret_value(),
            now=now,
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        safe = outside.keys() <= _SAFE_FIELDS
        inside = messages.read(self._cipher.decrypt(encrypted))
        return self._understand(inside, "wechat_safe" if safe else "wechat_compatible")

    def _understand(self, fields: Fields, authenticated_by: Authenticated) -> Incoming | Refusal:
        return understand_wechat(fields, account=self._account, authenticated_by=authenticated_by)

    def _check_plain(self, query: Mapping[str, str], body: bytes, now: float) -> Refusal | None:
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        verdict = signature.check_plain(
            query.get("signature", ""),
            timestamp,
            nonce,
            token=self._token.get_secret_value(),
            now=now,
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        return _BOUND.get(
            self._nonces.bind(f"wechat:{self._account}", timestamp, nonce, body, now=now)
        )
