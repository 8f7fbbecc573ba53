"""What Weibo's error codes mean for us.

A code that stands in `REFUSALS` is a definite refusal; "system busy" codes and codes that stand
nowhere leave the outcome of a call without an idempotency key unknown, and Weibo has no such keys.
Source: Weibo "Error_code" as public SDKs list it; the reactions are our reading.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final

from shared.platforms.outcomes import Reaction, Reason, Refused, Unknown

DELAYED: Final = 20032
"""Accepted; it takes effect in a minute or two."""

_BY_REACTION: Final = (
    ((10004,), Reason.ADDRESS_NOT_LISTED, Reaction.STOP),
    ((10006, 10013, 10014), Reason.NOT_AUTHORISED, Reaction.STOP),
    ((10008, 10016, 10017, 10018, 10020, 10021), Reason.BAD_CALL, Reaction.FIX),
    ((10022, 10023, 10024), Reason.QUOTA_SPENT, Reaction.WAIT_QUOTA),
    ((20003,), Reason.FAN_UNKNOWN, Reaction.DROP),
    ((20101, 20201, 20204), Reason.ARTICLE_MISSING, Reaction.DROP),
    (
        (20012, 20013, 20018, 20020, 20021, 20202, 21602),
        Reason.CONTENT,
        Reaction.FIX,
    ),
    ((20015, 20016, 20022, 20031), Reason.ACCOUNT_LIMITED, Reaction.WAIT_QUOTA),
    ((20017, 20019, 20306), Reason.DUPLICATE, Reaction.DROP),
    ((20301,), Reason.NOT_FOLLOWING, Reaction.DROP),
    (
        (21301, 21314, 21315, 21316, 21317, 21319, 21327, 21332),
        Reason.TOKEN,
        Reaction.STOP,  # a person must authorise again
    ),
)

REFUSALS: Final = MappingProxyType(
    {code: (reason, reaction) for codes, reason, reaction in _BY_REACTION for code in codes}
)

BUSY_CODES: Final = frozenset({10001, 10002, 10003, 10009, 10010})


def classify(code: int, platform_time: datetime | None) -> Refused | Unknown:
    """Return what an error code other than 0 means for the call."""
    listed = REFUSALS.get(code)
    if listed is not None:
        reason, reaction = listed
        return Refused(reason, reaction, code, platform_time)
    reason = Reason.BUSY if code in BUSY_CODES else Reason.UNLISTED
    return Unknown(reason, code, platform_time)
