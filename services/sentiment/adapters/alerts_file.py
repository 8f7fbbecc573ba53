"""Reads the file of alerts: thresholds, channels and the escalation.

Secrets never stand in the file: a value `${NAME}` comes from the environment. A wrong file is
refused as a whole, with line and field and without quoting a value.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from services.sentiment.domain.incidents.judgement import Thresholds
from services.sentiment.domain.incidents.usual import HOUR_MS, MINUTE_MS, Prior
from services.sentiment.domain.paging.escalation import Policy, Step
from shared import config_file
from shared.config_yaml import Where

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the file says."""

    thresholds: Thresholds
    prior: Prior
    pause_from_severity: int
    policy: Policy
    channels: Mapping[str, tuple[str, BaseModel]]
    """Kind and configuration by the channel's name."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Prior(_Strict):
    people_per_hour: _Positive = 2.0
    severe_people_per_hour: _Positive = 0.05
    negative_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    dispersion: Annotated[float, Field(ge=1, le=10)] = 3.0
    severe_dispersion: Annotated[float, Field(ge=1, le=10)] = 1.0


class _LeastPeople(_Strict):
    any: Annotated[int, Field(ge=2)] = 8
    severity_2: Annotated[int, Field(ge=2)] = 4
    severity_3: Annotated[int, Field(ge=1)] = 3


class _Incidents(_Strict):
    windows_minutes: Annotated[tuple[_Positive, ...], Field(min_length=1, max_length=6)] = (
        1,
        5,
        15,
        60,
    )
    least_people: _LeastPeople = _LeastPeople()
    false_alarms_a_month: _Positive = 0.5
    severe_false_alarms_a_month: _Positive = 1.0
    horizon_hours: Annotated[float, Field(gt=0, le=24)] = 6.0
    quiet_minutes: _Positive = 30.0
    quiet_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    page_again_people_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    pause_promotions_from_severity: Annotated[int, Field(ge=0, le=4)] = 0
    prior: _Prior = _Prior()


class _Step(_Strict):
    after_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    mention: tuple[str, ...] = ()


class _Escalation(_Strict):
    steps: Annotated[tuple[_Step, ...], Field(min_length=1)]
    repeat_seconds: _Positive = 900.0

    @model_validator(mode="after")
    def _the_first_step_pages_at_once(self) -> Self:
        if self.steps[0].after_seconds:
            raise ValueError("the first step has after_seconds 0: an incident is told at once")
        if any(step.after_seconds <= 0 for step in self.steps[1:]):
            raise ValueError("each step but the first needs after_seconds above 0")
        return self


class _Channel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    kind: str


class _File(_Strict):
    incidents: _Incidents = _Incidents()
    channels: Annotated[dict[_Name, _Channel], Field(min_length=1)]
    escalation: _Escalation


Kinds = Mapping[str, type[BaseModel]]
"""The configuration of each kind of channel."""


def load_alerts(path: Path, environment: Mapping[str, str], kinds: Kinds) -> Alerts:
    """Read the file.

    Args:
        path: the YAML file.
        environment: where secrets are.
        kinds: the kinds of channels there are.

    Raises:
        SettingsError: with one line for each fault.
    """
    return parse_alerts(config_file.read_text(path), environment, kinds, file=str(path))


def parse_alerts(
    text: str, environment: Mapping[str, str], kinds: Kinds, *, file: str = "alerts.yaml"
) -> Alerts:
    """Read the file's text; see `load_alerts`."""
    found = config_file.parse(text, environment, file=file)
    if not isinstance(found.data, dict):
        found.refuse([((), "expected the fields incidents, channels and escalation")])
    read = found.check(_File)
    channels = {}
    for name, channel in _listed(found.data.get("channels")).items():
        where: Where = ("channels", name)
        kind = channel.get("kind")
        if not isinstance(kind, str):
            continue  # the file's check has told it
        config = kinds.get(kind)
        if config is None:
            found.add((*where, "kind"), f"must be one of {', '.join(kinds)}")
            continue
        own = {field: value for field, value in channel.items() if field != "kind"}
        for field, declared in config.model_fields.items():
            is_clear = field in own and (*where, field) not in found.references
            if declared.annotation is SecretStr and is_clear:
                found.add((*where, field), "a secret must be a reference, as ${NAME}")
        checked = found.check(config, where, own)
        if checked is not None:
            channels[name] = (kind, checked)
    known = set(_listed(found.data.get("channels")))
    for place, name in _named_channels(found.data.get("escalation")):
        if name not in known:
            found.add(place, f"there is no channel of this name; there are: {_few(known)}")
    found.finish()
    return _alerts(cast("_File", read), channels)  # without one there were faults


def _listed(channels: object) -> dict[str, dict[str, Any]]:
    """Return the channels that can be looked at; of the others the file's check tells."""
    if not isinstance(channels, dict):
        return {}
    return {name: inner for name, inner in channels.items() if isinstance(inner, dict)}


def _named_channels(escalation: object) -> Iterator[tuple[Where, str]]:
    """Yield the channels that the steps name, and where they do."""
    steps = escalation.get("steps") if isinstance(escalation, dict) else None
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        names = step.get("channels") if isinstance(step, dict) else None
        for entry, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str):
                yield ("escalation", "steps", number, "channels", entry), name


def _few(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _alerts(found: _File, channels: Mapping[str, tuple[str, BaseModel]]) -> Alerts:
    incidents = found.incidents
    least = incidents.least_people
    return Alerts(
        thresholds=Thresholds(
            windows_ms=tuple(round(minutes * MINUTE_MS) for minutes in incidents.windows_minutes),
            least_people={0: least.any, 2: least.severity_2, 3: least.severity_3},
            false_alarms_a_month=incidents.false_alarms_a_month,
            severe_false_alarms_a_month=incidents.severe_false_alarms_a_month,
            horizon_ms=round(incidents.horizon_hours * HOUR_MS),
            quiet_ms=round(incidents.quiet_minutes * MINUTE_MS),
            quiet_share=incidents.quiet_share,
            page_again_people_factor=incidents.page_again_people_factor,
        ),
        prior=Prior(**incidents.prior.model_dump()),
        pause_from_severity=incidents.pause_promotions_from_severity,
        policy=Policy(
            tuple(
                Step(step.after_seconds, step.channels, step.mention)
                for step in found.escalation.steps
            ),
            found.escalation.repeat_seconds,
        ),
        channels=channels,
    )
