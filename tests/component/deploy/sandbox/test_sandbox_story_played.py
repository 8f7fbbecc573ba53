"""The driver and the story against a sandbox in this process."""

from __future__ import annotations

import httpx
import pytest

from deploy.sandbox.actions import Action
from deploy.sandbox.app import create_app
from deploy.sandbox.driver import SandboxDriver
from deploy.sandbox.faults import Fault, FaultOrder
from deploy.sandbox.story.play import Story

from .conftest import SERVICE, SHOP, WEIBO, Stage


def _driver(stage: Stage) -> SandboxDriver:
    return SandboxDriver("http://127.0.0.1", transport=httpx.ASGITransport(create_app(stage.world)))


async def test_a_small_story_is_played_to_its_end(stage: Stage) -> None:
    progress: list[tuple[int, int]] = []
    async with _driver(stage) as driver:
        story = Story(
            driver,
            wechat=SERVICE,
            weibo=WEIBO,
            shop=SHOP,
            wechat_fans=30,
            weibo_fans=10,
            on_progress=lambda done, total: progress.append((done, total)),
        )
        follow = await story.follow_act()
        assert follow.counts.pushes == 40
        assert follow.counts.genuine_rejected == follow.counts.lost == 0
        followers = [fan for fan in stage.world.wechat[SERVICE].fans.values() if fan.following]
        assert len(followers) == 30
        talk, purchase = await story.talk_act(), await story.purchase_act()
        assert talk.counts.pushes > 40
        assert purchase.counts.pushes == 13 + 2
        for report in (follow, talk, purchase):
            counts = report.counts
            answered = counts.acknowledged + counts.rejected + counts.unanswered
            assert counts.sent == answered
        leave = await story.leave_act()
        assert leave.counts.pushes == 9
        article = (await story.article_act()).facts["msg_data_id"]
        await story.ordinary_comments_act(article)
        assert (await story.article_comments_act(article)).facts["complaints"] == 25
        assert len(stage.world.wechat[SERVICE].articles[article, 0]) == 38 + 25
        books = await driver.books(entries=False)
        played = [one.counts for one in (follow, talk, purchase, leave)]
        deliveries = sum(one.pushes + one.forged for one in played)
        assert books["webhooks"] == {"acknowledged": deliveries}
    assert progress[-1] == (9, 9)


async def test_the_driver_orders_faults_and_time(stage: Stage) -> None:
    async with _driver(stage) as driver:
        await driver.send(Action(account=SERVICE, kind="subscribe", fan="o1"))
        path = "/wechat/cgi-bin/message/custom/send"
        await driver.fail(FaultOrder(path=path, fault=Fault.BUSY))
        assert await stage.write() == -1
        await driver.shift_clock(61)
        assert await stage.write() == 45015
        await driver.reset(only_faults=True)
        assert await stage.write() == 0
        found = await driver.wait_for_books(
            lambda books: books["platforms"]["wechat"]["accepted_sends"] == 1, timeout_s=5
        )
        assert found["platforms"]["wechat"]["over_quota"] == 1


async def test_the_driver_says_what_the_sandbox_refused(stage: Stage) -> None:
    async with _driver(stage) as driver:
        with pytest.raises(RuntimeError, match="teleport"):
            await driver.send(Action(account=SERVICE, kind="teleport", fan="o1"))
