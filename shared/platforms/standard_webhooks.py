"""Standard Webhooks: how a shop or an app of the brand signs what it posts to us.

The signature covers id, timestamp and body, so a replay is the same event (its id says so) and
a stale one is refused. A header may hold several signatures and we may hold several secrets: with
two of each, a secret is rotated without a gap. Source: Standard Webhooks 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr

from shared.platforms.verdict import Verdict, check_age, is_timestamp

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the scheme's prefix, no secret
_VERSION: Final = "v1,"
_SECRET_BYTES: Final = range(24, 65)
_MOST_SIGNATURES: Final = 8


def read_secret(secret: SecretStr) -> bytes:
    """Return the key inside a `whsec_…` secret.

    Raises:
        ValueError: it isn't base64 of 24 to 64 bytes; the message doesn't quote it.
    """
    encoded = secret.get_secret_value().removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise ValueError("a webhook secret is 'whsec_' and base64") from error
    if len(key) not in _SECRET_BYTES:
        raise ValueError(f"a webhook secret has 24 to 64 bytes, not {len(key)}")
    return key


def sign(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    """Return one `v1,…` signature, as it stands in the `webhook-signature` header."""
    content = b"%b.%b.%b" % (webhook_id.encode(), timestamp.encode(), body)
    return _VERSION + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def check(
    keys: Sequence[bytes],
    *,
    webhook_id: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now: float,
) -> Verdict:
    """Check a request against every key in force.

    Args:
        keys: from `read_secret`: the secret in force and, while rotating, the one before or after.
        webhook_id: the `webhook-id` header.
        timestamp: the `webhook-timestamp` header, Unix seconds.
        signatures: the `webhook-signature` header, a list parted by spaces.
        body: the raw body.
        now: Unix seconds.
    """
    if not (webhook_id and signatures and is_timestamp(timestamp)):
        return Verdict.UNSIGNED
    given = [one.encode() for one in signatures.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]]
    genuine = False
    for key in keys:
        expected = sign(key, webhook_id, timestamp, body).encode()
        for one in given:
            genuine |= hmac.compare_digest(expected, one)
    if not genuine:
        return Verdict.FORGED
    return check_age(int(timestamp), now)
