"""Checks and understands what comes to the address of one WeChat account.

In plain mode the signature is bound to the body; in compatible and safe mode it covers the
ciphertext, and only what was encrypted is believed: the clear fields beside it in compatible mode
are nobody's word.

A stranger's request costs little: `signature` is checked first where it was sent, then one field
is looked for, then `msg_signature` is checked; only what is genuine is opened and read. What is
genuine and can't be read is kept as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.ingest.domain.incoming import Incoming, keep_unreadable
from services.ingest.domain.nonces import Binding, NonceTable
from services.ingest.domain.refusals import AFTER_OPENING, Refusal
from services.ingest.domain.wechat_events import understand_wechat
from services.ingest.ports import Request
from shared.events.fan import Authenticated
from shared.platforms.accounts import WeChatAccount
from shared.platforms.fields import BodyError, BodyFault
from shared.platforms.verdict import Verdict
from shared.platforms.wechat import messages, signature
from shared.platforms.wechat.crypto import CipherError, MessageCipher
from shared.platforms.wechat.replies import SUCCESS

_CLEAR_FIELD: Final = b"MsgType"
"""What every push in compatible mode has outside too, and one in safe mode has not."""
_SEALED: Final = b"sealed"
"""What `signature` is bound to beside a sealed body, which `msg_signature` covers: no plain one."""
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
    untold: Final = AFTER_OPENING

    def __init__(self, account: WeChatAccount, nonces: NonceTable) -> None:
        self._account = account.original_id
        self._app_id = account.app_id
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
        return self._understand(request, request.body, "wechat_plain")

    def _read_sealed(self, request: Request, now: float) -> Incoming | Refusal:
        if self._cipher is None:
            return Refusal.NO_KEY
        query, body, token = request.query, request.body, self._token.get_secret_value()
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        plain = query.get("signature", "")
        if plain:  # WeChat sends it, WeCom doesn't; it says nothing about the body, but it's short
            verdict = signature.check_plain(plain, timestamp, nonce, token=token, now=now)
            if verdict is not Verdict.GENUINE:
                return Refusal(verdict)
        sealed = query.get("msg_signature", "")
        encrypted = messages.find_encrypted(body) if sealed else ""
        if sealed and not encrypted:
            return Refusal.DOCTYPE if messages.declares_doctype(body) else Refusal.MALFORMED
        verdict = signature.check_encrypted(
            sealed, timestamp, nonce, encrypted, token=token, now=now
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        if plain and self._allow_plain:  # else it would be right for a plain body of anybody's
            self._nonces.bind(plain, _SEALED, now=now)
        opened = self._cipher.decrypt(encrypted)
        mode: Authenticated = "wechat_compatible" if _CLEAR_FIELD in body else "wechat_safe"
        return self._understand(request, opened, mode)

    def _understand(
        self, request: Request, body: bytes, authenticated_by: Authenticated
    ) -> Incoming | Refusal:
        signed_at = int(request.query["timestamp"])
        try:
            return understand_wechat(
                messages.read(body),
                account=self._account,
                app_id=self._app_id,
                authenticated_by=authenticated_by,
                signed_at=signed_at,
            )
        except BodyError as error:
            if error.fault is not BodyFault.MALFORMED:
                raise
            return keep_unreadable(
                body,
                platform="wechat",
                account=self._account,
                authenticated_by=authenticated_by,
                now_s=signed_at,
            )

    def _check_plain(self, query: Mapping[str, str], body: bytes, now: float) -> Refusal | None:
        given = query.get("signature", "")
        verdict = signature.check_plain(
            given,
            query.get("timestamp", ""),
            query.get("nonce", ""),
            token=self._token.get_secret_value(),
            now=now,
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        return _BOUND.get(self._nonces.bind(given, body, now=now))
