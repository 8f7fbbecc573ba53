"""The signature that WeChat and Weibo share: SHA-1 over the sorted, joined parts.

Weak by today's measure (SHA-1, no HMAC) but it is what the platforms send, and without the secret
among the parts it can't be made. Each platform's own module says which parts go in.
"""

from __future__ import annotations

import hashlib
import hmac


def sign(*parts: str) -> str:
    """Return the hex SHA-1 of the parts joined in lexicographic order.

    Source: WeChat "Message push", Weibo "Messages_api_start".
    """
    joined = "".join(sorted(parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def matches(signature: str, *parts: str) -> bool:
    """Tell, in constant time, whether `signature` is the one of the parts."""
    given = signature.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(sign(*parts).encode(), given)
