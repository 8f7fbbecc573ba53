"""What became of a call to a platform, told apart by what may be done next.

* `Accepted`: it had its effect; the value is the platform's answer.
* `Refused`: it had, for certain, no effect. Its reason says why, its reaction what to do.
* `Unknown`: it may have had its effect: a timeout, a broken connection, a 5xx, "system busy", an
  answer nobody can read or a code nobody listed. A call without an idempotency key must not be
  repeated then.

Each carries the platform's own time, from the `Date` header, where there was an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")


class Reaction(StrEnum):
    """What to do about a refusal."""

    DROP = "drop"
    """This message will never go to this fan."""
    DROP_FAN = "drop_fan"
    """The fan no longer follows: nothing will go there."""
    WAIT_FAN = "wait_fan"
    """Not until the fan acts again."""
    WAIT_MINUTE = "wait_minute"
    WAIT_QUOTA = "wait_quota"
    """Not until the platform's next period: hour, day or month."""
    RETRY = "retry"
    """Nothing was done; the same call may be made again, with backoff."""
    STOP = "stop"
    """Nothing will succeed on this account until a person acts: stop and alert."""
    FIX = "fix"
    """The call is wrong: drop the message and tell us."""
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a reaction's name
    """The access token was refused: get another one, once."""


class Reason(StrEnum):
    """Why a call was refused or left unknown; bounded, fit for labels, pushes' states and logs."""

    TOKEN = "token_refused"  # noqa: S105 - a reason's name
    CREDENTIALS = "credentials_refused"
    NOT_AUTHORISED = "not_authorised"
    ADDRESS_NOT_LISTED = "address_not_listed"
    FAN_UNKNOWN = "fan_unknown"
    NOT_FOLLOWING = "not_following"
    FAN_REFUSES = "fan_refuses"
    FAN_LIMITED = "fan_limited"
    WINDOW_CLOSED = "window_closed"
    COUNT_SPENT = "count_spent"
    QUOTA_SPENT = "quota_spent"
    TOO_FAST = "too_fast"
    CONTENT = "content_refused"
    MESSAGE_TYPE = "message_type_refused"
    DUPLICATE = "duplicate"
    ARTICLE_MISSING = "article_missing"
    COMMENTS_CLOSED = "comments_not_allowed"
    ACCOUNT_LIMITED = "account_limited"
    BAD_CALL = "bad_call"
    UNREACHABLE = "unreachable"
    SAME_KEY_RUNNING = "same_key_running"
    BUSY = "system_busy"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    SERVER_ERROR = "server_error"
    UNREADABLE = "unreadable_answer"
    UNLISTED = "unlisted_code"


@dataclass(frozen=True, slots=True)
class Accepted(Generic[T]):
    """The call had its effect."""

    value: T
    platform_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The call had no effect."""

    reason: Reason
    reaction: Reaction
    code: int | None = None
    """The platform's error code; None where the call never reached it."""
    platform_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell whether the call had its effect."""

    reason: Reason
    code: int | None = None
    platform_time: datetime | None = None


Outcome: TypeAlias = Accepted[T] | Refused | Unknown
