"""`incidents.v1`: crises of one account, keyed by the account."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.base import AccountEvent, Identifier


class IncidentEvent(AccountEvent):
    """Base: the state of an incident after this change."""

    topic: ClassVar[str] = "incidents.v1"

    incident: Identifier
    subject: Identifier
    """What the incident is about, e.g. food_safety or general."""
    severity: Annotated[int, Field(ge=0, le=3)]
    """0 no hazard, 1 watch, 2 a human should look soon, 3 someone may be hurt."""
    number: Annotated[int, Field(ge=1)]
    """The incident's running number; a higher one knows more."""
    pause_promotions: bool
    """Whether promotions of this account stay paused because of this incident."""


class IncidentOpened(IncidentEvent):
    """Negative comments by enough different people exceeded the usual."""


class IncidentEscalated(IncidentEvent):
    """The next step was paged: nobody acknowledged in time, or it got worse than was known."""

    step: Annotated[int, Field(ge=1)]


class IncidentAcknowledged(IncidentEvent):
    """A person took it."""


class IncidentResolved(IncidentEvent):
    """It is over; promotions may resume."""
