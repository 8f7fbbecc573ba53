"""What a fan, a shop or a forger does: the sandbox's input, and the counts it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from deploy.sandbox.config import Mode


class Forgery(StrEnum):
    """How a forged push differs from a genuine one."""

    SIGNATURE = "signature"  # the signature is invented
    STALE = "stale"  # rightly signed, an hour ago
    BODY = "body"  # the body was changed after it was signed, or sent under a captured signature


class Action(BaseModel):
    """One push to cause. `account` is a `gh_` id, a Weibo uid or a shop's source.

    `kind`: WeChat `text`, `image`, `voice`, `video`, `location`, `link`, `subscribe`,
    `unsubscribe`, `scan`, `click`, `view`, `event` or `verify`; Weibo `text`, `image`, `voice`,
    `position`, `mention`, `follow`, `unfollow`, `scan`, `scan_follow`, `click`, `view`, `event`
    or `verify`; for a shop the event's type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    account: str
    kind: str
    fan: str = ""
    text: str = Field(default="", description="what the fan writes")
    key: str = Field(default="", description="scene, menu key or URL; the name of an `event`")
    fields: Mapping[str, Any] = Field(default={}, description="more fields; a shop's `data`")
    event_id: str = Field(default="", description="a shop's webhook-id; made up if empty")
    at: float | None = Field(default=None, description="Unix seconds; now if absent")
    mode: Mode | None = Field(default=None, description="WeChat's wrapping, if not the account's")
    copies: int = Field(default=1, ge=1, le=8, description="how many go out at the same time")
    lost_answers: int = Field(default=0, ge=0, description="answers that never reach the platform")
    forge: Forgery | None = None


@dataclass(slots=True)
class Counts:
    """What became of pushes. sent = acknowledged + rejected + unanswered, in HTTP requests."""

    pushes: int = 0  # distinct genuine ones
    sent: int = 0  # HTTP requests, with copies, re-sends and forgeries
    acknowledged: int = 0  # answered as the protocol wants
    rejected: int = 0  # answered with 4xx, or with something the platform can't read
    unanswered: int = 0  # no answer in time, no connection, 5xx or 429
    retried: int = 0  # requests that were re-sends
    duplicated: int = 0  # requests that were parallel copies
    forged: int = 0  # requests that were forged
    forged_accepted: int = 0  # forged, and answered as if genuine: the services' fault
    genuine_rejected: int = 0  # genuine, and refused: the services' fault
    lost: int = 0  # genuine pushes given up after the last attempt

    def add(self, other: Self) -> None:
        """Add another account of pushes to this one."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def as_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, int]) -> Self:
        """Read what `as_json` wrote."""
        return cls(**found)
