"""The sandbox's world: accounts, fans, books, faults, and the pushes that actions cause.

The HTTP routes and the tests speak to this object; it owns the only HTTP client.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import httpx

from deploy.sandbox.actions import Action, Counts
from deploy.sandbox.books import Books
from deploy.sandbox.clock import Clock
from deploy.sandbox.config import SandboxConfig
from deploy.sandbox.delivery import Outcome, Push, deliver
from deploy.sandbox.faults import Faults
from deploy.sandbox.pagers.books import ROBOT_PER_MINUTE, Alerts, Rate
from deploy.sandbox.shop_push import ShopPusher
from deploy.sandbox.wechat.push import UnknownActionError, WechatPusher
from deploy.sandbox.wechat.state import WechatState
from deploy.sandbox.weibo.push import WeiboPusher
from deploy.sandbox.weibo.state import WeiboState

_CONNECTIONS = 64


class World:
    """Everything that the stand-in platforms remember."""

    def __init__(
        self,
        config: SandboxConfig,
        *,
        clock: Clock | None = None,
        books: Books | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.books = books or Books()
        self.faults = Faults()
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=None,  # noqa: S113 - `delivery` cuts the connection itself
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            trust_env=False,
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pushers: dict[str, WechatPusher | WeiboPusher | ShopPusher] = {
            **{one.account: WechatPusher(one, config.delivery) for one in config.wechat},
            **{one.account: WeiboPusher(one, config.delivery) for one in config.weibo},
            **{one.account: ShopPusher(one) for one in config.shops},
        }
        self.reset()

    def reset(self) -> None:
        """Forget fans, quotas, tokens, alerts, faults and books, as if newly started."""
        config, now = self.config, self.clock.now()
        self.wechat = {
            one.account: WechatState(one, config.limits, started_at=now) for one in config.wechat
        }
        self.weibo = {one.account: WeiboState(one, config.limits) for one in config.weibo}
        self.robots = {one.key: Rate(ROBOT_PER_MINUTE) for one in config.robots}
        self.alerts = {one.routing_key: Alerts() for one in config.pagerduty}
        self.alert_rates = {
            one.routing_key: Rate(one.events_per_minute) for one in config.pagerduty
        }
        self.faults.clear()
        self.books.clear(now)

    async def act(self, action: Action) -> Outcome:
        """Let the action happen on the platform, push it to the service, book the answer.

        Raises:
            UnknownActionError: no such account, or the platform has no such push.
        """
        at = self.clock.now() if action.at is None else action.at
        push = self._build(action, at)
        if action.forge is None and action.kind != "verify":
            if state := self.wechat.get(action.account):
                state.note(action.kind, action.fan, int(at))
            elif weibo := self.weibo.get(action.account):
                weibo.note(action.kind, action.fan, int(at))
        outcome = await deliver(self._client, push)
        pusher = self._pushers[action.account]
        if action.forge is None and action.kind != "verify" and not isinstance(pusher, ShopPusher):
            # Only now: a forgery that overtook the genuine push would be the genuine one.
            pusher.capture(action, push)
        self.books.record_webhook(
            self.clock.now(),
            outcome.verdict,
            account=action.account,
            kind=action.kind,
            fan=action.fan,
            key=action.key,
            created_at=int(at),
            push=push.name,
            status=outcome.status,
            forged=push.forged,
            requests=outcome.counts.sent,
        )
        return outcome

    async def act_all(self, actions: Iterable[Action], *, concurrency: int = 8) -> Counts:
        """Let many actions happen, each fan's in order, fans beside each other.

        Raises:
            UnknownActionError: one of them can't be; what was not begun yet does not happen.
        """
        by_fan: defaultdict[tuple[str, str], list[Action]] = defaultdict(list)
        for number, action in enumerate(actions):
            by_fan[action.account, action.fan or str(number)].append(action)
        counts = Counts()
        gate = asyncio.Semaphore(concurrency)

        async def play(own: list[Action]) -> None:
            for action in own:
                async with gate:
                    counts.add((await self.act(action)).counts)

        try:
            async with asyncio.TaskGroup() as group:
                for own in by_fan.values():
                    group.create_task(play(own))
        except* ValueError as errors:
            raise UnknownActionError(str(errors.exceptions[0])) from errors
        return counts

    def later(self, delay_s: float, action: Action) -> None:
        """Let the action happen in `delay_s` seconds, unless the sandbox ends before."""

        async def wait() -> None:
            await asyncio.sleep(delay_s)
            await self.act(action)

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until what was left for later has happened."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Stop pushing and close the books."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()
        self.books.close()

    def _build(self, action: Action, at: float) -> Push:
        pusher = self._pushers.get(action.account)
        if pusher is None:
            raise UnknownActionError(f"no account or source {action.account!r}")
        if action.kind == "verify" and not isinstance(pusher, ShopPusher):
            return pusher.verification(at)
        return pusher.push(action, at)
