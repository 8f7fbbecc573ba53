"""Which event a shop's signed post is.

The body is Standard Webhooks' own shape: `type`, `timestamp` and `data`. `data` names the fan by
`platform`, `account` (the platform's id of it, or our name for it) and `fan`. `data` may also be
the JSON of that object. Whatever an event's type doesn't name is kept in its fields, numbers as
they were written.

A shop is the brand's own: unlike a platform's push, its post is refused with a clear word where it
names no fan, or an order that is none.

```json
{"type": "order.paid", "timestamp": "2026-11-22T20:00:00+08:00",
 "data": {"platform": "wechat", "account": "brand", "fan": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
          "order_id": "A-1001", "amount_minor": 19900, "currency": "CNY", "items": ["tea"]}}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.ingest.domain.incoming import FlatFields, Incoming
from services.ingest.domain.refusals import Refusal
from shared.events import Event, OtherReceived, PurchaseMade, stable_id
from shared.events.base import Platform
from shared.events.envelope import parse_time
from shared.platforms.fields import BodyError, Fields, Value, open_object, read_json

PURCHASE_TYPES: Final = frozenset({"order.paid", "purchase.made", "purchase"})
FUTURE_S = 300
"""A post may tell of the past, but not of what happens so many seconds after it was signed."""
MOST_VALUES: Final = 2_048
"""How many values a post may have: an order may have hundreds of items."""
_PURCHASE_FIELDS: Final = frozenset(
    {"platform", "account", "fan", "order_id", "amount_minor", "currency", "items"}
)
_MS: Final = 1000

OwnIds = Mapping[tuple[str, str], str]
"""(platform, our name or the platform's id) of an account to the platform's id."""


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _read_whole(value: object) -> object:
    """Read 19900.0 and 2e4 as numbers; they come as they were written."""
    if isinstance(value, str) and not value.isdigit():
        return float(value)
    return value


class _About(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    platform: Annotated[Platform, BeforeValidator(_strip)]
    account: Annotated[str, BeforeValidator(_strip)]
    fan: Annotated[str, BeforeValidator(_strip), Field(min_length=1)]


class _Purchase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: str
    amount_minor: Annotated[int, BeforeValidator(_read_whole)]
    currency: str = "CNY"
    items: tuple[str, ...] = ()


def understand_shop(
    body: bytes, *, shop: str, webhook_id: str, signed_at: int, accounts: OwnIds
) -> Incoming | Refusal:
    """Return the event that a post tells.

    Args:
        body: the raw body, its signature checked.
        shop: the source's name, from the address.
        webhook_id: the post's own id.
        signed_at: the signed timestamp, Unix seconds: the event's time where the body has none.
        accounts: the accounts of this deployment.
    """
    try:
        fields = read_json(body, most=MOST_VALUES)
        kind = fields.get("type", "")
        data = open_object(fields.get("data", {}))
        about = _About.model_validate(data)
        account = accounts.get((about.platform, about.account))
        if account is None:
            return Refusal.WRONG_RECEIVER
        stamp = fields.get("timestamp") or ""
        occurred_at = parse_time(str(stamp).strip()) if stamp else signed_at * _MS
        if occurred_at > (signed_at + FUTURE_S) * _MS or not isinstance(data, Mapping):
            return Refusal.MALFORMED
        head: dict[str, Any] = {
            "occurred_at": occurred_at,
            "platform": about.platform,
            "account": account,
            "fan": about.fan,
            "authenticated_by": "standard_webhooks",
        }
        event = _read_event(str(kind).strip(), head, data, fields)
    except BodyError as error:
        return Refusal(error.fault)
    except ValueError:  # a model's errors are of this kind too
        return Refusal.MALFORMED
    return Incoming(event, stable_id("shop", shop, webhook_id), f"/shop/{shop}/ingest")


def _read_event(kind: str, head: dict[str, Any], data: Fields, document: Fields) -> Event:
    named: frozenset[str] = frozenset()
    order: dict[str, Any] = {}
    if kind in PURCHASE_TYPES:
        order, named = _Purchase.model_validate(data).model_dump(), _PURCHASE_FIELDS
    flat = FlatFields()
    for name, value in data.items():
        if name not in named:
            flat.put(name, value)
    for name, value in _beside(document):
        flat.put(name, value)
    if order:
        return PurchaseMade(**head, **order, fields=flat.fields)
    return OtherReceived(**head, kind=kind, fields=flat.fields)


def _beside(document: Fields) -> list[tuple[str, Value]]:
    return [item for item in document.items() if item[0] not in {"type", "timestamp", "data"}]
