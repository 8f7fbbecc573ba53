"""The sandbox's configuration file: which accounts, keys and shops exist, and how patient it is.

Every secret in it is invented for the sandbox; the real ones never come near this file.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_AES_KEY_BYTES = 32
_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_LARGEST_BYTES = 1_048_576
_DEEPEST = 20


class ConfigError(ValueError):
    """The file can't be used; the message names it and, where there is one, the line."""


class Mode(StrEnum):
    """How WeChat wraps a push: full XML, both, or ciphertext only."""

    PLAIN = "plain"
    COMPATIBLE = "compatible"
    SAFE = "safe"


class AccountKind(StrEnum):
    """Which of the two mass-send quotas applies."""

    SERVICE = "service"
    SUBSCRIPTION = "subscription"


def _check_aes_key(value: str) -> str:
    try:
        key = base64.b64decode(value + "=")
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != _AES_KEY_BYTES:
        raise ValueError("must be 43 characters of base64")
    return value


def _check_webhook_secret(value: str) -> str:
    if not value.startswith("whsec_"):
        raise ValueError("must start with whsec_")
    base64.b64decode(value.removeprefix("whsec_"), validate=True)
    return value


class WechatAccount(BaseModel):
    """One official account (公众号), as its owner configured it in the platform's console."""

    model_config = _FROZEN
    account: str = Field(pattern=r"^gh_\w+$", description="the original id")
    appid: str = Field(pattern=r"^wx\w+$")
    secret: str
    token: str
    encoding_aes_key: Annotated[str, AfterValidator(_check_aes_key)]
    kind: AccountKind = AccountKind.SERVICE
    mode: Mode = Mode.SAFE
    webhook: str = Field(description="where pushes go: the whole URL")
    comments: bool = True
    token_lifetime_s: float = 7200


class WeiboAccount(BaseModel):
    """One Weibo account with the fans' service platform (粉丝服务平台) bound."""

    model_config = _FROZEN
    uid: int
    app_secret: str
    access_token: str
    webhook: str

    @property
    def account(self) -> str:
        """The account's name in actions and books."""
        return str(self.uid)


class Shop(BaseModel):
    """A source of Standard Webhooks: the brand's shop or app."""

    model_config = _FROZEN
    source: str
    secret: Annotated[str, AfterValidator(_check_webhook_secret)]
    webhook: str
    retry_delays_s: tuple[float, ...] = (5, 300, 1800, 7200)
    patience_s: float = 15

    @property
    def account(self) -> str:
        """The shop's name in actions and books."""
        return self.source


class Robot(BaseModel):
    """A WeCom group robot; its key is its only secret."""

    model_config = _FROZEN
    key: str
    name: str = "robot"


class Integration(BaseModel):
    """A PagerDuty Events v2 integration."""

    model_config = _FROZEN
    routing_key: str = Field(min_length=32, max_length=32)
    name: str = "integration"
    events_per_minute: int = 120


class Delivery(BaseModel):
    """How WeChat and Weibo push. Source: "5 s without an answer", "three retries in total"."""

    model_config = _FROZEN
    patience_s: float = 5
    attempts: int = 3
    retry_on_5xx: bool = True
    resign_on_retry: bool = False


class Limits(BaseModel):
    """Periods that a test may shorten; the defaults are the platforms'."""

    model_config = _FROZEN
    clientmsgid_retry_s: float = 60
    mass_job_delay_s: float = 0.3
    weibo_calls_per_hour: int = 15_000


class SandboxConfig(BaseModel):
    """The whole file."""

    model_config = _FROZEN
    wechat: tuple[WechatAccount, ...] = ()
    weibo: tuple[WeiboAccount, ...] = ()
    shops: tuple[Shop, ...] = ()
    robots: tuple[Robot, ...] = ()
    pagerduty: tuple[Integration, ...] = ()
    delivery: Delivery = Delivery()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [one.account for one in self.wechat]
        names += [one.account for one in self.weibo]
        names += [one.account for one in self.shops]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"accounts and sources share a name: {', '.join(twice)}")
        return self


def load_config(path: Path) -> SandboxConfig:
    """Read the YAML file.

    Raises:
        ConfigError: it can't be read, or is more than plain fields, lists and values.
        pydantic.ValidationError: a field is missing, unknown or malformed; it names the field.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_BYTES + 1).decode("utf-8-sig")
        _refuse_what_is_not_plain(text, path)
        found = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: this is not YAML: {error.problem}") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {type(error).__name__}") from None
    except ConfigError:
        raise
    except ValueError:
        raise ConfigError(f"{path}: a date or number in it does not exist") from None
    return SandboxConfig.model_validate(found or {})


def _refuse_what_is_not_plain(text: str, path: Path) -> None:
    """Aliases multiply or refer to themselves, tags make objects; depth ends in a recursion."""
    if len(text.encode()) > _LARGEST_BYTES:
        raise ConfigError(f"{path}: larger than {_LARGEST_BYTES:,} bytes")
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None or tag is not None:
            raise ConfigError(f"{path}:{line}: anchors, aliases and tags are not taken")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ConfigError(f"{path}:{line}: nested deeper than {_DEEPEST} levels")
