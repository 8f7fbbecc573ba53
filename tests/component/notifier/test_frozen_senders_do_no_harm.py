"""A sender frozen past its lease and woken: whatever step it was at, nobody gets a push twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.notifier.domain.pushes import PushState
from shared.events import IncidentOpened, IncidentResolved
from tests.component.notifier.test_mass_sends_survive_crashes import audience, mass_campaign
from tests.component.notifier.test_pushes_are_held_or_dropped import incident, write
from tests.component.notifier.test_single_pushes_survive_crashes import FANS, greet
from tests.support.notifier_world import Crash, World


def freeze_before(world: World, owner: Any, name: str) -> None:
    """Have another process take over, and do everything, at the next call of a method."""
    method = getattr(owner, name)

    async def frozen(*args: Any, **more: Any) -> Any:
        setattr(owner, name, method)
        world.restart()
        world.clock.advance(31_000)
        world.mass.date = world.platform.now
        await world.run()
        return await method(*args, **more)

    setattr(owner, name, frozen)


def crash_at(step: str) -> Callable[[str], None]:
    def reach(name: str) -> None:
        if name == step:
            raise Crash

    return reach


async def test_frozen_before_the_debit_it_debits_and_calls_nothing() -> None:
    world = World()
    await greet(world)
    freeze_before(world, world.single_sender._desk, "debit")
    await world.loop.step()
    assert len(world.platform.accepted) == len(FANS)
    world.check_books()


async def test_frozen_between_debit_and_commitment_it_calls_nothing() -> None:
    world = World()
    await greet(world)
    freeze_before(world, world.single_sender._desk, "commit")
    await world.loop.step()
    assert len(world.platform.accepted) == len(FANS)
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def test_frozen_between_commitment_and_call_it_calls_nothing() -> None:
    world = World()
    await greet(world)
    freeze_before(world, world.single_sender, "_call")
    old = world.single_sender
    await world.loop.step()
    await old.settle()
    assert set(world.states().values()) == {PushState.UNKNOWN}
    assert len(world.platform.accepted) < len(FANS), "the calls came too late and were not made"
    world.check_books()


async def test_frozen_between_call_and_outcome_it_changes_nothing_that_another_settled() -> None:
    world = World()
    await greet(world)
    freeze_before(world, world.single_sender, "_settle_rows")
    await world.loop.step()
    assert set(world.states().values()) == {PushState.UNKNOWN}
    assert len(world.platform.accepted) == len(FANS)
    world.check_books()


async def test_frozen_while_holding_a_row_it_takes_no_others_debit_back() -> None:
    world = World()
    await world.campaign(promotion=True)
    await write(world)
    await world.tag("f1", "new")
    world.observer.step = crash_at("debited")  # type: ignore[method-assign, assignment] # a crash point
    with pytest.raises(Crash):
        await world.run()
    world.restart()
    world.clock.advance(31_000)
    await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
    desk = world.single_sender._desk
    take_back = desk.take_back

    async def frozen(debits: Any) -> None:
        assert len(debits) == 1, "the debit of the process that crashed"
        desk.take_back = take_back  # type: ignore[method-assign] # once
        world.restart()
        world.clock.advance(31_000)
        await world.deliver(world.incidents, incident(IncidentResolved, world, 2, pause=False))
        await world.run()
        await take_back(debits)

    desk.take_back = frozen  # type: ignore[method-assign] # the moment after the hold
    await world.loop.step()
    fan = (await desk.read_fans(["wechat:brand:f1"]))["wechat:brand:f1"]
    assert world.row("f1").state is PushState.SENT
    assert len(fan.ledger.debits) == 1
    world.check_books()


async def test_a_debit_of_a_crashed_process_is_taken_back_when_its_push_is_held() -> None:
    world = World()
    await world.campaign(promotion=True)
    await write(world)
    await world.tag("f1", "new")
    world.observer.step = crash_at("debited")  # type: ignore[method-assign, assignment] # a crash point
    with pytest.raises(Crash):
        await world.run()
    world.restart()
    world.clock.advance(31_000)
    await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
    await world.run()
    desk = world.single_sender._desk
    fan = (await desk.read_fans(["wechat:brand:f1"]))["wechat:brand:f1"]
    assert world.row("f1").reason == "promotions_paused"
    assert fan.ledger.debits == ()


async def test_a_wave_frozen_before_it_is_real_stays_unreal() -> None:
    for step in ("_open", "_gather"):
        world = World()
        await audience(world, "f1", "f2", "f3")
        await mass_campaign(world)
        await world.planner.step()
        freeze_before(world, world.mass_sender, step)
        await world.loop.step()
        assert len(world.platform.waves) == 1
        world.clock.advance(6 * 60_000)
        world.mass.date = world.platform.now
        await world.run()
        assert set(world.states().values()) == {PushState.SENT}
        assert len(world.platform.waves) == 1
        world.check_books()


async def test_a_wave_frozen_before_its_call_is_called_under_the_same_key() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.planner.step()
    old = world.mass
    freeze_before(world, world.mass_sender._waves, "call_first")
    await world.loop.step()
    for _ in range(3):
        world.clock.advance(61_000)
        world.mass.date = world.platform.now
        await world.run()
    assert len({key for _, key in (*old.calls, *world.mass.calls)}) == 1
    assert len(world.platform.waves) == 1
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()
