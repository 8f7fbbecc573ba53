"""A sandbox with a clock of its own, in front of a service that only remembers what it got."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.sandbox.app import create_app
from deploy.sandbox.books import Books
from deploy.sandbox.clock import Clock
from deploy.sandbox.config import SandboxConfig
from deploy.sandbox.world import World

SERVICE, SUBSCRIPTION, WEIBO, SHOP = "gh_service", "gh_subscription", "5566", "shop"
ROBOT_KEY, ROUTING_KEY = "robot-key", "R" * 32
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@dataclass
class FakeService:
    """Answers webhooks by script (then with `success`) and keeps the requests."""

    script: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else httpx.Response(200, text="success")
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Stage:
    """Everything that a test needs."""

    world: World
    service: FakeService
    client: httpx.AsyncClient
    books_file: Path
    time: list[float]

    def pass_time(self, seconds: float) -> None:
        self.time[0] += seconds

    async def act(self, account: str, kind: str, fan: str = "o1", **more: Any) -> dict[str, Any]:
        action = {"account": account, "kind": kind, "fan": fan, **more}
        answer = await self.client.post("/_story/send", json=action)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, account: str = SERVICE) -> str:
        config = self.world.wechat[account].config
        answer = await self.client.post(
            "/wechat/cgi-bin/stable_token",
            json={
                "grant_type": "client_credential",
                "appid": config.appid,
                "secret": config.secret,
            },
        )
        token: str = answer.json()["access_token"]
        return token

    async def wechat(self, call: str, body: Any, account: str = SERVICE) -> dict[str, Any]:
        answer = await self.client.post(
            f"/wechat/cgi-bin/{call}",
            params={"access_token": await self.token(account)},
            json=body,
        )
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    async def write(self, fan: str = "o1", text: str = "您好") -> int:
        body = {"touser": fan, "msgtype": "text", "text": {"content": text}}
        code: int = (await self.wechat("message/custom/send", body))["errcode"]
        return code

    async def books(self, platform: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get("/_books")).json()["platforms"][platform]
        return found


def config(**more: Any) -> SandboxConfig:
    """Return a configuration with one account of each kind."""
    account = {
        "secret": "app-secret",
        "token": "webhook-token",
        "encoding_aes_key": AES_KEY,
    }
    return SandboxConfig.model_validate(
        {
            "wechat": [
                {
                    **account,
                    "account": SERVICE,
                    "appid": "wx01",
                    "webhook": "http://service/wechat/gh_service",
                },
                {
                    **account,
                    "account": SUBSCRIPTION,
                    "appid": "wx02",
                    "kind": "subscription",
                    "webhook": "http://service/wechat/gh_subscription",
                },
            ],
            "weibo": [
                {
                    "uid": int(WEIBO),
                    "app_secret": "weibo-secret",
                    "access_token": "weibo-token",
                    "webhook": "http://service/weibo/5566",
                }
            ],
            "shops": [
                {
                    "source": SHOP,
                    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                    "webhook": "http://service/events/shop",
                    "retry_delays_s": [0, 0],
                }
            ],
            "robots": [{"key": ROBOT_KEY}],
            "pagerduty": [{"routing_key": ROUTING_KEY, "events_per_minute": 3}],
            "limits": {"mass_job_delay_s": 0},
            **more,
        }
    )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    # 2026-11-22 12:00:00 in Shanghai
    time = [1_795_320_000.0]
    service = FakeService()
    world = World(
        config(),
        clock=Clock(lambda: time[0]),
        books=Books(tmp_path),
        transport=httpx.MockTransport(service),
    )
    transport = httpx.ASGITransport(create_app(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield Stage(world, service, client, tmp_path / "books.ndjson", time)
    await world.close()
