"""One queue by deadline: an answer goes ahead of an audience, and nobody starves."""

from __future__ import annotations

import pytest

from services.notifier.domain import records
from services.notifier.domain.pushes import PushState
from services.notifier.loops.single import SingleSender
from shared.events import MenuClicked
from tests.component.notifier.test_pushes_are_held_or_dropped import write
from tests.component.notifier.test_single_pushes_survive_crashes import followed, wrote
from tests.support.notifier_time import PassingTime
from tests.support.notifier_world import ACCOUNT, HOUR, World

RATE = 20.0
MINUTE = 60_000


class Queue:
    """A paced sender, and an audience that waits for it."""

    def __init__(self) -> None:
        self.world = World()
        self.time = PassingTime(self.world.clock)
        self.sender = SingleSender(
            self.world._desk(self.world.rules),
            self.world.single,
            rate=RATE,
            rest=self.time.rest,
            new_attempt=iter(f"attempt-{n}" for n in range(100_000)).__next__,
        )

    async def plan_audience(self, fans: int) -> None:
        world = self.world
        await world.campaign("bulk", audience_tag="a", promotion=True)
        openids = [f"f{number:05}" for number in range(fans)]
        for openid in openids:
            at = world.platform.act(openid, "message")
            await world.deliver(world.fan_events, followed(openid, at))
            await world.deliver(world.fan_events, wrote(openid, at))
            await world.tag(openid, "a", at=at)
        while await world.planner.step():
            pass

    async def click(self, openid: str = "me") -> None:
        world = self.world
        at = world.platform.act(openid, "click")
        event = MenuClicked(
            occurred_at=at,
            platform="wechat",
            account="brand",
            fan=openid,
            authenticated_by="wechat_safe",
            menu_key="k",
        )
        await world.deliver(world.fan_events, event)
        await world.tag(openid, "clicked", at=at)

    async def send(self, seconds: float) -> None:
        """Let the sender work for so long."""
        world = self.world
        end = world.clock.mono + seconds * 1000

        async def work() -> None:
            while world.clock.mono < end:
                account = await world._desk(world.rules).read_account()
                if not await self.sender.step(account):
                    await self.time.rest(0.2)

        await self.time.until(work())


async def test_an_answer_whose_minute_runs_out_goes_ahead_of_two_thousand_of_an_audience() -> None:
    queue = Queue()
    await queue.world.campaign("reply", trigger_tag="clicked")
    await queue.plan_audience(2_000)
    await queue.send(4.0)
    clicked = queue.world.clock.wall
    await queue.click()
    await queue.send(8.0)
    (answered,) = [at for at, openid, _ in queue.world.platform.accepted if openid == "me"]
    assert answered - clicked <= 5_000
    queue.world.check_books()


async def test_an_audience_goes_on_however_many_answers_keep_coming() -> None:
    queue = Queue()
    queue.sender._rate, queue.sender._batch, queue.sender._together = 0.2, 1, 1
    world = queue.world
    await world.campaign("reply", trigger_tag="clicked")
    await queue.plan_audience(5)
    world.clock.advance(58 * MINUTE)
    for minute in range(5):  # more answers than the sender can make
        at = world.clock.wall // 1000 * 1000
        for number in range(15):
            openid = f"m{minute}x{number:02}"
            world.platform.act(openid, "message")
            await world.deliver(world.fan_events, wrote(openid, at))
            await world.tag(openid, "clicked", at=at)
        await queue.send(60.0)
    answered = [openid[0] for _, openid, _ in world.platform.accepted]
    assert answered.count("f") == 5, "an hour after they were planned they go first"
    assert answered[:12] == ["m"] * 12
    assert len(answered) <= 61, "and the pace is kept"


async def test_calls_keep_the_pace_from_batch_to_batch() -> None:
    queue = Queue()
    await queue.plan_audience(400)
    start = queue.world.clock.wall
    await queue.send(10.0)
    sent = sum(at < start + 10_000 for at, _, _ in queue.world.platform.accepted)
    assert sent == 10 * RATE


async def test_an_audiences_push_that_a_click_frees_goes_before_that_minute_is_over() -> None:
    queue = Queue()
    world = queue.world
    await queue.plan_audience(1)
    world.clock.advance(49 * HOUR)
    await queue.send(0.1)
    assert world.row("f00000").reason == "window_closed"
    await world.campaign("another", audience_tag="b")
    for number in range(1_500):
        openid = f"g{number:05}"
        at = world.platform.act(openid, "message")
        await world.deliver(world.fan_events, wrote(openid, at))
        await world.tag(openid, "b", at=at)
    while await world.planner.step():
        pass
    at = world.platform.act("f00000", "click")
    await world.deliver(
        world.fan_events,
        MenuClicked(
            occurred_at=at,
            platform="wechat",
            account="brand",
            fan="f00000",
            authenticated_by="wechat_safe",
            menu_key="k",
        ),
    )
    await queue.send(10.0)
    assert world.row("f00000").state is PushState.SENT


async def test_what_quiet_hours_held_all_night_does_not_stand_before_a_fresh_answer() -> None:
    queue = Queue()
    world = queue.world
    await world.campaign("reply", trigger_tag="clicked")
    await queue.plan_audience(600)
    later = world.clock.wall + 9 * HOUR
    await world.campaign("bulk", audience_tag="a", promotion=True, not_before=later)
    await queue.send(3.0)
    world.clock.advance(later + 1 - world.clock.wall)
    await queue.click()
    await queue.send(3.0)
    assert world.row("me").state is PushState.SENT


async def test_a_put_back_push_keeps_its_place() -> None:
    world = World()
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    desk = world.single_sender._desk
    planned = world.row("f1")
    (row,) = await desk.commit([planned], world.clock.wall, "a", {})
    world.clock.advance(10 * MINUTE)
    await desk.put_back([row], "not_called_in_time")
    assert world.row("f1").deadline == planned.deadline > 0


@pytest.mark.parametrize("state", [PushState.PLANNED, PushState.HELD])
async def test_rows_that_an_older_version_wrote_are_sent_too(state: PushState) -> None:
    world = World()
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    if state is PushState.HELD:
        world.platform.faults = ["refused_busy"]
        await world.run()
        world.clock.advance(MINUTE)
    (stored,) = world.stores[records.PUSHES].documents.values()
    assert stored["state"] == state.value
    for field in ("deadline", "lane", "tag_number"):
        del stored[field]
    world.restart()
    world.clock.advance(31_000)
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_rows_of_an_older_process_that_runs_beside_are_found_within_a_minute() -> None:
    world = World()
    await world.run()
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    (stored,) = world.stores[records.PUSHES].documents.values()
    for field in ("deadline", "lane", "tag_number"):
        del stored[field]
    world.clock.advance(MINUTE + 1)
    await world.run()
    assert world.row("f1").state is PushState.SENT
    assert world.row("f1").fan == f"{ACCOUNT}:f1"
