"""The signatures that the platforms put on their pushes.

Sources: WeChat "Message push", Weibo wiki "Messages_api_start", spec/standard-webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the format's prefix, not a secret


def sha1_of_sorted(*parts: str) -> str:
    """Return the hex SHA-1 of the parts, sorted and joined: WeChat's and Weibo's signature."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()  # noqa: S324 - the protocol's


def standard_webhook_signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the `webhook-signature` value (`v1,<base64>`) over `id.timestamp.body`.

    Source: Standard Webhooks, "Signature scheme"; `secret` is `whsec_` and base64.
    """
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
