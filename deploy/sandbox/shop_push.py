"""A shop's webhooks: signed as Standard Webhooks say, re-sent on its schedule.

Source: spec/standard-webhooks: payload {type, timestamp, data}; 2xx is success; 410 disables.
"""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime

from deploy.sandbox.actions import Action, Forgery
from deploy.sandbox.config import Shop
from deploy.sandbox.delivery import Patience, Push, Request
from deploy.sandbox.signing import standard_webhook_signature
from deploy.sandbox.wechat.push import STALE_S

_INVENTED_SECRET = "whsec_" + base64.b64encode(b"a forger's guess at a key").decode()


class ShopPusher:
    """Builds one shop's posts."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def push(self, action: Action, at: float) -> Push:
        """Return the post of one event; `action.fields` is its `data`, `action.kind` its `type`."""
        message_id = action.event_id or f"msg_{secrets.token_hex(12)}"
        timestamp = int(at) - (STALE_S if action.forge is Forgery.STALE else 0)
        payload = {
            "type": action.kind,
            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
            "data": dict(action.fields) | ({"fan": action.fan} if action.fan else {}),
        }
        body = json.dumps(payload, ensure_ascii=False).encode()
        secret = _INVENTED_SECRET if action.forge is Forgery.SIGNATURE else self._shop.secret
        signature = standard_webhook_signature(secret, message_id, timestamp, body)
        if action.forge is Forgery.BODY:
            body = body.replace(b'"type": "', b'"type": "forged.', 1)
        request = Request(
            self._shop.webhook,
            headers={
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signature,
            },
            body=body,
        )
        return Push(
            name=message_id,
            requests=[request],
            judge=lambda _answer: True,  # any 2xx
            patience=Patience(
                self._shop.patience_s, self._shop.retry_delays_s, honour_retry_after=True
            ),
            copies=action.copies,
            lost_answers=action.lost_answers,
            forged=action.forge is not None,
        )
