"""A shop that posts signed orders to ingest, and remembers what it was answered and how fast."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import httpx

from deploy.local.brand import SHOP, WECHAT
from deploy.local.stack import Stack
from tests.support.stalls import Stalls

PATIENCE_S = 15.0
BUYERS = 50
"""Their orders take turns."""
OPENS_WITHIN_S = 120.0


@dataclass(frozen=True)
class Answer:
    """What came of one order."""

    order: str
    status: int
    """0: no answer at all."""
    retry_after: str
    seconds: float
    at: float
    """`time.monotonic()` when it was answered; both without stalls of this process at the ends."""

    @property
    def is_taken(self) -> bool:
        """Whether it was answered with 2xx."""
        return 200 <= self.status < 300


class Till:
    """Posts orders, each with an id of its own; an async context manager.

    Args:
        stack: where ingest runs.
        beside: how many orders are on their way at a time.
        name: begins the orders' ids; two tills of a stack have different ones.
    """

    def __init__(self, stack: Stack, *, beside: int = 16, name: str = "order") -> None:
        self.answers: list[Answer] = []
        self._stack = stack
        self._beside = beside
        self._name = name
        self._stalls = Stalls()
        self._orders = 0
        self._http = httpx.AsyncClient(
            trust_env=False,
            timeout=PATIENCE_S,
            limits=httpx.Limits(max_connections=beside),
        )

    async def __aenter__(self) -> Self:
        await self._stalls.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stalls.__aexit__()
        await self._http.aclose()

    async def open(self) -> None:
        """Post one order after the other until each buyer's was taken in one turn.

        Then every partition that they go to has a leader, and ingest knows it.
        """
        async with asyncio.timeout(OPENS_WITHIN_S):
            while len(self.answers) < BUYERS or any(
                not one.is_taken for one in self.answers[-BUYERS:]
            ):
                await self.post()

    async def sell(self, until: Callable[[], bool], *, pace_s: float = 0.0) -> None:
        """Post orders until it is enough."""

        async def stand() -> None:
            while not until():
                await self.post()
                await asyncio.sleep(pace_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._beside):
                group.create_task(stand())

    async def post(self) -> Answer:
        """Post one order."""
        self._orders += 1
        order = f"{self._name}-{self._orders}"
        body = json.dumps(
            {
                "type": "order.paid",
                "timestamp": datetime.now(UTC).isoformat(),
                "data": {
                    "platform": "wechat",
                    "account": WECHAT,
                    "fan": f"oBuyer{self._orders % BUYERS:022d}",
                    "order_id": order,
                    "amount_minor": 100,
                },
            }
        ).encode()
        timestamp = str(int(time.time()))
        signed = f"{order}.{timestamp}.".encode() + body
        mac = hmac.new(self._stack.brand.shop_key, signed, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "webhook-id": order,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(mac).decode(),
        }
        url = f"{self._stack.url('ingest')}/events/{SHOP}"
        began = time.monotonic()
        try:
            response = await self._http.post(url, content=body, headers=headers)
            status, retry_after = response.status_code, response.headers.get("retry-after", "")
        except httpx.HTTPError:
            status, retry_after = 0, ""
        now = time.monotonic()
        excused_s = self._stalls.excused_s(began, now)
        answer = Answer(order, status, retry_after, now - began - excused_s, now - excused_s)
        self.answers.append(answer)
        return answer

    def acknowledged(self) -> set[str]:
        """The orders that were answered with 2xx."""
        return {one.order for one in self.answers if one.is_taken}

    def refused(self) -> list[Answer]:
        """All others."""
        return [one for one in self.answers if not one.is_taken]
