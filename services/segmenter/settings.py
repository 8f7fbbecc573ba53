"""What the segmenter is told, beside what every service is."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from shared.settings import ServiceSettings


class SegmenterSettings(ServiceSettings):
    """Settings of the segmenter, as `FAN_SEGMENTER_…`."""

    service: ClassVar[str] = "segmenter"

    tags_file: Annotated[Path, Field(description="the file with the tag rules (tags.yaml)")]
    tags_file_look_s: Annotated[
        PositiveFloat, Field(description="seconds between two looks whether that file changed")
    ] = 5.0
    clock_interval_s: Annotated[
        PositiveFloat, Field(description="seconds between two looks for tags that fall by time")
    ] = 1.0
    expiry_grace_s: Annotated[
        NonNegativeFloat,
        Field(description="seconds that a tag outlives its end, for an event may be on its way"),
    ] = 5.0
    clock_batch: Annotated[
        PositiveInt, Field(description="fans changed at a time by the clock", le=5_000)
    ] = 500
    clock_fans_per_s: Annotated[
        PositiveFloat, Field(description="fans changed in a second by the clock, at the most")
    ] = 2_000.0
    tag_count_s: Annotated[
        PositiveFloat, Field(description="seconds between two counts of the fans of each tag")
    ] = 60.0
