"""Killed at each step between a comment and its page: nothing is lost, nothing is doubled."""

from __future__ import annotations

import pytest

from tests.component.sentiment.incident_world import NOON, World

STEPS = [
    "comment_written",
    "bell_rung",
    "judged",
    "incident_written",
    "page_written",
    "page_called",
]


def complaints(world: World, people: range) -> None:
    for person in people:
        world.say(person, f"食物中毒了{person}", at=NOON + person * 1000)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("step", STEPS)
async def test_a_killed_process_leaves_a_page_to_the_next_one(step: str, nth: int) -> None:
    world = World()
    doomed = world.process(kill_at=step, nth=nth)
    complaints(world, range(2))
    await doomed.work()
    world.wait(1)
    complaints(world, range(2, 9))
    await doomed.work(rounds=2)
    world.wait(61)
    await doomed.work()
    world.wait(7)
    second = world.process()
    await second.work(rounds=3)
    await second.incidents.relay()

    assert [one.id for one in world.incidents] == ["wechat:gh_brand:food_safety:1"]
    assert len(world.stores["comments"].documents) == 9
    opened = [one for one in world.announced() if one[0] == "IncidentOpened"]
    assert len(opened) == 1
    robot = world.channels["robot"].accepted
    assert {page.dedup_key for page in robot} == {"wechat:gh_brand:food_safety:1"}
    assert robot
    assert all(row.state in {"sent", "due"} for row in world.rows.all())


@pytest.mark.parametrize("step", STEPS)
async def test_every_step_is_reached_so_that_the_crashes_are_real(step: str) -> None:
    world = World()
    doomed = world.process(kill_at=step)
    complaints(world, range(2))
    await doomed.work()
    complaints(world, range(2, 9))
    await doomed.work(rounds=2)
    assert doomed.dead


async def test_a_call_whose_answer_was_lost_is_made_again_with_the_same_key() -> None:
    world = World()
    doomed = world.process(kill_at="page_called")
    complaints(world, range(5))
    await doomed.work()
    assert doomed.dead
    world.wait(7)
    await world.process().work()
    calls = world.channels["robot"].calls
    assert len(calls) == 2
    assert calls[0].page == calls[1].page
    assert calls[0].dedup_key == calls[1].dedup_key


async def test_events_that_a_crash_left_in_the_outbox_are_published_with_the_same_id() -> None:
    world = World()
    doomed = world.process(kill_at="incident_written")
    complaints(world, range(5))
    await doomed.work()
    await doomed.incidents.stop(0.0)
    world.publisher.records.clear()  # the log never got it, or nobody knows
    world.wait(7)
    second = world.process()
    await second.work(rounds=2)
    first_ids = world.announced()
    await world.process().incidents.relay()
    assert [kind for kind, _ in first_ids] == ["IncidentOpened"]
    assert world.announced() == first_ids
