"""The link in a page: signed, expiring, for one incident. Pure.

The token is `base64url(incident|expiry).base64url(HMAC-SHA256)`. Several secrets may be valid at
once, so that they can be changed; the first one signs.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

MAX_TOKEN_CHARS = 2048
_PURPOSE = b"fan-engagement incident link v1|"


@dataclass(frozen=True, slots=True)
class Opens:
    """The token is good."""

    incident: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The token is not good."""

    reason: Literal["malformed", "forged", "expired"]


def sign(incident: str, expires_at: int, secret: bytes) -> str:
    """A token for the incident.

    Args:
        incident: the incident's id.
        expires_at: ms since the epoch; the token is good before.
        secret: at least 16 bytes.
    """
    payload = f"{incident}|{expires_at}".encode()
    return f"{_encode(payload)}.{_encode(_mac(payload, secret))}"


def verify(token: str, now: int, secrets: Sequence[bytes]) -> Opens | Refused:
    """What a token opens.

    Args:
        token: as it stood in the link.
        now: ms since the epoch.
        secrets: all that are valid at present.
    """
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        return Refused("malformed")
    encoded_payload, _, encoded_mac = token.partition(".")
    try:
        payload, mac = _decode(encoded_payload), _decode(encoded_mac)
    except (ValueError, binascii.Error):
        return Refused("malformed")
    if not any(hmac.compare_digest(mac, _mac(payload, secret)) for secret in secrets):
        return Refused("forged")
    incident, _, expiry = payload.decode().rpartition("|")
    return Opens(incident) if now < int(expiry) else Refused("expired")


def _mac(payload: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, _PURPOSE + payload, sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise ValueError("not the one encoding of these bytes")
    return raw
