"""Settings for tests: complete and harmless, whatever the environment says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from shared.settings import ROLES, Role, ServiceSettings

T = TypeVar("T", bound=ServiceSettings)


def token_for(role: Role) -> str:
    """The staff token that `settings_for_tests` gives a role."""
    return f"token-for-tests-of-{role}"


def settings_for_tests(settings_class: type[T], **overrides: Any) -> T:
    """A service's settings with every required field filled in.

    Args:
        settings_class: the service's own class.
        overrides: fields that this test needs otherwise; `ServiceSettings` names them.
    """
    values: dict[str, Any] = {
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "log_epoch": "test",
        "mongodb_url": SecretStr("mongodb://127.0.0.1:1"),
        "mongodb_database": "fan_test",
        "http_host": "127.0.0.1",
        "http_port": 0,
        "staff_tokens": {role: (SecretStr(token_for(role)),) for role in ROLES},
        "accounts_file": Path("accounts.yaml"),
        "stop_timeout_s": 2.0,
    }
    return settings_class(**(values | overrides))
