"""How a field of the settings is read: from its variable, or from the file that one names."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import from_json
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from shared.errors import FanEngagementError

FILE_SUFFIX = "_FILE"

Names = Callable[[type[BaseSettings], str], tuple[str, ...]]


class UnreadableFileError(FanEngagementError):
    """A variable names a file that can't be read; the message names the variable."""


class EnvironmentSource(PydanticBaseSettingsSource):
    """Reads each field from the first of its variables that is set.

    Args:
        settings_cls: the settings to fill.
        names: the variables of a field, the most telling first.
    """

    def __init__(self, settings_cls: type[BaseSettings], names: Names) -> None:
        super().__init__(settings_cls)
        self._names = names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text of a field, and whether it is JSON."""
        for name in self._names(self.settings_cls, field_name):
            value = _read(name)
            if value is not None:
                return value, field_name, self.field_is_complex(field)
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Whatever is set, by field."""
        values: dict[str, Any] = {}
        for field_name, field in self.settings_cls.model_fields.items():
            value, key, is_json = self.get_field_value(field, field_name)
            if value is None:
                continue
            if is_json:
                # Text that is no JSON stays text, which validation refuses with its description.
                with suppress(ValueError):
                    value = from_json(value)
            values[key] = value
        return values


def _read(name: str) -> str | None:
    value = os.environ.get(name)
    path = os.environ.get(name + FILE_SUFFIX)
    if value is not None or path is None:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UnreadableFileError(
            f"{name}{FILE_SUFFIX}: the file can't be read: {type(error).__name__}"
        ) from None
