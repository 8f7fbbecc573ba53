"""A repeating campaign reaches a fan once a period at most; what waited longer is dropped."""

from __future__ import annotations

from collections import Counter

import pytest

from services.notifier.domain.campaigns import Repeat
from services.notifier.domain.periods import QuietHours, day_name, week_name
from services.notifier.domain.pushes import PushState
from shared.events import IncidentOpened, IncidentResolved
from tests.component.notifier.test_mass_sends_survive_crashes import audience
from tests.component.notifier.test_pushes_are_held_or_dropped import incident, write
from tests.component.notifier.test_single_pushes_survive_crashes import followed
from tests.support.notifier_world import HOUR, NOON, World

DAY = 24 * HOUR
QUIET = QuietHours(22 * 60, 8 * 60)


async def daily(world: World, repeat: Repeat = Repeat.DAY) -> None:
    """A fan of the audience of a daily promotion, who has just written."""
    await world.deliver(world.fan_events, followed("f1", world.platform.act("f1", "message")))
    await write(world)
    await world.tag("f1", "daily")
    await world.campaign(audience_tag="daily", repeat=repeat, promotion=True)


def sent_by_day(world: World) -> Counter[str]:
    return Counter(day_name(at) for at, _, _ in world.platform.accepted)


@pytest.mark.parametrize("why", ["silent fan", "incident"])
async def test_four_days_of_waiting_are_followed_by_one_push_a_day(why: str) -> None:
    world = World(cap=2, quiet=QUIET)
    await daily(world)
    if why == "incident":
        await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
    else:
        world.clock.advance(49 * HOUR)  # the window is over
    for _ in range(4):
        await world.run()
        world.clock.advance(DAY)
    assert not world.platform.accepted
    if why == "incident":
        await world.deliver(world.incidents, incident(IncidentResolved, world, 2, pause=False))
    for _ in range(3):
        await write(world)
        await world.run()
        world.clock.advance(6 * HOUR)
        await world.run()
        world.clock.advance(18 * HOUR)
    assert sorted(sent_by_day(world).values()) == [1, 1, 1]
    occurrences = {row.id: row.occurrence for row in world.queries.rows()}
    assert all(occurrences[key] == day_name(at) for at, _, key in world.platform.accepted)
    world.check_books()


async def test_what_waits_is_dropped_when_its_day_ends_and_staff_are_told_why() -> None:
    world = World()
    await daily(world)
    world.clock.advance(49 * HOUR)
    await world.run()
    (row,) = world.queries.rows()
    assert (row.state, row.reason) == (PushState.HELD, "window_closed")
    midnight = NOON + 2 * DAY + 12 * HOUR
    world.clock.advance(midnight - 1 - world.clock.wall)
    await world.loop.step()
    assert world.row("f1").state is PushState.HELD
    world.clock.advance(1)
    await world.loop.step()
    assert (world.row("f1").state, world.row("f1").reason) == (PushState.DROPPED, "period_over")
    (told,) = await world.announced("PushDropped")
    assert b'"period_over"' in (told.value or b"")


async def test_a_weekly_push_may_wait_for_days_but_not_into_the_next_week() -> None:
    world = World()
    await daily(world, Repeat.WEEK)
    await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
    await world.run()
    first = week_name(world.clock.wall)
    while week_name(world.clock.wall + DAY) == first:
        world.clock.advance(DAY)
        await world.run()
        assert [row.state for row in world.queries.rows()] == [PushState.HELD]
    world.clock.advance(DAY)
    await world.run()
    states = {row.occurrence: row.state for row in world.queries.rows()}
    assert states == {first: PushState.DROPPED, week_name(world.clock.wall): PushState.HELD}


async def test_a_push_that_does_not_repeat_has_no_period() -> None:
    world = World()
    await daily(world, Repeat.ONCE)
    world.clock.advance(49 * HOUR)
    await world.run()
    world.clock.advance(5 * DAY)
    await write(world)
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_a_wave_whose_outcome_is_unknown_is_not_called_again_in_the_next_period() -> None:
    world = World(now=NOON + 11 * HOUR)
    await audience(world, "f1", "f2")
    await world.campaign(
        channel="wechat_mass_send", audience_tag="vip", trigger_tag=None, repeat=Repeat.DAY
    )
    world.platform.faults = ["lost_before"]
    await world.run()
    assert len(world.mass.calls) == 1
    world.clock.advance(2 * HOUR)  # one o'clock of the next day
    world.mass.date = world.platform.now
    await world.run()
    keys = [key for _, key in world.mass.calls]
    assert len(set(keys)) == len(keys) == 2, "the second is the next day's own"
    unknown = {row.reason for row in world.queries.rows() if row.state is PushState.UNKNOWN}
    assert unknown == {"period_over_in_call"}
    assert max(Counter(who for _, who, _ in world.platform.accepted).values()) == 1
    world.check_books()
