"""Whether a request to our WeChat address is from WeChat and recent.

Two signatures exist. `signature` covers (token, timestamp, nonce) only: it says nothing about the
body. `msg_signature`, in compatible and safe mode, covers the ciphertext too.
Source: WeChat "Message push" and "Message encryption".
"""

from __future__ import annotations

from shared.platforms import sorted_sha1
from shared.platforms.verdict import Verdict, check_age, is_timestamp


def check_plain(signature: str, timestamp: str, nonce: str, *, token: str, now: float) -> Verdict:
    """Check `signature`, as on URL verification and in plain mode; `now` is in Unix seconds."""
    if not (signature and nonce and is_timestamp(timestamp)):
        return Verdict.UNSIGNED
    if not sorted_sha1.matches(signature, token, timestamp, nonce):
        return Verdict.FORGED
    return check_age(int(timestamp), now)


def check_encrypted(
    msg_signature: str, timestamp: str, nonce: str, encrypted: str, *, token: str, now: float
) -> Verdict:
    """Check `msg_signature`, which covers the ciphertext; `now` is in Unix seconds."""
    if not (msg_signature and nonce and is_timestamp(timestamp)):
        return Verdict.UNSIGNED
    if not sorted_sha1.matches(msg_signature, token, timestamp, nonce, encrypted):
        return Verdict.FORGED
    return check_age(int(timestamp), now)
