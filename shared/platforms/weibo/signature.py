"""Whether a request to our Weibo address is from Weibo and recent.

The AppSecret plays the token's part, the timestamp is in milliseconds, and the body isn't covered.
Source: Weibo "Messages_api_start" and "消息推送服务".
"""

from __future__ import annotations

from typing import Final

from shared.platforms import sorted_sha1
from shared.platforms.verdict import TOLERANCE_S, Verdict

_LONGEST_TIMESTAMP: Final = 15
_MS: Final = 1000


def check(signature: str, timestamp: str, nonce: str, *, app_secret: str, now: float) -> Verdict:
    """Check a request's signature; `now` is in Unix seconds, the timestamp in milliseconds."""
    if not (signature and timestamp and nonce):
        return Verdict.UNSIGNED
    if not sorted_sha1.matches(signature, app_secret, timestamp, nonce):
        return Verdict.FORGED
    if len(timestamp) > _LONGEST_TIMESTAMP or not (timestamp.isascii() and timestamp.isdigit()):
        return Verdict.UNSIGNED
    if abs(now - int(timestamp) / _MS) > TOLERANCE_S:
        return Verdict.STALE
    return Verdict.GENUINE
