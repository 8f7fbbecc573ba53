"""A crowd for the crash matrix: fans come, write, click and comment, for as long as it is wanted.

It speaks to the sandbox, so webhooks have the platforms' true form and are sent again until they
are acknowledged. Everything it does is remembered, for the books.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import httpx

from deploy.local.brand import WECHAT
from deploy.local.stack import Stack
from deploy.sandbox.actions import Action, Counts
from deploy.sandbox.control_api import NewComment
from deploy.sandbox.driver import SandboxDriver

ACCOUNT = f"wechat:{WECHAT}"
WANTS, ACTIVE, VISITOR = "想买", "活跃", "门店来客"
GREETING, THANKS, NEWS = "greeting", "thanks", "news"
TEXTS = {GREETING: "您好，新品八五折。", THANKS: "谢谢您常来看看。"}
MASS_CALLS = {NEWS: "message/mass/send"}
TRIGGERS = {GREETING: WANTS, THANKS: ACTIVE}
COMPLAINT = "吃了你家的东西全家食物中毒，上吐下泻进了医院"
PRAISE = "好喝，包装也漂亮，下次再来"
COMPLAINERS = 25
FANS_A_WAVE = 8
STAFF_PATIENCE_S = 600.0
"""A service may be killed again and again before it takes what staff want."""


class Crowd:
    """Fans of one stack.

    Args:
        stack: the services are reached through its sandbox.
        seed: of everything that is chosen.
        copies: parallel copies of each webhook.
        pace_s: a pause after each wave of fans.
    """

    def __init__(
        self, stack: Stack, *, seed: int = 7, copies: int = 1, pace_s: float = 0.0
    ) -> None:
        self.counts = Counts()
        self.comments: list[tuple[int, int, str]] = []
        """(article, comment id, text)."""
        self.fans = 0
        self._stack = stack
        self._dice = random.Random(seed)
        self._copies = copies
        self._pace_s = pace_s
        self._driver = SandboxDriver(stack.url("sandbox"))
        self._article = 0

    async def prepare(self) -> None:
        """Plan the campaigns that tags trigger, and publish an article to comment on."""
        for name, tag in TRIGGERS.items():
            await self._plan(name, "wechat_customer_message", {"trigger": {"tag": tag}})
        self._article = await self._driver.publish_article(WECHAT)
        body = {"account": WECHAT, "article": str(self._article)}
        await self._staff("ingest", "/v1/articles", body)

    async def plan_news(self) -> None:
        """A mass send of an article to everyone who came through a shop's code so far."""
        article = {"article": "media-of-the-news"}
        await self._plan(NEWS, "wechat_mass_send", {"audience": {"tag": VISITOR}}, article)

    async def complain(self) -> None:
        """Many fans complain about the same grave thing."""
        await self._comment(
            NewComment(text=f"{COMPLAINT}{n}", fan=f"oComplain{n:018d}") for n in range(COMPLAINERS)
        )

    async def live(self, until: Callable[[], bool], *, at_least: int = 0) -> None:
        """Wave after wave of new fans, until it is enough."""
        while not until() or self.counts.pushes < at_least:
            await self.wave()
            await asyncio.sleep(self._pace_s)

    async def take(self, incident: str) -> None:
        """On-call staff take an incident: it is not escalated any more."""
        await self._staff("sentiment", f"/v1/incidents/{incident}/acknowledge", {}, role="oncall")

    async def wave(self) -> None:
        """Some new fans live through all of it, beside each other."""
        actions = [
            action for _ in range(FANS_A_WAVE) for action in self._life(f"oFan{self._next():024d}")
        ]
        self.counts.add(await self._driver.send_all(actions, chunk=len(actions)))
        await self._comment([NewComment(text=PRAISE, fan=f"oFan{self.fans - 1:024d}")])

    async def books(self) -> dict[str, Any]:
        """What the platforms have taken."""
        return await self._driver.books()

    async def close(self) -> None:
        """Disconnect."""
        await self._driver.close()

    def _next(self) -> int:
        self.fans += 1
        return self.fans - 1

    def _life(self, fan: str) -> list[Action]:
        dice = self._dice
        visitor = dice.random() < 0.5

        def act(kind: str, **what: Any) -> Action:
            return Action(account=WECHAT, kind=kind, fan=fan, copies=self._copies, **what)

        life = [
            act("subscribe", key="store-shanghai-01" if visitor else ""),
            *(act("click", key=f"MENU_{n}") for n in range(dice.randint(2, 4))),
            act("text", text=dice.choice(["这个多少钱？", "新品怎么买", "你好", "我要退款"])),
            act("view", key="https://example.com/"),
        ]
        if dice.random() < 0.05:
            life.append(act("unsubscribe"))
        return life

    async def _comment(self, comments: Any) -> None:
        wanted = list(comments)
        ids = await self._driver.comment(WECHAT, wanted, msg_data_id=self._article)
        self.comments += [
            (self._article, number, one.text) for number, one in zip(ids, wanted, strict=True)
        ]

    async def _plan(
        self,
        name: str,
        channel: str,
        whom: dict[str, Any],
        content: dict[str, str] | None = None,
    ) -> None:
        campaign = {
            "id": name,
            "name": name,
            "account": ACCOUNT,
            "channel": channel,
            "content": content or {"text": TEXTS[name]},
            "promotion": False,
            **whom,
        }
        await self._staff("notifier", "/v1/campaigns", campaign)

    async def _staff(
        self, service: str, path: str, body: dict[str, Any], *, role: str = "campaigns"
    ) -> None:
        token = self._stack.brand.staff_tokens[role]
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
            async with asyncio.timeout(STAFF_PATIENCE_S):
                while True:
                    try:
                        answer = await client.post(self._stack.url(service) + path, json=body)
                    except httpx.HTTPError:
                        await asyncio.sleep(0.1)  # it is being killed meanwhile
                        continue
                    if answer.status_code < 500:
                        assert answer.is_success, answer.text
                        return
                    await asyncio.sleep(0.1)
