"""What WeChat's error codes mean for us.

HTTP is 200 even for errors; success is `errcode` 0 or none. A code that stands here is a definite
refusal, unless `UNKNOWN_CODES` has it; a code that stands nowhere leaves the outcome unknown.
Source: WeChat "Global return codes" as public SDKs list them; the reactions are our reading.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final

from shared.platforms.outcomes import Reaction, Reason, Refused, Unknown

SAME_MASS_SEND: Final = 45065
"""A mass send with this `clientmsgid` was accepted before; the answer names its message."""

REFUSALS: Final = MappingProxyType(
    {
        40001: (Reason.TOKEN, Reaction.REFRESH_TOKEN),
        40014: (Reason.TOKEN, Reaction.REFRESH_TOKEN),
        42001: (Reason.TOKEN, Reaction.REFRESH_TOKEN),
        40013: (Reason.CREDENTIALS, Reaction.STOP),
        40125: (Reason.CREDENTIALS, Reaction.STOP),
        40243: (Reason.CREDENTIALS, Reaction.STOP),
        89503: (Reason.CREDENTIALS, Reaction.STOP),  # an administrator must confirm
        40164: (Reason.ADDRESS_NOT_LISTED, Reaction.STOP),
        48001: (Reason.NOT_AUTHORISED, Reaction.STOP),
        48003: (Reason.NOT_AUTHORISED, Reaction.STOP),
        48004: (Reason.NOT_AUTHORISED, Reaction.STOP),
        40003: (Reason.FAN_UNKNOWN, Reaction.DROP),
        43004: (Reason.NOT_FOLLOWING, Reaction.DROP_FAN),
        50005: (Reason.NOT_FOLLOWING, Reaction.DROP_FAN),
        43019: (Reason.FAN_REFUSES, Reaction.DROP),
        43101: (Reason.FAN_REFUSES, Reaction.DROP),
        48002: (Reason.FAN_REFUSES, Reaction.DROP),
        50002: (Reason.FAN_LIMITED, Reaction.DROP),
        45015: (Reason.WINDOW_CLOSED, Reaction.WAIT_FAN),
        45047: (Reason.COUNT_SPENT, Reaction.WAIT_FAN),
        45009: (Reason.QUOTA_SPENT, Reaction.WAIT_QUOTA),
        45028: (Reason.QUOTA_SPENT, Reaction.WAIT_QUOTA),
        45011: (Reason.TOO_FAST, Reaction.WAIT_MINUTE),
        45002: (Reason.CONTENT, Reaction.FIX),
        45008: (Reason.CONTENT, Reaction.FIX),
        47001: (Reason.BAD_CALL, Reaction.FIX),
        47003: (Reason.BAD_CALL, Reaction.FIX),
        40032: (Reason.BAD_CALL, Reaction.FIX),  # too few or too many openids
        40037: (Reason.BAD_CALL, Reaction.FIX),
        45067: (Reason.BAD_CALL, Reaction.FIX),  # clientmsgid too long
        48008: (Reason.MESSAGE_TYPE, Reaction.FIX),
        88000: (Reason.COMMENTS_CLOSED, Reaction.STOP),
        88001: (Reason.ARTICLE_MISSING, Reaction.DROP),
        88010: (Reason.BAD_CALL, Reaction.FIX),
    }
)

UNKNOWN_CODES: Final = MappingProxyType(
    {
        -1: Reason.BUSY,
        45066: Reason.SAME_KEY_RUNNING,  # ask again with the same clientmsgid after a minute
    }
)


def classify(code: int, platform_time: datetime | None) -> Refused | Unknown:
    """Return what an error code other than 0 means for the call."""
    listed = REFUSALS.get(code)
    if listed is not None:
        reason, reaction = listed
        return Refused(reason, reaction, code, platform_time)
    return Unknown(UNKNOWN_CODES.get(code, Reason.UNLISTED), code, platform_time)
