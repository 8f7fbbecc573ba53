"""The file that lists a deployment's accounts and shops, read by every service that needs them.

Secrets never stand in the file: where one is needed it says `{env: NAME}` or `${NAME}`, and the
value comes from the environment. A wrong file is refused as a whole, each fault with its line and
field, and no message quotes a value.

```yaml
wechat:
  - name: brand                 # the {account} of /wechat/{account}
    kind: service               # or subscription
    app_id: wx0123456789abcdef
    original_id: gh_0123456789ab
    token: ${WECHAT_BRAND_TOKEN}
    encoding_aes_key: ${WECHAT_BRAND_AES_KEY}
    app_secret: ${WECHAT_BRAND_APP_SECRET}
weibo:
  - name: brand
    uid: "2187654321"
    app_secret: ${WEIBO_BRAND_APP_SECRET}
    access_token: ${WEIBO_BRAND_ACCESS_TOKEN}
shops:
  - name: shop                  # the {source} of /events/{source}
    secrets:
      - ${SHOP_WEBHOOK_SECRET}
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from shared import config_file
from shared.config_file import ConfigFileError
from shared.config_yaml import Where
from shared.platforms import standard_webhooks
from shared.platforms.wechat.crypto import MessageCipher

WECHAT_BASE_URL: Final = "https://api.weixin.qq.com"
WEIBO_BASE_URL: Final = "https://m.api.weibo.com"

_SECRET_FIELDS: Final = frozenset(
    {"token", "encoding_aes_key", "app_secret", "access_token", "secrets"}
)

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""An account's or shop's name, ours alone: in addresses and metric labels. Events carry the
platform's own id of the account (`original_id`, `uid`)."""


def _require_http(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("must start with https:// or http://")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_require_http)]


AccountsFileError: TypeAlias = ConfigFileError
"""The accounts file can't be used; each of its problems names file, line, column and field."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WeChatAccount(_Entry):
    """A WeChat official account."""

    name: Name
    kind: Literal["service", "subscription"]
    app_id: Annotated[str, Field(min_length=1)]
    original_id: Annotated[str, Field(min_length=1)]
    """The gh_ id that pushes name as receiver."""
    token: SecretStr
    app_secret: SecretStr
    encoding_aes_key: SecretStr | None = None
    """Needed for compatible and safe mode."""
    allow_plain: bool = False
    """Plain mode signs nothing of the body: on only where a person has decided so."""
    poll_comments: bool = True
    api_base: BaseUrl = WECHAT_BASE_URL

    @field_validator("encoding_aes_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            MessageCipher(key, "")
        return key

    @model_validator(mode="after")
    def _check_mode(self) -> WeChatAccount:
        if self.encoding_aes_key is None and not self.allow_plain:
            raise ValueError("needs encoding_aes_key, or allow_plain: true")
        return self


class WeiboAccount(_Entry):
    """A Weibo account on the fan service platform."""

    name: Name
    uid: Annotated[str, Field(pattern=r"^[0-9]+$")]
    app_secret: SecretStr
    access_token: SecretStr
    api_base: BaseUrl = WEIBO_BASE_URL


class Shop(_Entry):
    """A shop or app of the brand that posts signed events."""

    name: Name
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=2)]
    """The secret in force; while it is rotated, also the other one."""

    @field_validator("secrets")
    @classmethod
    def _check_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            standard_webhooks.read_secret(secret)
        return secrets


class Accounts(_Entry):
    """All accounts and shops of a deployment."""

    wechat: tuple[WeChatAccount, ...] = ()
    weibo: tuple[WeiboAccount, ...] = ()
    shops: tuple[Shop, ...] = ()

    @model_validator(mode="after")
    def _check_names(self) -> Accounts:
        for kind, listed in (("wechat", self.wechat), ("weibo", self.weibo), ("shops", self.shops)):
            names = [entry.name for entry in listed]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind}: the name {twice[0]!r} stands twice")
        return self


def load_accounts(path: Path, environment: Mapping[str, str]) -> Accounts:
    """Read the accounts file.

    Args:
        path: the file, YAML in UTF-8.
        environment: where the secrets are.

    Raises:
        AccountsFileError: it can't be read, or something in it is wrong.
    """
    return parse_accounts(config_file.read_text(path), environment, file=str(path))


def parse_accounts(
    text: str, environment: Mapping[str, str], *, file: str = "accounts.yaml"
) -> Accounts:
    """Read accounts from YAML text; `file` is only named in errors.

    Raises:
        AccountsFileError: something in it is wrong.
    """
    found = config_file.parse(text, environment, file=file)
    if not isinstance(found.data, dict):
        found.refuse([((), "expected the lists wechat, weibo and shops")])
    for where in _clear_secrets(found.data, ()):
        if where not in found.references:
            found.add(where, "a secret must be a reference, as ${NAME} or {env: NAME}")
    accounts = found.check(Accounts)
    found.finish()
    return cast("Accounts", accounts)  # without one there were faults


def _clear_secrets(value: Any, where: Where) -> Iterator[Where]:
    """Yield the places of values that stand where secrets belong."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _clear_secrets(inner, (*where, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _clear_secrets(inner, (*where, number))
    elif value is not None and any(part in _SECRET_FIELDS for part in where):
        yield where
