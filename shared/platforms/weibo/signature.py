"""Whether a request to our Weibo address is from Weibo and recent.

The AppSecret plays the token's part, the timestamp is in milliseconds or in seconds, and the body
isn't covered. Source: Weibo "Messages_api_start" and "消息推送服务".
"""

from __future__ import annotations

from typing import Final

from shared.platforms import sorted_sha1
from shared.platforms.verdict import Verdict, check_age, is_timestamp

_MS_DIGITS: Final = 13
_MS: Final = 1000


def check(signature: str, timestamp: str, nonce: str, *, app_secret: str, now: float) -> Verdict:
    """Check a request's signature; `now` is in Unix seconds."""
    signed_at = read_timestamp(timestamp)
    if not (signature and nonce) or signed_at is None:
        return Verdict.UNSIGNED
    if not sorted_sha1.matches(signature, app_secret, timestamp, nonce):
        return Verdict.FORGED
    return check_age(signed_at, now)


def read_timestamp(text: str) -> float | None:
    """Return a request's timestamp in Unix seconds; None where it isn't one."""
    if is_timestamp(text, _MS_DIGITS):
        return int(text) / _MS
    return float(text) if is_timestamp(text) else None
