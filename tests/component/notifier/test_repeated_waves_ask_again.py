"""A lost mass send is repeated like a first one: to who still wants it, and when it may go."""

from __future__ import annotations

from dataclasses import replace

from services.notifier.domain.periods import QuietHours
from services.notifier.domain.pushes import PushState
from shared.events import FanUnfollowed, IncidentOpened, IncidentResolved
from shared.kafka.handler import Change
from tests.component.notifier.test_mass_sends_survive_crashes import audience
from tests.component.notifier.test_pushes_are_held_or_dropped import incident
from tests.component.notifier.test_single_pushes_survive_crashes import wrote
from tests.support.notifier_world import HOUR, NOON, World


def left(openid: str, at: int) -> FanUnfollowed:
    return FanUnfollowed(
        occurred_at=at,
        platform="wechat",
        account="brand",
        fan=openid,
        authenticated_by="wechat_safe",
    )


async def lost_wave(world: World, **campaign: bool) -> None:
    """A wave of three whose first call did not arrive, which nobody here can know."""
    await audience(world, "f1", "f2", "f3")
    await world.campaign("m1", channel="wechat_mass_send", audience_tag="vip", **campaign)
    world.platform.faults = ["lost_before"]
    await world.run()
    assert set(world.states().values()) == {PushState.CALLING}


async def later(world: World, times: int = 1) -> None:
    for _ in range(times):
        world.clock.advance(3 * 60_000)
        await world.run()


def who(world: World) -> set[str]:
    return {openid for _, openid, _ in world.platform.accepted}


async def test_who_opts_out_or_leaves_before_a_wave_is_repeated_is_not_named_again() -> None:
    world = World()
    await lost_wave(world)
    await audience(world, "f4")
    await world.deliver(world.fan_events, wrote("f1", world.clock.wall, "退订"))
    await later(world)
    assert who(world) == {"f2", "f3"}
    assert world.states()["f1"] is PushState.UNKNOWN
    assert world.row("f1").reason == "opted_out"
    assert world.states()["f2"] is PushState.SENT
    world.check_books()


async def test_a_wave_of_which_a_single_fan_is_left_is_not_repeated() -> None:
    world = World()
    await lost_wave(world)
    for openid in ("f1", "f2"):
        await world.deliver(world.fan_events, left(openid, world.clock.wall))
    await later(world)
    assert who(world) == set()
    assert set(world.states().values()) == {PushState.UNKNOWN}
    assert (await world.single_sender._desk.read_account()).wave is None


async def test_a_wave_is_repeated_after_the_quiet_hours_and_not_in_them() -> None:
    world = World(now=NOON + 10 * HOUR - 30_000, quiet=QuietHours())
    await lost_wave(world)
    await later(world, 3)
    assert who(world) == set()
    world.clock.advance(10 * HOUR)
    await later(world)
    assert who(world) == {"f1", "f2", "f3"}
    world.check_books()


async def test_a_promotion_is_not_repeated_while_an_incident_pauses_it() -> None:
    world = World()
    await lost_wave(world, promotion=True)
    await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
    await later(world)
    assert who(world) == set()
    await world.deliver(world.incidents, incident(IncidentResolved, world, 2, pause=False))
    await later(world)
    assert who(world) == {"f1", "f2", "f3"}


async def test_a_wave_of_a_cancelled_campaign_is_not_repeated() -> None:
    world = World()
    await lost_wave(world)
    await world.books.campaigns.change(
        ["m1"], lambda _id, known: Change(replace(known, cancelled=True))
    )
    await later(world)
    assert who(world) == set()
    assert set(world.states().values()) == {PushState.UNKNOWN}
