"""What ingest is told beside what every service is told."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from services.ingest.domain.nonces import MOST_BINDINGS
from shared.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """The settings of ingest, from `FAN_INGEST_…`."""

    service: ClassVar[str] = "ingest"

    comment_poll_every_s: Annotated[
        PositiveFloat,
        Field(description="pace of reading a young article's comments, in seconds; WeChat counts"),
    ] = 10.0
    nonce_bindings: Annotated[
        PositiveInt,
        Field(
            description="how many signatures that cover no body are remembered with their body;"
            " 250 bytes each, at least 1000 s of genuine plain-mode and Weibo requests"
        ),
    ] = MOST_BINDINGS
