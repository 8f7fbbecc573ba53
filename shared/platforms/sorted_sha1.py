"""The signature that WeChat and Weibo share: SHA-1 over the sorted, joined parts.

Weak by today's measure (SHA-1, no HMAC) but it is what the platforms send, and without the secret
among the parts it can't be made. Each platform's own module says which parts go in.

It does not say where one part ends and the next begins, nor which is which: digits may move between
timestamp and nonce, or both change places, and the signature stays right. So a signature, and
never the parts, is what is bound to a body (`services.ingest.domain.nonces`), and a timestamp has
one form only (`verdict.is_timestamp`).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

_HEX_DIGITS: Final = 40


def sign(*parts: str) -> str:
    """Return the hex SHA-1 of the parts joined in lexicographic order.

    Source: WeChat "Message push", Weibo "Messages_api_start".
    """
    joined = "".join(sorted(parts))
    raw = joined.encode() if joined.isascii() else joined.encode("utf-8", "surrogatepass")
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def matches(signature: str, *parts: str) -> bool:
    """Tell, in constant time, whether `signature` is the one of the parts."""
    if len(signature) != _HEX_DIGITS or not signature.isascii():
        return False  # whatever the parts are; they may be long
    return hmac.compare_digest(sign(*parts), signature)
