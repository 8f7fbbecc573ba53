"""`docs/settings.md`: every variable that a service reads."""

from __future__ import annotations

import importlib
import inspect

from deploy.local.docs.markdown import code, page, table
from deploy.local.stack import SERVICES
from shared.settings import ServiceSettings, Variable, variables

HEAD = ("variable", "meaning", "default")


def settings_classes() -> dict[str, type[ServiceSettings]]:
    """The settings of each service, by its name."""
    found = {}
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.settings")
        (found[service],) = [
            value
            for _, value in inspect.getmembers(module, inspect.isclass)
            if issubclass(value, ServiceSettings) and value is not ServiceSettings
        ]
    return found


def render() -> str:
    """The page."""
    shared = [variable for variable in variables(ServiceSettings) if not _is_own(variable)]
    names = {variable.name for variable in shared}
    parts = [
        "# Settings",
        (
            "Everything a service is told comes from the environment, is read once, and is"
            " refused as a whole with one line for each fault: the process then ends with exit"
            " code 2. **set** means that there is no default. Any variable may come from a file:"
            " put `_FILE` behind its name. Lists and mappings are JSON. A variable that carries a"
            " service's prefix and that nothing reads is logged at the start"
            " (`settings.variable.unknown`)."
        ),
        "## Every service",
        (
            "Each of these may also be set for one service alone: `FAN_HTTP_PORT` for all,"
            " `FAN_INGEST_HTTP_PORT` for `ingest`; the longer name wins."
        ),
        table(HEAD, map(_row, shared)),
    ]
    for service, settings in settings_classes().items():
        own = [variable for variable in variables(settings) if variable.name not in names]
        parts += [f"## {service}", table(HEAD, map(_row, own))]
    return page(*parts)


def _is_own(variable: Variable) -> bool:
    """Whether two services must not share it: then it stands with each service."""
    return variable.name == "FAN_MONGODB_DATABASE"


def _row(variable: Variable) -> tuple[str, str, str]:
    default = "**set**" if variable.required else code(variable.default) or "empty"
    return code(variable.name), variable.description, default
