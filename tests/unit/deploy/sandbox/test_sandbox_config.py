"""The sandbox's configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import deploy.sandbox
from deploy.sandbox.config import SandboxConfig, load_config

EXAMPLE = Path(deploy.sandbox.__file__).with_name("example.yaml")


def _example() -> dict[str, Any]:
    return load_config(EXAMPLE).model_dump(mode="json")


def test_the_example_is_valid_and_names_one_of_each() -> None:
    config = load_config(EXAMPLE)
    parts = (config.wechat, config.weibo, config.shops, config.robots, config.pagerduty)
    assert [len(part) for part in parts] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("wechat", "encoding_aes_key", "short"),
        ("wechat", "account", "not-gh"),
        ("wechat", "kind", "personal"),
        ("wechat", "colour", "red"),
        ("shops", "secret", "no-prefix"),
        ("pagerduty", "routing_key", "short"),
    ],
)
def test_a_wrong_field_is_named(section: str, field: str, value: str) -> None:
    broken = _example()
    broken[section][0][field] = value
    with pytest.raises(ValidationError, match=field):
        SandboxConfig.model_validate(broken)


def test_accounts_and_sources_share_no_name() -> None:
    broken = _example()
    broken["shops"][0]["source"] = str(broken["weibo"][0]["uid"])
    with pytest.raises(ValidationError, match="share a name"):
        SandboxConfig.model_validate(broken)
