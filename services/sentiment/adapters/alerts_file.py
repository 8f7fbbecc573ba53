"""Reads the file of alerts: thresholds, channels and the escalation.

Secrets never stand in the file: a value `${NAME}` comes from the environment. A wrong file is
refused as a whole, with line and field and without quoting a value.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from services.sentiment.domain.incidents.judgement import Thresholds
from services.sentiment.domain.incidents.usual import HOUR_MS, MINUTE_MS, Prior
from services.sentiment.domain.paging.escalation import Policy, Step
from shared.settings import SettingsError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_Where = tuple[str | int, ...]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_M = TypeVar("_M", bound=BaseModel)
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
    after_seconds: Annotated[float, Field(ge=0)] = 0.0
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path.name}: can't be read: {type(error).__name__}") from None
    return parse_alerts(text, environment, kinds, file=path.name)


def parse_alerts(
    text: str, environment: Mapping[str, str], kinds: Kinds, *, file: str = "alerts.yaml"
) -> Alerts:
    """Read the file's text; see `load_alerts`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise SettingsError(f"{file}:{line}: this is not valid YAML") from None
    lines = dict(_lines(root))
    missing: dict[_Where, str] = {}
    resolved = _resolve(raw, environment, (), missing)
    _refuse(
        f"{_at(where, lines, file)}: the environment variable {name} is not set"
        for where, name in missing.items()
    )
    found = _checked(_File, resolved, (), lines, file)
    channels = {}
    for name, channel in found.channels.items():
        where: _Where = ("channels", name)
        config = kinds.get(channel.kind)
        if config is None:
            known = ", ".join(kinds)
            _refuse([f"{_at((*where, 'kind'), lines, file)}: must be one of {known}"])
            continue
        own = channel.model_extra or {}
        _refuse(
            f"{_at((*where, name), lines, file)}: a secret must be a reference, as ${{NAME}}"
            for name, field in config.model_fields.items()
            if field.annotation is SecretStr
            and name in own
            and not _REFERENCE.fullmatch(str(raw["channels"][where[1]][name]))
        )
        channels[name] = (channel.kind, _checked(config, own, where, lines, file))
    _refuse(
        f"{_at(('escalation', 'steps', number, 'channels'), lines, file)}: no channel of this name"
        for number, step in enumerate(found.escalation.steps)
        if not set(step.channels) <= set(channels)
    )
    return _alerts(found, channels)


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


def _resolve(
    value: Any, environment: Mapping[str, str], where: _Where, missing: dict[_Where, str]
) -> Any:
    """Put the environment's values in the place of references; notes those it lacks."""
    match value:
        case dict():
            return {
                name: _resolve(inner, environment, (*where, name), missing)
                for name, inner in value.items()
            }
        case list():
            return [
                _resolve(inner, environment, (*where, number), missing)
                for number, inner in enumerate(value)
            ]
        case str() if found := _REFERENCE.fullmatch(value):
            name = found.group(1)
            if not environment.get(name):
                missing[where] = name
            return environment.get(name, "")
        case _:
            return value


def _checked(
    model: type[_M], raw: Any, where: _Where, lines: Mapping[_Where, int], file: str
) -> _M:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(
            *(
                f"{_at((*where, *problem['loc']), lines, file)}: "
                f"{problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors(include_input=False, include_url=False)
            )
        ) from None


def _refuse(problems: Iterable[str]) -> None:
    found = tuple(problems)
    if found:
        raise SettingsError(*found)


def _at(where: _Where, lines: Mapping[_Where, int], file: str) -> str:
    """`file:line: field`, the line of the nearest part that the file has."""
    near = where
    while near and near not in lines:
        near = near[:-1]
    return f"{file}:{lines.get(near, 1)}: {'.'.join(map(str, where)) or 'the file'}"


def _lines(node: yaml.Node | None, where: _Where = ()) -> Iterator[tuple[_Where, int]]:
    if node is None:
        return
    yield where, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            yield from _lines(inner, (*where, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            yield from _lines(inner, (*where, number))
