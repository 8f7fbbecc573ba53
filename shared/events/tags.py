"""`tag-changes.v1`: which tags fans gain and lose."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.base import FanEvent, Identifier


class TagEvent(FanEvent):
    """Base of both changes. Consumers apply the highest `number` they have seen of a fan."""

    topic: ClassVar[str] = "tag-changes.v1"

    tag: Identifier
    rule_version: Identifier
    """Digest of the rule that decided."""
    because: Literal["event", "time", "rule_changed", "unfollowed"]
    cause: Identifier
    """The `ce_id` of the event that caused it, or the id of the instant."""
    tags: tuple[str, ...]
    """All tags of the fan after this change, sorted."""
    number: Annotated[int, Field(ge=1)]
    """The fan's running number; a higher one knows more."""


class TagAssigned(TagEvent):
    """A fan gained a tag."""


class TagRemoved(TagEvent):
    """A fan lost a tag."""
