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

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from shared.platforms import standard_webhooks
from shared.platforms.wechat.crypto import MessageCipher
from shared.settings import SettingsError

WECHAT_BASE_URL: Final = "https://api.weixin.qq.com"
WEIBO_BASE_URL: Final = "https://m.api.weibo.com"

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ENV_KEY: Final = "env"
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


class AccountsFileError(SettingsError):
    """The accounts file can't be used; each of its problems names file, line and field."""


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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AccountsFileError(f"{path}: can't be read: {type(error).__name__}") from error
    return parse_accounts(text, environment, file=str(path))


def parse_accounts(
    text: str, environment: Mapping[str, str], *, file: str = "accounts.yaml"
) -> Accounts:
    """Read accounts from YAML text; `file` is only named in errors.

    Raises:
        AccountsFileError: something in it is wrong.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or "not YAML"
        raise AccountsFileError(f"{file}:{line}: {problem}") from None
    if root is None or not isinstance(document, dict):
        raise AccountsFileError(f"{file}:1: expected the lists wechat, weibo and shops")
    faults: list[str] = []
    resolved = _resolve(document, environment, (), faults_at=faults, root=root, file=file)
    if not faults:
        try:
            return Accounts.model_validate(resolved)
        except ValidationError as error:
            faults = [
                f"{file}:{_line_of(root, fault['loc'])}: {_path(fault['loc'])}: {fault['msg']}"
                for fault in error.errors(
                    include_url=False, include_input=False, include_context=False
                )
            ]
    raise AccountsFileError(*faults) from None


def _resolve(
    value: Any,
    environment: Mapping[str, str],
    where: tuple[str | int, ...],
    *,
    faults_at: list[str],
    root: yaml.Node,
    file: str,
) -> Any:
    """Return `value` with its references replaced; each fault is put into `faults_at`."""

    def inner(item: Any, key: str | int) -> Any:
        return _resolve(item, environment, (*where, key), faults_at=faults_at, root=root, file=file)

    secret = any(part in _SECRET_FIELDS for part in where)
    name: str | None = None
    if isinstance(value, dict) and set(value) == {_ENV_KEY}:
        name = str(value[_ENV_KEY])
    elif isinstance(value, dict):
        return {key: inner(item, str(key)) for key, item in value.items()}
    elif isinstance(value, list):
        return [inner(item, index) for index, item in enumerate(value)]
    elif isinstance(value, str) and (match := _REFERENCE.fullmatch(value)) is not None:
        name = match.group(1)
    place = f"{file}:{_line_of(root, where)}: {_path(where)}"
    if name is None:
        if secret and value is not None:
            faults_at.append(
                f"{place}: a secret must be a reference, as ${{NAME}} or {{env: NAME}}"
            )
        return value
    found = environment.get(name, "")
    if not found:
        faults_at.append(f"{place}: the environment variable {name} is not set")
    return found


def _path(where: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return text.removeprefix(".") or "the file"


def _line_of(root: yaml.Node, where: Sequence[str | int]) -> int:
    """Return the line of the innermost part of `where` that stands in the file."""
    node = root
    for part in where:
        child = next(_children(node, part), None)
        if child is None:
            break
        node = child
    return int(node.start_mark.line) + 1


def _children(node: yaml.Node, part: str | int) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for key, value in node.value if key.value == str(part))
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        yield node.value[part]
