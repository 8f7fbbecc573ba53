"""One sender an account: a lease that is renewed has no second holder, and a lapse is noticed."""

from __future__ import annotations

from services.notifier.domain.pushes import PushState
from shared.errors import TransientError
from tests.component.notifier.test_mass_sends_survive_crashes import audience, mass_campaign
from tests.component.notifier.test_single_pushes_survive_crashes import greet
from tests.support.notifier_world import World


async def tenure(world: World) -> int:
    return (await world.single_sender._desk.read_account()).tenure


async def test_a_holder_that_steps_keeps_the_account_longer_than_a_lease_lasts() -> None:
    world = World()
    holder = world.loop
    await holder.step()
    world.restart()
    await greet(world)
    for _ in range(12):
        world.clock.advance(10_000)
        await holder.step()
        assert await world.loop.step() == 0, "a second process has nothing to do here"
    assert await tenure(world) == 1
    assert world.single.calls == []


async def test_a_holder_that_rests_for_longer_than_its_lease_is_replaced() -> None:
    world = World()
    await world.loop.step()
    world.restart()
    world.clock.advance(29_000)
    await world.loop.step()
    assert await tenure(world) == 1
    world.clock.advance(2_000)
    await world.loop.step()
    assert await tenure(world) == 2


async def test_a_lapse_is_noticed_even_if_the_lease_is_got_again() -> None:
    """Another process may have held it meanwhile: without a new tenure nothing more would go."""
    world = World()
    first, mass = world.loop, world.mass
    await first.step()
    world.restart()
    world.clock.advance(31_000)
    await world.loop.step()
    await world.loop.release()
    world.clock.advance(1_000)
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.planner.step()
    mass.date = world.platform.now
    world.loop = first
    await world.run()
    assert set(world.states().values()) == {PushState.SENT}
    assert len(mass.calls) == 1
    assert await tenure(world) == 3
    world.check_books()


async def test_a_lapse_without_another_holder_begins_a_tenure_too() -> None:
    world = World()
    await world.loop.step()
    world.clock.advance(30_000)
    await world.loop.step()
    assert await tenure(world) == 1
    world.clock.advance(30_001)
    await world.loop.step()
    assert await tenure(world) == 2


async def test_a_store_that_was_away_for_a_lease_is_a_lapse() -> None:
    world = World()
    await world.loop.step()
    acquire = world.leases.acquire

    async def away(*_: object) -> bool:
        raise TransientError("away")

    world.leases.acquire = away  # type: ignore[assignment, method-assign] # the store is away
    for _ in range(4):
        world.clock.advance(10_000)
        assert await world.loop._step_safely() == 1.0
    world.leases.acquire = acquire  # type: ignore[method-assign] # and back
    await world.loop.step()
    assert await tenure(world) == 2


async def test_what_was_left_in_calling_by_an_older_holder_is_swept_up() -> None:
    world = World()
    await greet(world)
    late = world.single_sender
    await world.loop.step()
    world.restart()
    world.clock.advance(31_000)
    await world.loop.step()  # a new holder, which has recovered
    rows = [row for row in world.queries.rows() if row.state is PushState.SENT]
    assert len(rows) == 3
    await world.campaign("c2")
    await world.tag("f1", "new")
    (row,) = [one for one in world.queries.rows() if one.campaign == "c2"]
    await late._desk.commit([row], world.clock.wall, "from the grave", {})
    for _ in range(6):
        world.clock.advance(29_000)
        await world.loop.step()
    assert PushState.CALLING in {one.state for one in world.queries.rows()}
    for _ in range(6):
        world.clock.advance(29_000)
        await world.loop.step()
    (row,) = [one for one in world.queries.rows() if one.campaign == "c2"]
    assert (row.state, row.reason) == (PushState.UNKNOWN, "crashed_in_call")
