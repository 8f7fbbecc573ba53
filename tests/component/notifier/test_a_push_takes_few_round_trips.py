"""What a batch of pushes costs the store, in round trips: a bound that does not grow with it."""

from __future__ import annotations

import asyncio

import pytest

from tests.component.notifier.test_single_pushes_survive_crashes import followed, wrote
from tests.support.notifier_counting import count_round_trips
from tests.support.notifier_world import World

LOOKS = 3
"""Round trips of a last look: campaign, account, fans."""


async def due_world(pushes: int, *, together: int) -> World:
    world = World()
    await world.campaign()
    for number in range(pushes):
        openid = f"f{number:03}"
        at = world.platform.act(openid, "message")
        await world.deliver(world.fan_events, followed(openid, at))
        await world.deliver(world.fan_events, wrote(openid, at))
        await world.tag(openid, "new", at=at)
    world.single_sender._together = together
    await world.loop._hold()
    return world


async def tidy(world: World) -> None:
    for _ in range(30):
        await asyncio.sleep(0)
    await world.books.rows.tidy()  # type: ignore[attr-defined] # the writer behind the port


@pytest.mark.parametrize(("pushes", "looks"), [(1, 1), (20, 1), (60, 1), (60, 6)])
async def test_a_batch_takes_fifteen_round_trips_and_three_for_each_further_look(
    pushes: int, looks: int
) -> None:
    world = await due_world(pushes, together=pushes // looks)
    counted = count_round_trips(world)
    await world.loop.step()
    await tidy(world)
    assert len(world.platform.accepted) == pushes
    assert sum(counted.values()) == 15 + LOOKS * (looks - 1), dict(counted)


async def test_planning_a_triggered_push_takes_one_look_for_campaigns_and_one_write() -> None:
    world = World()
    await world.campaign()
    counted = count_round_trips(world)
    await world.tag("f1", "new")
    assert {name: n for name, n in counted.items() if name.startswith("pushes")} == {
        "pushes write": 1
    }


async def test_the_lease_is_not_renewed_with_every_step_but_long_before_it_ends() -> None:
    world = World()
    await world.run()
    counted = count_round_trips(world)
    for _ in range(60):
        world.clock.advance(500)
        await world.loop.step()
    assert 3 <= counted["lease"] <= 6
