"""What WeChat's error codes mean for us.

HTTP is 200 even for errors; success is `errcode` 0, and of the token endpoint the token. A code
that stands here is a definite refusal, unless `UNKNOWN_CODES` has it; a code that stands nowhere
leaves the outcome unknown.
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

TOKEN_REFUSALS: Final = MappingProxyType(
    {
        40001: Reason.CREDENTIALS,  # of any other call: the token; here: the AppSecret
        40002: Reason.CREDENTIALS,
        40014: Reason.CREDENTIALS,
        41002: Reason.CREDENTIALS,  # no AppID
        41004: Reason.CREDENTIALS,  # no AppSecret
        42001: Reason.CREDENTIALS,
        61024: Reason.CREDENTIALS,  # the account gives its tokens to a third-party platform
        89501: Reason.CREDENTIALS,  # an administrator must confirm our address
        89506: Reason.CREDENTIALS,  # an administrator refused our address twice: for a day
        89507: Reason.CREDENTIALS,  # an administrator refused our address: for an hour
        50004: Reason.NOT_AUTHORISED,
        50007: Reason.ACCOUNT_LIMITED,  # frozen
    }
)
"""What else the token endpoint refuses; all of it until a person acts.
Source: WeChat "getStableAccessToken", error codes."""

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


def classify_token(code: int, platform_time: datetime | None) -> Refused | Unknown:
    """Return what an error code other than 0 means that the token endpoint itself answered.

    It says nothing about a message or a fan, so nothing is dropped for it: what waiting can't mend
    stops the channel until a person acts.
    """
    reason = TOKEN_REFUSALS.get(code)
    if reason is not None:
        return Refused(reason, Reaction.STOP, code, platform_time)
    found = classify(code, platform_time)
    if isinstance(found, Unknown) or found.reaction in _PASSING:
        return found
    return Refused(found.reason, Reaction.STOP, code, platform_time)


_PASSING: Final = frozenset({Reaction.WAIT_MINUTE, Reaction.WAIT_QUOTA, Reaction.RETRY})
