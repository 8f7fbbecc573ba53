"""At rest the service hardly asks the store, and is at work at once all the same."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from services.sentiment.domain.incidents.changes import acknowledge
from services.sentiment.domain.paging.escalation import Policy, Step
from shared.kafka.handler import Announcement, Change
from tests.component.sentiment.incident_world import ACCOUNT
from tests.component.sentiment.timed_world import Running, TimedWorld, seconds, until
from tests.support.virtual_time import run

REST_S = 120.0
"""After so long without a comment the service is at rest."""
LOOKED_AT_S = 600.0
PATIENT = Policy((Step(0.0, ("robot",)), Step(100_000.0, ("robot",))))
"""Nothing to escalate while the test looks."""


def complain(world: TimedWorld, people: range) -> None:
    for person in people:
        world.say(person, f"食物中毒了{person}")


async def take(process: Running, world: TimedWorld) -> None:
    """Somebody acknowledges the incident, as the button does."""
    incident = world.incidents[-1].id

    def decide(_id: str, state: Any) -> Any:
        done = acknowledge(state, incident, "王", world.now)
        return done and Change(done.state, tuple(Announcement(e, c) for e, c in done.events))

    await process.process.incidents.change([ACCOUNT], decide, announced=False)
    process.process.pager.wake()


async def operations_a_second(world: TimedWorld) -> float:
    await asyncio.sleep(REST_S)
    before = world.operations.total()
    await asyncio.sleep(LOOKED_AT_S)
    return (world.operations.total() - before) / LOOKED_AT_S


@pytest.mark.parametrize("state", ["calm", "open", "acknowledged"])
def test_an_account_at_rest_costs_less_than_one_operation_a_second(state: str) -> None:
    async def scenario() -> tuple[float, dict[str, int]]:
        world = TimedWorld()
        process = Running(world, PATIENT)
        complain(world, range(1 if state == "calm" else 5))
        await process.consume()
        if state != "calm":
            await until(lambda: world.timed["robot"].accepted)
        if state == "acknowledged":
            await take(process, world)
        found = await operations_a_second(world)
        await process.end()
        return found, world.operations

    found, operations = run(scenario())
    assert found < 1, operations


def test_each_further_account_at_rest_costs_a_fifth_of_that_at_most() -> None:
    async def scenario(accounts: int) -> float:
        world = TimedWorld()
        process = Running(world, PATIENT)
        await world.counters.raise_by({f"wechat:gh_{number}": 1 for number in range(accounts)})
        found = await operations_a_second(world)
        await process.end()
        return found

    one, many = run(scenario(1)), run(scenario(21))
    assert (many - one) / 20 < 0.2


@pytest.mark.parametrize("rest_s", [0.0, 3.0, 7.7, 300.0])
def test_a_page_leaves_within_half_a_second_of_its_comment_after_any_rest(rest_s: float) -> None:
    async def scenario() -> float:
        world = TimedWorld()
        process = Running(world)
        complain(world, range(2))
        await process.consume()
        await asyncio.sleep(rest_s)
        complain(world, range(2, 3))
        began = seconds()
        await process.consume()
        await until(lambda: world.timed["robot"].calls)
        await process.end()
        return world.timed["robot"].calls[0] - began

    assert run(scenario()) < 0.5


@pytest.mark.parametrize("rest_s", [0.3, 2.0, 3.1, 5.0, 60.0])
def test_comments_that_another_process_stores_page_within_two_seconds(rest_s: float) -> None:
    async def scenario() -> float:
        world = TimedWorld()
        first, second = Running(world), Running(world)
        complain(world, range(2))
        await first.consume()
        await asyncio.sleep(rest_s)
        complain(world, range(2, 5))
        began = seconds()
        await second.consume()
        await until(lambda: world.timed["robot"].calls)
        calls = list(world.timed["robot"].calls)
        await asyncio.sleep(30)
        assert world.timed["robot"].calls == calls  # and only one of them pages
        await first.end()
        await second.end()
        return calls[0] - began

    assert run(scenario()) < 2


@pytest.mark.parametrize("after_s", [0.01, 0.11, 0.13, 0.2])
def test_what_a_killed_process_left_is_paged_by_another_within_ten_seconds(after_s: float) -> None:
    async def scenario() -> float:
        world = TimedWorld()
        world.timed["robot"].takes_s = 1.0
        doomed, other = Running(world), Running(world)
        complain(world, range(5))
        await asyncio.sleep(20)
        await doomed.consume()
        await asyncio.sleep(after_s)
        doomed.kill()
        began = seconds()
        await until(lambda: world.timed["robot"].accepted)
        await other.end()
        await doomed.end()
        return world.timed["robot"].accepted[0][0] - began

    assert run(scenario()) < 10


@pytest.mark.parametrize("killed_at_s", [30.0, 58.0, 59.9, 60.02, 61.0, 175.0, 240.05])
def test_escalation_keeps_its_times_though_one_of_two_processes_is_killed(
    killed_at_s: float,
) -> None:
    async def scenario() -> list[float]:
        world = TimedWorld()
        doomed, other = Running(world), Running(world)
        complain(world, range(5))
        await doomed.consume()
        await until(lambda: world.timed["robot"].accepted)
        opened = (world.incidents[0].opened_at - world.now) / 1000 + seconds()
        await asyncio.sleep(opened + killed_at_s - seconds())
        doomed.kill()
        await asyncio.sleep(400)
        await other.end()
        await doomed.end()
        first: dict[int, float] = {}
        for at, message in world.timed["robot"].accepted:
            first.setdefault(message.step, at - opened)
        return [first[step] for step in range(1, 4)]

    reached = [0.0, *run(scenario())]
    waits = [now - before for before, now in itertools.pairwise(reached)]
    for wait, due in zip(waits, (60, 120, 120), strict=True):
        assert abs(wait - due) < 5
