"""Faults on demand: what a platform does on a bad day, for the next N calls of one path.

Each fault says whether the call still has its effect, which is what makes an outcome ambiguous.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HANG_S = 60.0  # longer than any caller's patience
_BUSY = {"errcode": -1, "errmsg": "system error"}


class Fault(StrEnum):
    """What happens to a call."""

    HTTP_ERROR = "http_error"  # `status`, without effect
    HTTP_ERROR_AFTER = "http_error_after"  # `status`, though the call was decided
    BUSY = "busy"  # WeChat's -1, without effect
    BUSY_AFTER = "busy_after"  # WeChat's -1, though the call was decided
    ERRCODE = "errcode"  # a WeChat `code` of choice, without effect
    HANG = "hang"  # no answer, without effect
    HANG_AFTER = "hang_after"  # no answer, though the call was decided
    LATENCY = "latency"  # the answer comes `latency_s` later


class FaultOrder(BaseModel):
    """An order to fail: `path` is the whole path, e.g. `/wechat/cgi-bin/message/custom/send`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str = Field(pattern=r"^/")
    fault: Fault
    times: int = Field(default=1, ge=1)
    status: int = Field(default=500, ge=400, le=599)
    code: int = -1
    latency_s: float = Field(default=1.0, ge=0)


@dataclass(slots=True)
class _Pending:
    order: FaultOrder
    left: int


class Faults:
    """The orders that are not used up yet, first come first served for each path."""

    def __init__(self) -> None:
        self._pending: list[_Pending] = []

    def add(self, order: FaultOrder) -> None:
        """Fail the next `times` calls of the path."""
        self._pending.append(_Pending(order, order.times))

    def clear(self) -> None:
        """Fail nothing any more."""
        self._pending.clear()

    def take(self, path: str) -> FaultOrder | None:
        """Return the order for a call that came now, and use up one of its times."""
        for pending in self._pending:
            if pending.order.path == path:
                pending.left -= 1
                if not pending.left:
                    self._pending.remove(pending)
                return pending.order
        return None


class FaultMiddleware:
    """Applies the orders around an ASGI application."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI wants it."""
        order = self._faults.take(scope["path"]) if scope["type"] == "http" else None
        if order is None:
            await self._app(scope, receive, send)
            return
        if order.fault is Fault.LATENCY:
            await asyncio.sleep(order.latency_s)
            await self._app(scope, receive, send)
            return
        if order.fault in (Fault.HTTP_ERROR_AFTER, Fault.BUSY_AFTER, Fault.HANG_AFTER):
            await self._app(scope, receive, _discard)
        if order.fault in (Fault.HANG, Fault.HANG_AFTER):
            await _hang(receive)
            return
        await _answer(order, send)


async def _discard(_message: Message) -> None:
    """Swallow the true answer."""


async def _hang(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_HANG_S):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _answer(order: FaultOrder, send: Send) -> None:
    if order.fault in (Fault.HTTP_ERROR, Fault.HTTP_ERROR_AFTER):
        status, body = order.status, b""
    elif order.fault is Fault.ERRCODE:
        status, body = 200, json.dumps({"errcode": order.code, "errmsg": "injected"}).encode()
    else:
        status, body = 200, json.dumps(_BUSY).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
