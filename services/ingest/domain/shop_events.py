"""Which event a shop's signed post is.

The body is Standard Webhooks' own shape: `type`, `timestamp` and `data`. `data` names the fan by
`platform`, `account` (the platform's id of it, or our name for it) and `fan`.

```json
{"type": "order.paid", "timestamp": "2026-11-22T20:00:00+08:00",
 "data": {"platform": "wechat", "account": "brand", "fan": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
          "order_id": "A-1001", "amount_minor": 19900, "currency": "CNY", "items": ["tea"]}}
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.ingest.domain.incoming import Incoming, flatten
from services.ingest.domain.refusals import Refusal
from shared.events import Event, OtherReceived, PurchaseMade, stable_id
from shared.events.base import Platform
from shared.events.envelope import parse_time
from shared.platforms.fields import BodyError, Fields, read_json

PURCHASE_TYPES: Final = frozenset({"order.paid", "purchase.made", "purchase"})
FUTURE_S = 300
"""A post may tell of the past, but not of what happens so many seconds after it was signed."""
_MS: Final = 1000

OwnIds = Mapping[tuple[str, str], str]
"""(platform, our name or the platform's id) of an account to the platform's id."""


class _About(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    platform: Platform
    account: str
    fan: str = Field(min_length=1)


class _Purchase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    order_id: str
    amount_minor: int
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
        fields = read_json(body)
        document = json.loads(body)
        kind, data = fields.get("type", ""), document.get("data")
        about = _About.model_validate(data)
        account = accounts.get((about.platform, about.account))
        if account is None:
            return Refusal.WRONG_RECEIVER
        stamp = fields.get("timestamp") or ""
        occurred_at = parse_time(str(stamp)) if stamp else signed_at * _MS
        if occurred_at > (signed_at + FUTURE_S) * _MS:
            return Refusal.MALFORMED
        head: dict[str, Any] = {
            "occurred_at": occurred_at,
            "platform": about.platform,
            "account": account,
            "fan": about.fan,
            "authenticated_by": "standard_webhooks",
        }
        event = _read_event(str(kind), head, data, fields.get("data", {}))
    except (ValueError, ValidationError, BodyError):
        return Refusal.MALFORMED
    return Incoming(event, stable_id("shop", shop, webhook_id), f"/shop/{shop}/ingest")


def _read_event(kind: str, head: dict[str, Any], data: object, texts: object) -> Event:
    if kind in PURCHASE_TYPES:
        return PurchaseMade(**head, **_Purchase.model_validate(data).model_dump())
    rest: Fields = texts if isinstance(texts, Mapping) else {}
    return OtherReceived(**head, kind=kind, fields=flatten(rest))
