"""Plays the demo: the sandbox's acts, what staff do between them, and what must come of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from confluent_kafka import KafkaException
from pymongo.errors import PyMongoError

from deploy.local import brand
from deploy.local.audit import Account
from deploy.local.demo import plan
from deploy.local.demo.seen import PAGERS, Seen, sum_up
from deploy.local.demo.staff import NotInTimeError, Staff, until
from deploy.local.demo.summary import Summary
from deploy.local.stack import Stack
from deploy.sandbox.actions import Action
from deploy.sandbox.driver import SandboxDriver
from deploy.sandbox.story.play import ActReport, Story

PROBES = 50
PROBE_PACE_S = 0.1
PROBE_POLL_S = 0.02
STEP_TIMEOUT_S = 60.0
"""Patience with a slow machine; a step takes a few seconds on a quick one."""
DRAIN_TIMEOUT_S = 60.0
SETTLED_LOOKS = 3
ON_CALL = "小王"


class Screen(Protocol):
    """Where the demo shows what happens, in words of its own."""

    def say(self, what: str, **facts: object) -> None:
        """Show a step by its name."""

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Show a bar; it is told (done, total)."""


class Demo:
    """One playing of the story.

    Args:
        stack: the running services.
        screen: where it is shown.
    """

    def __init__(self, stack: Stack, screen: Screen) -> None:
        self._stack = stack
        self._screen = screen
        self._seen = Seen()
        self._began = time.monotonic()
        self._on_progress: Callable[[int, int], None] = lambda _done, _total: None

    async def run(self) -> Summary:
        """Play everything, wait until all is applied, and sum up.

        Raises:
            NotInTimeError: something expected did not happen.
        """
        async with SandboxDriver(self._stack.url("sandbox")) as driver, Staff(self._stack) as staff:
            story = Story(
                driver,
                wechat=brand.WECHAT,
                weibo=brand.WEIBO,
                shop=brand.SHOP,
                on_progress=self._progressed,
            )
            await self._fans_come(story, staff, driver)
            await self._campaign_goes_out(story, staff)
            await self._crisis(story, staff, driver)
            await self._drain()
            return await sum_up(
                self._stack, staff, driver, self._seen, time.monotonic() - self._began
            )

    async def _fans_come(self, story: Story, staff: Staff, driver: SandboxDriver) -> None:
        await self._act("verify", story.verify_act)
        await self._act("follow", story.follow_act)
        for campaign in plan.TRIGGERED:
            await staff.plan(campaign)
        self._screen.say("triggered_planned", campaigns=len(plan.TRIGGERED))
        probing = asyncio.create_task(self._probe_tags(staff, driver))
        try:
            await self._act("talk", story.talk_act)
            await self._act("purchase", story.purchase_act)
            await probing
        finally:
            probing.cancel()
        tags = await until(self._settled_tags(staff), "tags that settle", STEP_TIMEOUT_S, 0.5)
        self._screen.say("tags", tags={name: fans for name, fans in tags.items() if fans})

    async def _campaign_goes_out(self, story: Story, staff: Staff) -> None:
        await self._drain()  # or a late tag would plan a push while its fan leaves
        for name in (plan.GREETING, plan.WEIBO_ANSWER):
            await until(self._is_sent(staff, name), f"pushes of {name} sent", STEP_TIMEOUT_S)
            await self._show(staff, name)
        await staff.plan(plan.MASS)
        await until(self._is_sent(staff, plan.NEWS), "the mass send", STEP_TIMEOUT_S)
        await self._show(staff, plan.NEWS)
        # Only now: a push that is decided while its fan leaves is refused by the platform, rightly.
        await self._act("leave", story.leave_act)

    async def _crisis(self, story: Story, staff: Staff, driver: SandboxDriver) -> None:
        article = await self._article(staff)
        await story.ordinary_comments_act(article)
        self._screen.say("ordinary_comments")
        complaints = await story.article_comments_act(article)
        posted_at = time.time()
        self._screen.say("complaints", **complaints.facts)
        page = await until(lambda: self._first_page(driver), "a page", STEP_TIMEOUT_S)
        self._seen.page_delays_s.append(page["at"] - posted_at)
        self._seen.page = _words(page)
        self._screen.say("page", text=self._seen.page, seconds=page["at"] - posted_at)

        # A page does not wait for the log: the notifier may hear of the incident after it.
        await until(self._notifier_knows, "word of the incident", STEP_TIMEOUT_S)
        await staff.plan(plan.IN_A_CRISIS)
        await until(
            self._is_held(staff, plan.DURING, "promotions_paused"),
            "the promotion held back during the incident",
            STEP_TIMEOUT_S,
        )
        self._screen.say("promotions_paused")
        await until(lambda: self._pages(driver, "pagerduty"), "the escalation", STEP_TIMEOUT_S)
        self._screen.say("escalated")

        link = staff.find_link(self._seen.page)
        if link is None:
            raise NotInTimeError("the page has no link to acknowledge by")
        await staff.open_link(link)
        if any(one["acknowledged_at"] for one in await staff.incidents()):
            raise NotInTimeError("looking at the link's page acknowledged the incident")
        self._screen.say("acknowledged")
        await until(
            lambda: self._acknowledge_until_resolved(staff, driver), "the end", STEP_TIMEOUT_S
        )
        self._screen.say("resolved", incidents=len(await staff.incidents()))
        await until(
            self._is_released(staff, plan.DURING, "promotions_paused"),
            "the promotion resumed",
            STEP_TIMEOUT_S,
        )
        self._screen.say("promotions_resumed")
        await self._show(staff, plan.DURING)

    async def _act(self, name: str, act: Callable[[], Any]) -> None:
        with self._screen.progress(name) as self._on_progress:
            report: ActReport = await act()
        self._seen.counts.add(report.counts)
        self._screen.say("act_done", act=name, counts=report.counts)

    def _progressed(self, done: int, total: int) -> None:
        self._on_progress(done, total)  # the bar of the act that is being played

    async def _probe_tags(self, staff: Staff, driver: SandboxDriver) -> None:
        """While the others talk, some more fans come by a shop's code: when is their tag there?"""
        for number in range(PROBES):
            fan = f"oProbe{number:022d}"
            key = f"{plan.WECHAT_ACCOUNT}:{fan}"
            action = Action(
                account=brand.WECHAT, kind="subscribe", fan=fan, key="store-shanghai-01"
            )
            began = time.monotonic()
            self._seen.counts.add(await driver.send(action))

            async def has_tag(key: str = key) -> bool:
                return plan.STORE_VISITOR in await staff.tags_of(key)

            await until(has_tag, "a tag for a fan", STEP_TIMEOUT_S, PROBE_POLL_S)
            self._seen.tag_delays_s.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_PACE_S)

    def _settled_tags(self, staff: Staff) -> Callable[[], Any]:
        before: dict[str, int] = {}

        async def look() -> dict[str, int] | None:
            nonlocal before
            last, before = before, await staff.fans_by_tag()
            return before if before == last and any(before.values()) else None

        return look

    def _is_sent(self, staff: Staff, name: str) -> Callable[[], Any]:
        async def look() -> bool:
            pushes: Mapping[str, int] = (await staff.campaign(name)).get("pushes", {})
            return pushes.get("sent", 0) > 0 and not pushes.keys() & {"planned", "calling"}

        return look

    def _is_held(self, staff: Staff, name: str, reason: str) -> Callable[[], Any]:
        async def look() -> bool:
            reasons = (await staff.campaign(name)).get("reasons", [])
            return any(one["state"] == "held" and one["reason"] == reason for one in reasons)

        return look

    def _is_released(self, staff: Staff, name: str, reason: str) -> Callable[[], Any]:
        is_sent, is_held = self._is_sent(staff, name), self._is_held(staff, name, reason)

        async def look() -> bool:
            return await is_sent() and not await is_held()

        return look

    async def _article(self, staff: Staff) -> int:
        """The article that the mass send made; ingest reads its comments by itself."""
        for wave in (await staff.campaign(plan.NEWS))["mass_sends"]:
            if wave["article"]:
                return int(wave["article"])
        raise NotInTimeError("the mass send made no article")

    async def _show(self, staff: Staff, name: str) -> None:
        campaign = await staff.campaign(name)
        self._screen.say(
            "campaign",
            name=campaign["name"],
            pushes=campaign["pushes"],
            reasons=[one for one in campaign["reasons"] if one["state"] in {"held", "dropped"}],
        )

    async def _first_page(self, driver: SandboxDriver) -> dict[str, Any] | None:
        pages = await self._pages(driver, *PAGERS)
        return min(pages, key=lambda page: float(page["at"])) if pages else None

    async def _pages(self, driver: SandboxDriver, *pagers: str) -> list[dict[str, Any]]:
        platforms = (await driver.books())["platforms"]
        return [page for name in pagers for page in platforms.get(name, {}).get("accepted", [])]

    async def _acknowledge_until_resolved(self, staff: Staff, driver: SandboxDriver) -> bool:
        """Press the button of every page that came: complaints may make several incidents."""
        for page in await self._pages(driver, "wecom"):
            link = staff.find_link(_words(page))
            if link is not None and link not in self._seen.pressed:
                self._seen.pressed.add(link)
                await staff.press_acknowledge(link, ON_CALL)
        incidents = await staff.incidents()
        return bool(incidents) and all(one["status"] == "resolved" for one in incidents)

    async def _drain(self) -> None:
        """Wait until every group has applied everything, and nothing new comes."""
        looks = 0
        before: list[Account] = []
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while looks < SETTLED_LOOKS and time.monotonic() < deadline:
            accounts = await self._books()
            looks = looks + 1 if accounts == before and _balance(accounts) else 0
            before = accounts
            await asyncio.sleep(0.2)
        self._seen.accounts = before

    async def _notifier_knows(self) -> bool:
        mine = [one for one in await self._books() if one.group == "notifier.incidents.v1"]
        return any(one.end for one in mine) and _balance(mine)

    async def _books(self) -> list[Account]:
        """The books; none while the log or the store is too slow to tell."""
        try:
            return await asyncio.to_thread(self._stack.audit)
        except (KafkaException, PyMongoError, TimeoutError):
            return []


def _balance(accounts: list[Account]) -> bool:
    return bool(accounts) and all(one.is_balanced for one in accounts)


def _words(page: Mapping[str, Any]) -> str:
    """The text of a page as the robot showed it."""
    message = page.get("message") or {}
    for kind in ("markdown", "markdown_v2", "text"):
        if kind in message:
            return str(message[kind]["content"])
    return str(message or page.get("event"))
