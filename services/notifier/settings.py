"""What the notifier is told from outside, beyond what all services are."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from services.notifier.domain.periods import parse_quiet_hours
from shared.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    """The brand's own rules of pushing, and how fast the platforms are called."""

    service: ClassVar[str] = "notifier"

    quiet_hours: Annotated[
        str,
        Field(
            description="no push in these hours of Asia/Shanghai, as 22:00-08:00; empty for none"
        ),
    ] = "22:00-08:00"
    reply_in_quiet_hours_s: Annotated[
        float,
        Field(
            ge=0,
            description="a push that answers a fan's own act may break the quiet hours for so many"
            " seconds after it; 0 for never",
        ),
    ] = 0.0
    fan_cap_a_day: Annotated[
        PositiveInt, Field(le=50, description="pushes to one fan on one day, over all channels")
    ] = 2
    calls_a_second: Annotated[
        PositiveFloat, Field(description="calls a second to one channel of one account")
    ] = 20.0
    call_timeout_s: Annotated[
        PositiveFloat, Field(le=30, description="seconds to wait for a platform's answer")
    ] = 10.0

    @field_validator("quiet_hours")
    @classmethod
    def _quiet_hours_can_be_read(cls, text: str) -> str:
        parse_quiet_hours(text)
        return text
