"""`push-outcomes.v1`: what became of each push, and which articles went out."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.base import AccountEvent, FanEvent, Identifier, Millis


class PushEvent(FanEvent):
    """Base: one push is one (campaign, fan, occurrence)."""

    topic: ClassVar[str] = "push-outcomes.v1"

    push: Identifier
    """Id of (campaign, fan, occurrence)."""
    campaign: Identifier
    occurrence: Identifier
    """Constant for a one-off campaign, the period for a repeating one."""
    channel: Identifier
    number: Annotated[int, Field(ge=1)]
    """The push's running number; a higher one knows more."""


class PushSent(PushEvent):
    """The platform accepted a call that named the fan."""


class PushRefused(PushEvent):
    """The platform definitely refused; the debit was credited back."""

    reason: Identifier
    """Why, in one bounded word."""


class PushUnknown(PushEvent):
    """Nobody can tell whether the platform took it. It counts as sent and is never repeated."""

    reason: Identifier
    """Why, in one bounded word."""


class PushHeld(PushEvent):
    """Not now: a limit, quiet hours or a missing fact stands against it."""

    reason: Identifier
    """Why, in one bounded word."""
    not_before: Millis
    """When it may go at the earliest."""


class PushDropped(PushEvent):
    """It is not sent: opted out, unfollowed, tag lost, expired, cancelled, or its period is over.

    The first three may be planned again when the fan earns the tag again.
    """

    reason: Identifier
    """Why, in one bounded word."""


class MassSendAccepted(AccountEvent):
    """A wave of a mass send was accepted; its article can now be commented on."""

    topic: ClassVar[str] = "push-outcomes.v1"

    campaign: Identifier
    wave: Identifier
    """The wave's `clientmsgid`."""
    message_id: Identifier
    article: str = ""
    """`msg_data_id`: the article under which fans comment; empty where there is none."""
    fans: Annotated[int, Field(ge=0)]
