"""The sandbox as one ASGI application: each platform under its own prefix, true paths below it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.sandbox.clock import Clock, http_date
from deploy.sandbox.control_api import ControlApi
from deploy.sandbox.faults import FaultMiddleware
from deploy.sandbox.loopback import LoopbackOnly
from deploy.sandbox.pagers.api import PagerApi
from deploy.sandbox.wechat.api import WechatApi
from deploy.sandbox.weibo.api import WeiboApi
from deploy.sandbox.world import World


class DateMiddleware:
    """Puts the platform's own time into every answer; services take periods from it."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI wants it."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", http_date(self._clock.now()).encode())
                message = {**message, "headers": [*message.get("headers", ()), date]}
            await send(message)

        await self._app(scope, receive, dated if scope["type"] == "http" else send)


def create_app(world: World) -> Starlette:
    """Return the application over `world`; its shutdown closes the world."""
    pagers = PagerApi(world)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await world.close()

    return Starlette(
        routes=[
            Mount("/wechat", routes=WechatApi(world).routes()),
            Mount("/weibo", routes=WeiboApi(world).routes()),
            Mount("/wecom", routes=pagers.robot_routes()),
            Mount("/pagerduty", routes=pagers.pagerduty_routes()),
            *ControlApi(world).routes(),
        ],
        middleware=[
            Middleware(LoopbackOnly),
            Middleware(DateMiddleware, clock=world.clock),
            Middleware(FaultMiddleware, faults=world.faults),
        ],
        lifespan=lifespan,
    )
