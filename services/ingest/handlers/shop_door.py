"""Checks and understands what one shop or app of the brand posts (Standard Webhooks)."""

from __future__ import annotations

from typing import Final

from services.ingest.domain.incoming import Incoming
from services.ingest.domain.refusals import Refusal
from services.ingest.domain.shop_events import OwnIds, understand_shop
from services.ingest.ports import Request
from shared.platforms import standard_webhooks
from shared.platforms.accounts import Shop
from shared.platforms.verdict import Verdict

_LONGEST_ID: Final = 256


class ShopDoor:
    """The address of one shop; see `services.ingest.ports.Door`."""

    platform: Final = "shop"
    content_types: Final = frozenset({b"application/json"})
    reply: Final = (b"application/json", b'{"accepted":true}')
    untold: Final = frozenset[Refusal]()

    def __init__(self, shop: Shop, accounts: OwnIds) -> None:
        self._shop = shop.name
        self._keys = [standard_webhooks.read_secret(secret) for secret in shop.secrets]
        self._accounts = accounts

    def greet(self, _request: Request, _now: float) -> bytes | Refusal:
        """Refuse: Standard Webhooks verify no address."""
        return Refusal.METHOD

    def read(self, request: Request, now: float) -> Incoming | Refusal:
        """Check a post and tell which event it is."""
        headers = request.headers
        webhook_id = headers.get(b"webhook-id", b"").decode("latin-1")
        timestamp = headers.get(b"webhook-timestamp", b"").decode("latin-1")
        if len(webhook_id) > _LONGEST_ID:
            return Refusal.UNSIGNED
        verdict = standard_webhooks.check(
            self._keys,
            webhook_id=webhook_id,
            timestamp=timestamp,
            signatures=headers.get(b"webhook-signature", b"").decode("latin-1"),
            body=request.body,
            now=now,
        )
        if verdict is not Verdict.GENUINE:
            return Refusal(verdict)
        return understand_shop(
            request.body,
            shop=self._shop,
            webhook_id=webhook_id,
            signed_at=int(timestamp),
            accounts=self._accounts,
        )
