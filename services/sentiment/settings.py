"""What the sentiment service is told, beside what every service is."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat, SecretStr, field_validator

from shared.settings import ServiceSettings

MIN_SECRET_CHARACTERS = 32


class SentimentSettings(ServiceSettings):
    """Settings of the sentiment service, as `FAN_SENTIMENT_…`."""

    service: ClassVar[str] = "sentiment"

    alerts_file: Annotated[
        Path, Field(description="the file with thresholds, alert channels and the escalation")
    ]
    public_url: Annotated[
        str,
        Field(
            pattern=r"^https?://[^\s?#]+[^\s?#/]$",
            description="where staff reach this service, for the links in pages, without a / at"
            " the end",
        ),
    ]
    link_secrets: Annotated[
        tuple[SecretStr, ...],
        Field(
            min_length=1,
            max_length=4,
            description='sign the links in pages, as JSON: ["<secret>"]; the first signs, all are'
            f" accepted; {MIN_SECRET_CHARACTERS} characters or more",
        ),
    ]
    author_secret: Annotated[
        SecretStr,
        Field(
            description="turns the authors of comments into pseudonyms; keep it, since with"
            " another one the same people count as new"
        ),
    ]
    link_hours: Annotated[
        PositiveFloat, Field(description="hours for which a link in a page is good")
    ] = 72.0
    negative_threshold: Annotated[
        float, Field(ge=0, le=1, description="probability from which a comment counts as negative")
    ] = 0.5
    score_messages: Annotated[
        bool, Field(description="whether fans' direct messages count like comments")
    ] = False
    text_days: Annotated[
        PositiveFloat, Field(description="days after which the words of comments are erased")
    ] = 30.0
    model_file: Annotated[
        Path | None, Field(description="a model file of one's own; else the shipped one")
    ] = None

    @field_validator("author_secret", "link_secrets")
    @classmethod
    def _secrets_are_hard_to_guess(
        cls, value: SecretStr | tuple[SecretStr, ...]
    ) -> SecretStr | tuple[SecretStr, ...]:
        secrets = (value,) if isinstance(value, SecretStr) else value
        if any(len(one.get_secret_value()) < MIN_SECRET_CHARACTERS for one in secrets):
            raise ValueError(f"a secret needs {MIN_SECRET_CHARACTERS} characters or more")
        return value
