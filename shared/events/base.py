"""What every event has: a frozen model, a type, a topic and a record key.

The value of a record is the model's JSON; the CloudEvents envelope is in the headers
(`shared.events.envelope`). Times are integers, milliseconds since 1970 UTC: windows are
arithmetic. Unknown fields are ignored, so that a newer producer harms no older consumer.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Platform = Literal["wechat", "weibo"]
Millis = Annotated[int, Field(ge=0, lt=32_503_680_000_000)]
"""Milliseconds since the epoch, before the year 3000: a nonsense time is refused at the edge."""
Identifier = Annotated[str, Field(min_length=1, max_length=256)]


class Event(BaseModel):
    """Base of all events. Subclasses set `topic`; their class name is the `ce_type`."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_inf_nan="null", use_attribute_docstrings=True
    )

    topic: ClassVar[str]

    occurred_at: Millis
    """When it happened, by the clock of whoever saw it happen."""

    @property
    def key(self) -> str:
        """The record key: events with one key stay in order."""
        raise NotImplementedError

    def to_json(self) -> bytes:
        """The record's value; empty fields are left out."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)


class AccountEvent(Event):
    """An event about one of the brand's accounts."""

    platform: Platform
    account: Identifier
    """The account's own id on its platform: WeChat's gh_ id, Weibo's uid."""

    @property
    def key(self) -> str:
        """`platform:account`."""
        return f"{self.platform}:{self.account}"


class FanEvent(AccountEvent):
    """An event about one fan of one account."""

    fan: Identifier
    """The fan's id for this account: WeChat's openid, Weibo's uid."""

    @property
    def key(self) -> str:
        """`platform:account:fan`, the fan's key everywhere."""
        return f"{self.platform}:{self.account}:{self.fan}"


def fan_key(platform: str, account: str, fan: str) -> str:
    """The key of a fan, as events and documents use it."""
    return f"{platform}:{account}:{fan}"
