"""What was certainly never sent may be planned again; what may have been sent, never."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from services.notifier.domain.pushes import PushState
from shared.events import FanUnfollowed, TagAssigned, TagRemoved
from shared.platforms.outcomes import Reaction, Reason, Refused
from tests.component.notifier.test_pushes_are_held_or_dropped import write
from tests.component.notifier.test_single_pushes_survive_crashes import followed
from tests.support.notifier_world import Crash, World


async def gain(world: World, tag: str = "new") -> TagAssigned:
    """The fan gains the tag; answers the event, to deliver it again."""
    world.clock.advance(1_000)
    await write(world)
    world.numbers["f1"] += 1
    event = TagAssigned(
        occurred_at=world.clock.wall // 1000 * 1000,
        platform="wechat",
        account="brand",
        fan="f1",
        tag=tag,
        rule_version="v1",
        because="event",
        cause="cause",
        tags=(tag,),
        number=world.numbers["f1"],
    )
    await world.deliver(world.tag_changes, event, id=f"gain-{world.numbers['f1']}")
    return event


async def lose(world: World, why: str) -> None:
    """Something after which the fan's push is dropped."""
    world.clock.advance(1_000)
    who: dict[str, Any] = {
        "occurred_at": world.clock.wall // 1000 * 1000,
        "platform": "wechat",
        "account": "brand",
        "fan": "f1",
    }
    match why:
        case "opted_out":
            await write(world, text="退订")
        case "not_following":
            await world.deliver(
                world.fan_events, FanUnfollowed(authenticated_by="wechat_safe", **who)
            )
        case _:
            world.numbers["f1"] += 1
            await world.deliver(
                world.tag_changes,
                TagRemoved(
                    tag="new",
                    rule_version="v1",
                    because="time",
                    cause="cause",
                    tags=(),
                    number=world.numbers["f1"],
                    **who,
                ),
            )


async def come_back(world: World, why: str) -> None:
    world.clock.advance(1_000)
    if why == "opted_out":
        await write(world, text="订阅")
    if why == "not_following":
        at = world.platform.act("f1", "subscribe")
        await world.deliver(world.fan_events, followed("f1", at))


REASONS = ["tag_lost", "opted_out", "not_following"]


@pytest.mark.parametrize("why", REASONS)
async def test_a_push_dropped_unsent_is_planned_again_when_the_tag_is_earned_again(
    why: str,
) -> None:
    world = World()
    await world.campaign()
    await gain(world)
    await lose(world, why)
    await world.run()
    assert (world.row("f1").state, world.row("f1").reason) == (PushState.DROPPED, why)
    await come_back(world, why)
    await gain(world)
    await world.run()
    assert world.row("f1").state is PushState.SENT
    assert len(world.platform.accepted) == 1
    world.check_books()


async def test_the_numbers_of_what_is_told_go_on_after_it_was_planned_again() -> None:
    world = World()
    await world.campaign()
    await gain(world)
    await lose(world, "opted_out")
    await world.run()
    await come_back(world, "opted_out")
    await gain(world)
    await world.run()
    (dropped,) = await world.announced("PushDropped")
    (sent,) = await world.announced("PushSent")
    assert b'"number":1' in (dropped.value or b"")
    assert b'"number":2' in (sent.value or b"")


async def test_the_same_tag_change_delivered_again_plans_nothing_again() -> None:
    world = World()
    await world.campaign()
    first = await gain(world)
    await lose(world, "opted_out")
    await world.run()
    await come_back(world, "opted_out")
    await world.deliver(world.tag_changes, first, id="gain-1")
    await world.deliver(world.tag_changes, first, id="gain-1-with-another-id")
    await world.run()
    assert world.row("f1").state is PushState.DROPPED
    assert not world.platform.accepted


@pytest.mark.parametrize("how", ["sent", "refused", "unknown"])
async def test_what_was_called_stays_final_however_often_the_tag_is_earned(how: str) -> None:
    world = World()
    await world.campaign()
    if how == "unknown":
        world.platform.faults = ["lost_after"]
    if how == "refused":
        refusal = Refused(Reason.CONTENT, Reaction.DROP, 45002)
        world.single._answer = lambda *_: refusal
    await gain(world)
    await world.run()
    assert world.row("f1").state.value == how
    for _ in range(3):
        await lose(world, "tag_lost")
        await world.run()
        await gain(world)
        await world.run()
    assert world.row("f1").state.value == how
    assert len(world.single.calls) == 1


@pytest.mark.parametrize("reason", ["cancelled", "expired"])
async def test_what_the_campaign_dropped_stays_dropped(reason: str) -> None:
    world = World()
    expires = world.clock.wall + 3_000
    await world.campaign(expires=expires if reason == "expired" else expires * 2)
    await gain(world)
    world.clock.advance(3_000)
    if reason == "cancelled":
        await world.campaign(cancelled=True)
    await world.run()
    assert world.row("f1").reason == reason
    await gain(world)
    await world.run()
    assert (world.row("f1").state, world.row("f1").reason) == (PushState.DROPPED, reason)


async def test_an_audience_is_asked_once_a_period_also_when_its_page_is_planned_twice() -> None:
    world = World()
    await gain(world, "vip")
    await world.campaign(audience_tag="vip")
    await write(world, text="退订")
    await world.run()
    assert world.row("f1").reason == "opted_out"
    await come_back(world, "opted_out")
    campaign = (await world.books.campaigns_now.read(["c1"]))["c1"].state
    await world.planner._plan_page(campaign, "once", world.clock.wall)
    await world.run()
    assert world.row("f1").state is PushState.DROPPED


async def test_a_crash_anywhere_between_dropping_and_planning_again_doubles_nothing() -> None:
    places = 0
    while True:
        world = World()
        await world.campaign()
        await gain(world)
        await lose(world, "opted_out")
        world.fuse.left = places + 1
        try:
            await world.run()
            await come_back(world, "opted_out")
            await gain(world)
            await world.run()
        except Crash:
            places += 1
        else:
            break
        world.restart()
        world.clock.advance(31_000)
        await world.run()
        await come_back(world, "opted_out")
        await gain(world)
        await world.run()
        world.check_books()
        assert world.row("f1").state in {PushState.SENT, PushState.UNKNOWN}
        assert max(Counter(key for _, key in world.single.calls).values(), default=0) <= 1
    assert places > 8, "the crash points were not reached"
