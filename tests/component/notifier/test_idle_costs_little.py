"""At rest the senders hardly ask the store, and are at work at once all the same."""

from __future__ import annotations

import asyncio

import pytest

from services.notifier.domain.pushes import PushState
from tests.component.notifier.flying_world import FlyingWorld, Running, seconds, until
from tests.component.notifier.test_mass_sends_survive_crashes import audience, mass_campaign
from tests.component.notifier.test_single_pushes_survive_crashes import followed, wrote
from tests.support.virtual_time import run

REST_S = 60.0
LOOKED_AT_S = 600.0
AT_ONCE_S = 0.3
SOON_PLANNED_S = 8.0
"""Five seconds between two looks for what is to be planned, a bit more by chance, and sending."""
BY_ANOTHER_S = 3.7
"""Three seconds between two looks, a fifth of it by chance, and the call."""


async def operations_a_second(world: FlyingWorld) -> float:
    """Without the planner's looks: they are for all accounts of a process together."""
    await asyncio.sleep(REST_S)
    before = world.operations.total() - world.operations["find campaigns"]
    await asyncio.sleep(LOOKED_AT_S)
    found = world.operations.total() - world.operations["find campaigns"]
    return (found - before) / LOOKED_AT_S


async def earn(world: FlyingWorld, process: Running, openid: str) -> None:
    """A fan follows, writes, and earns the tag that triggers a greeting, all told to `process`."""
    at = world.platform.act(openid, "message")
    await world.deliver(process.fan_events, followed(openid, at))
    await world.deliver(process.fan_events, wrote(openid, at))
    world.tag_changes = process.tag_changes
    await world.tag(openid, "new", at=at)


@pytest.mark.parametrize("waiting", [0, 3])
def test_an_account_at_rest_costs_less_than_one_operation_a_second(waiting: int) -> None:
    """Whether nothing waits at all, or some rows wait for something that is far away."""

    async def scenario() -> tuple[float, dict[str, int]]:
        world = FlyingWorld()
        process = Running(world)
        await world.campaign(not_before=world.clock.wall + 10 * 3_600_000)
        for number in range(waiting):
            await earn(world, process, f"f{number}")
        found = await operations_a_second(world)
        await process.end()
        return found, world.operations

    found, operations = run(scenario())
    assert found < 1, operations


def test_a_second_process_at_rest_costs_less_than_one_operation_a_second() -> None:
    async def scenario() -> float:
        world = FlyingWorld()
        processes = [Running(world), Running(world)]
        found = await operations_a_second(world)
        for process in processes:
            await process.end()
        return found

    assert run(scenario()) < 1.5


@pytest.mark.parametrize("rest_s", [0.0, 2.9, 3.3, 7.7, 301.0])
def test_what_a_process_plans_it_sends_at_once_after_any_rest(rest_s: float) -> None:
    async def scenario() -> float:
        world = FlyingWorld()
        process = Running(world)
        await world.campaign()
        await asyncio.sleep(5 + rest_s)
        began = seconds()
        await earn(world, process, "f1")
        await until(lambda: process.calls)
        took = seconds() - began
        await process.end()
        world.check_books()
        return took

    assert run(scenario()) < AT_ONCE_S


@pytest.mark.parametrize("rest_s", [0.0, 2.9, 3.3, 7.7, 301.0])
def test_what_another_process_plans_is_sent_soon(rest_s: float) -> None:
    async def scenario() -> float:
        world = FlyingWorld()
        sender = Running(world)
        await asyncio.sleep(1)  # it has the account
        other = Running(world)
        await world.campaign()
        await asyncio.sleep(5 + rest_s)
        began = seconds()
        await earn(world, other, "f1")
        await until(lambda: sender.calls)
        took = seconds() - began
        assert other.calls == []
        await sender.end()
        await other.end()
        world.check_books()
        return took

    assert run(scenario()) < BY_ANOTHER_S


def test_a_row_that_waits_for_its_time_goes_at_its_time() -> None:
    async def scenario() -> float:
        world = FlyingWorld()
        process = Running(world)
        await world.campaign(not_before=world.clock.wall + 100_000)
        await earn(world, process, "f1")
        await until(lambda: process.calls)
        took = seconds()
        await process.end()
        return took

    assert 99.9 < run(scenario()) < 100 + AT_ONCE_S


def test_an_account_is_taken_over_soon_after_its_process_stopped() -> None:
    async def scenario() -> float:
        world = FlyingWorld()
        first = Running(world)
        await asyncio.sleep(1)
        second = Running(world)
        await world.campaign()
        await asyncio.sleep(10)
        await first.end()
        began = seconds()
        await earn(world, second, "f1")
        await until(lambda: second.calls)
        took = seconds() - began
        await second.end()
        return took

    assert run(scenario()) < BY_ANOTHER_S


def test_audiences_are_planned_by_another_soon_after_the_planner_stopped() -> None:
    async def scenario() -> float:
        world = FlyingWorld()
        first = Running(world)
        await audience(world, "f1", "f2")
        await mass_campaign(world)
        await until(lambda: first.mass_calls)
        second = Running(world)
        await first.end()
        began = seconds()
        await mass_campaign(world, "m2")
        await until(lambda: second.mass_calls)
        took = seconds() - began
        await second.end()
        return took

    assert run(scenario()) < SOON_PLANNED_S


def test_a_wave_that_another_holder_left_open_is_gone_on_with_after_a_rest() -> None:
    """The account was held, lost to another process at rest, and got back with a wave open."""

    async def scenario() -> tuple[set[PushState], int]:
        world = FlyingWorld()
        rested = Running(world)
        await asyncio.sleep(30)  # it holds the account, and rests
        acquire = world.leases.acquire

        async def frozen(name: str, holder: str, lasts_s: float, now: float) -> bool:
            return holder != rested.loop._holder and await acquire(name, holder, lasts_s, now)

        world.leases.acquire = frozen  # type: ignore[method-assign, assignment] # nor renews it
        await asyncio.sleep(40)
        doomed = Running(world)
        world.platform.faults = ["lost_after"]
        await audience(world, "f1", "f2")
        await mass_campaign(world)
        await until(lambda: doomed.mass_calls)
        await asyncio.sleep(0.05)
        for task in doomed._tasks:
            task.cancel()
        doomed.loop._tenure = None  # it is killed: nothing is given back
        await doomed.end()
        world.leases.acquire = acquire  # type: ignore[method-assign]
        await asyncio.sleep(300)
        await rested.end()
        return set(world.states().values()), len(rested.mass_calls)

    states, calls = run(scenario())
    assert states == {PushState.SENT}
    assert calls == 1


def test_a_row_that_nobody_finds_yet_does_not_keep_the_store_busy() -> None:
    """A clock that is ten minutes ahead has named its deadline, and it is to be looked at now."""

    async def scenario() -> float:
        world = FlyingWorld()
        process = Running(world)
        await world.campaign()
        await earn(world, process, "f1")
        await until(lambda: process.calls)

        async def nothing(*_: object) -> list[object]:
            return []

        world.queries.due = nothing  # type: ignore[method-assign, assignment]
        world.platform.windows.clear()
        await earn(world, process, "f2")
        before = world.operations.total()
        await asyncio.sleep(60)
        found = (world.operations.total() - before) / 60
        await process.end()
        return found

    assert run(scenario()) < 60
