"""What every service is told from outside, and how: the environment only, read once, frozen.

A service subclasses `ServiceSettings` with its name and its own fields:

    class IngestSettings(ServiceSettings):
        service: ClassVar[str] = "ingest"
        poll_interval_s: PositiveFloat = 60.0

One rule gives each field its variables. An own field is read from `FAN_INGEST_POLL_INTERVAL_S`.
A shared field is read from `FAN_INGEST_HTTP_PORT`, and else from `FAN_HTTP_PORT`, so that four
services can share one environment and still differ where they must. Any variable may come from a
file instead: `FAN_STAFF_TOKENS_FILE=/run/secrets/tokens`. Mappings and lists are written as JSON.

What is wrong is told in a few lines that name the variable and never quote its value.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar, get_args

from pydantic import Field, PositiveFloat, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.environment import FILE_SUFFIX, EnvironmentSource, UnreadableFileError
from shared.errors import FanEngagementError
from shared.settings_parts import HttpEdge, LogAccess

EXIT_BAD_SETTINGS = 2
PREFIX = "FAN_"
MIN_TOKEN_CHARACTERS = 20

Role = Literal["campaigns", "oncall", "operations", "viewer"]
"""campaigns: plans campaigns; oncall: answers incidents; operations: erases, replays; viewer."""
ROLES: frozenset[Role] = frozenset(get_args(Role))
StaffTokens = Mapping[Role, tuple[SecretStr, ...]]

OWN_ONLY: frozenset[str] = frozenset({"mongodb_database"})
"""Fields of all services that two services must not share."""

T = TypeVar("T", bound=BaseSettings)


class SettingsError(FanEngagementError):
    """Something that staff configured is wrong.

    Also for configuration files (accounts, tags): raise it in `create_app`, and the process ends
    with a short message and code 2.

    Args:
        problems: one short line each: the variable, or file with line and field, and what to do.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _FromEnvironment(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, env_prefix=PREFIX
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic calls by name
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment by our one rule."""
        return init_settings, EnvironmentSource(settings_cls, _names)


class LogSettings(_FromEnvironment, LogAccess):
    """The way to the log alone, for tools."""


class ServiceSettings(_FromEnvironment, HttpEdge, LogAccess):
    """What all four services are told. A field without a default must be set."""

    service: ClassVar[str] = ""
    """The service's name, in lower case; part of the names of its variables."""

    log_epoch: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{1,32}$",
            description="names the log's incarnation, for example 2026a: letters, digits, - and _;"
            " choose a new one only when the log was emptied or replaced",
        ),
    ]
    topic_prefix: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._-]{0,64}$",
            description="put before every topic and group, so that deployments can share a log",
        ),
    ] = ""
    create_topics: Annotated[
        bool,
        Field(description="create missing topics at the start; false where the log does it"),
    ] = True
    replication_factor: Annotated[
        int, Field(ge=1, le=9, description="copies of each partition of created topics")
    ] = 1
    max_records: Annotated[
        int, Field(ge=1, le=50_000, description="records a consumer takes at once")
    ] = 5_000
    session_timeout_ms: Annotated[
        int,
        Field(ge=1_000, le=300_000, description="a consumer silent for so long loses its place"),
    ] = 10_000
    rebalance_timeout_ms: Annotated[
        int,
        Field(
            ge=2_000, le=600_000, description="the time to hand partitions over; drains use half"
        ),
    ] = 30_000

    mongodb_url: Annotated[
        SecretStr,
        Field(description="the store, as mongodb://user:password@host:port/?replicaSet=…"),
    ]
    mongodb_database: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_-]{1,38}$", description="this service's own database"),
    ]
    """Never shared between services, so never read from a variable without the service's name."""
    store_driver: Annotated[
        Literal["motor", "pymongo"], Field(description="the store's driver, motor or pymongo")
    ] = "motor"

    staff_tokens: Annotated[
        StaffTokens,
        Field(
            description='tokens of the staff API by role, as JSON: {"campaigns": ["<token>"]};'
            f" roles: {', '.join(sorted(ROLES))}; tokens of {MIN_TOKEN_CHARACTERS} characters or"
            ' more, for example from: python -c "import secrets; print(secrets.token_urlsafe())"'
        ),
    ]
    accounts_file: Annotated[Path, Field(description="the file that lists the brand's accounts")]
    language: Annotated[
        Literal["zh", "en"], Field(description="of texts that staff and fans read, zh or en")
    ] = "zh"

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="debug, info, warning or error"),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"], Field(description="json or, for eyes, console")
    ] = "json"

    crash_at: Annotated[
        str,
        Field(description="for tests only: step=count kills the process there; leave it empty"),
    ] = ""
    stop_timeout_s: Annotated[
        PositiveFloat, Field(description="seconds for each part of an orderly stop")
    ] = 20.0
    watchdog_stuck_s: Annotated[
        float, Field(ge=5, description="seconds without progress after which the process ends")
    ] = 60.0

    @field_validator("staff_tokens")
    @classmethod
    def _tokens_are_hard_to_guess(cls, tokens: StaffTokens) -> StaffTokens:
        for role, secrets in tokens.items():
            for secret in secrets:
                value = secret.get_secret_value()
                if len(value) < MIN_TOKEN_CHARACTERS:
                    raise ValueError(f"a token of role {role} is too short")
                if not value.isascii() or not value.isprintable() or " " in value:
                    raise ValueError(f"a token of role {role} has characters a header can't carry")
        return tokens


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of the documentation of settings."""

    name: str
    required: bool
    default: str
    description: str


def load_settings(settings_class: type[T], **known: object) -> T:
    """Read a service's settings from the environment.

    Args:
        settings_class: the service's own class.
        known: fields that need not be read.

    Raises:
        SettingsError: with one line for each variable that is missing or wrong.
    """
    try:
        return settings_class(**known)  # type: ignore[arg-type]  # checked by pydantic
    except UnreadableFileError as error:
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        problems = (_explain(settings_class, details) for details in error.errors())
        raise SettingsError(*dict.fromkeys(problems)) from None  # its cause may quote a value


@contextmanager
def exit_on_bad_settings() -> Iterator[None]:
    """End the process with code 2 and a short message on stderr when settings are wrong.

    with exit_on_bad_settings():
        app = create_app(load_settings(IngestSettings))
    sys.exit(app.run())
    """
    try:
        yield
    except SettingsError as error:
        lines = "".join(f"  {problem}\n" for problem in error.problems)
        sys.stderr.write(f"Can't start, the settings need attention:\n{lines}")
        raise SystemExit(EXIT_BAD_SETTINGS) from None


def variables(settings_class: type[ServiceSettings]) -> tuple[Variable, ...]:
    """Every variable that a service reads, in the order of declaration, for its documentation."""
    return tuple(
        Variable(
            name=_names(settings_class, name)[-1],
            required=field.is_required(),
            default="" if field.is_required() else str(field.default),
            description=field.description or "",
        )
        for name, field in settings_class.model_fields.items()
    )


def unknown_variables(
    settings_class: type[ServiceSettings], environment: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Variables that carry this service's prefix and that nothing reads: most likely misspelt."""
    known = {
        name + suffix
        for field in settings_class.model_fields
        for name in _names(settings_class, field)
        for suffix in ("", FILE_SUFFIX)
    }
    prefix = _own_prefix(settings_class)
    return tuple(sorted(n for n in environment if n.startswith(prefix) and n not in known))


def _names(settings_class: type[BaseSettings], field_name: str) -> tuple[str, ...]:
    own = _own_prefix(settings_class) + field_name.upper()
    if field_name in ServiceSettings.model_fields and field_name not in OWN_ONLY:
        return tuple(dict.fromkeys((own, PREFIX + field_name.upper())))
    return (own,)


def _own_prefix(settings_class: type[BaseSettings]) -> str:
    service: str = getattr(settings_class, "service", "")
    return f"{PREFIX}{service.upper()}_" if service else PREFIX


def _explain(settings_class: type[BaseSettings], details: ErrorDetails) -> str:
    # Deeper parts of the location are left out: a token written where a role belongs is a key.
    field_name = str(details["loc"][0]) if details["loc"] else ""
    field = settings_class.model_fields.get(field_name)
    if field is None:
        return details["msg"].removeprefix("Value error, ")
    names = _names(settings_class, field_name)
    name = next((n for n in names if n in os.environ or n + FILE_SUFFIX in os.environ), names[-1])
    advice = f" ({field.description})" if field.description else ""
    if details["type"] == "missing":
        return f"{name} is not set{advice}"
    message = details["msg"].removeprefix("Value error, ")
    return f"{name}: {message}{advice}"
