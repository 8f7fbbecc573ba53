"""Customer messages: a crash anywhere loses no push, doubles none, and is never over a limit."""

from __future__ import annotations

from services.notifier.domain.pushes import PushState
from shared.events import FanFollowed, MessageReceived
from tests.support.notifier_world import Crash, World

FANS = ["f1", "f2", "f3"]


async def greet(world: World) -> None:
    """Three fans follow; the tag triggers a greeting."""
    await world.campaign()
    for openid in FANS:
        at = world.platform.act(openid, "subscribe")
        await world.deliver(world.fan_events, followed(openid, at))
        await world.tag(openid, "new", at=at)


def followed(openid: str, at: int) -> FanFollowed:
    return FanFollowed(
        occurred_at=at,
        platform="wechat",
        account="brand",
        fan=openid,
        authenticated_by="wechat_safe",
    )


def wrote(openid: str, at: int, text: str = "hello") -> MessageReceived:
    return MessageReceived(
        occurred_at=at,
        platform="wechat",
        account="brand",
        fan=openid,
        authenticated_by="wechat_safe",
        message_type="text",
        text=text,
    )


async def test_a_tag_triggers_one_message_to_each_fan_within_the_window() -> None:
    world = World()
    await greet(world)
    await world.run()
    assert world.states() == dict.fromkeys(FANS, PushState.SENT)
    assert len(world.platform.accepted) == 3
    world.check_books()


async def test_a_crash_at_any_write_or_call_keeps_our_books_within_the_platforms() -> None:
    places = 0
    unknown = 0
    while True:
        world = World()
        await greet(world)
        world.fuse.left = places + 1
        try:
            await world.run()
        except Crash:
            places += 1
        else:
            break
        world.restart()
        world.clock.advance(31_000)
        for openid in FANS:  # the windows of a minute may be over: the fans act again
            at = world.platform.act(openid, "subscribe")
            await world.deliver(world.fan_events, followed(openid, at))
        await world.run()
        world.check_books()
        states = set(world.states().values())
        assert states <= {PushState.SENT, PushState.UNKNOWN}
        unknown += PushState.UNKNOWN in states
    assert places > 10, "the crash points were not reached"
    assert 0 < unknown < places


async def test_a_lost_answer_is_unknown_and_the_push_is_never_repeated() -> None:
    world = World()
    await greet(world)
    world.platform.faults = ["lost_after", "lost_before", "ok"]
    await world.run()
    world.clock.advance(24 * 3_600_000)
    await world.run()
    assert sorted(state.value for state in world.states().values()) == [
        "sent",
        "unknown",
        "unknown",
    ]
    assert len(world.single.calls) == 3
    world.check_books()


async def test_a_call_that_never_reached_the_platform_is_made_again() -> None:
    world = World()
    await greet(world)
    world.platform.faults = ["refused_busy"] * 3
    await world.run()
    assert set(world.states().values()) == {PushState.HELD}
    world.clock.advance(6_000)
    await world.run()
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def test_a_sender_that_lost_its_lease_while_frozen_makes_no_second_call() -> None:
    world = World()
    await greet(world)
    frozen = world.single_sender
    await world.loop.step()
    first = len(world.single.calls)
    world.restart()
    world.clock.advance(31_000)
    await world.run()
    await frozen.step(await world.single_sender._desk.read_account())
    assert first == 3
    assert len(world.platform.accepted) == 3
    world.check_books()
