"""A page that nobody needs is not called, and a late answer does not overwrite a settled page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from services.sentiment.domain.incidents.changes import acknowledge, resolve
from services.sentiment.domain.incidents.judgement import Thresholds
from services.sentiment.domain.incidents.usual import HOUR_MS
from services.sentiment.domain.paging.page_text import PageMessage
from services.sentiment.domain.paging.pages import Outcome
from services.sentiment.loops.evaluator import AHEAD_MS
from tests.component.sentiment.incident_world import ACCOUNT, NOON, FakeChannel, World
from tests.component.sentiment.test_comment_to_page import act, complaints


@dataclass
class SlowChannel(FakeChannel):
    """Answers when it may."""

    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: PageMessage) -> Outcome:
        outcome = await super().send(message)
        await self.may.wait()
        return outcome


def page_states(world: World, action: str = "trigger") -> list[tuple[str, int]]:
    return [
        (page.state, page.attempts) for page in world.rows.all() if page.wanted.action == action
    ]


async def test_a_page_that_waits_for_its_next_try_is_not_called_once_a_person_has_it() -> None:
    world = World()
    process = world.process()
    world.channels["robot"].answers = [Outcome("unavailable", "timeout")]
    complaints(world)
    await process.work()
    assert page_states(world) == [("due", 1)]
    await act(process, acknowledge)
    world.wait(50)
    for _ in range(3):
        await process.page()
        world.wait(5)
    assert page_states(world) == [("obsolete", 1)]
    assert [call.action for call in world.channels["robot"].calls] == ["trigger", "acknowledge"]


async def test_a_page_that_waits_is_not_called_once_its_incident_is_over() -> None:
    world = World()
    process = world.process()
    world.channels["robot"].answers = [Outcome("throttled", "45009", 30.0)]
    complaints(world)
    await process.work()
    await act(process, resolve)
    world.wait(40)
    for _ in range(3):
        await process.page()
    assert page_states(world) == [("obsolete", 1)]
    assert [call.action for call in world.channels["robot"].calls] == ["trigger"], "it may rest"
    world.wait(20)
    await process.page()
    assert [call.action for call in world.channels["robot"].calls] == ["trigger", "resolve"]


async def test_word_of_an_acknowledgement_is_given_up_after_a_day() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    world.channels["robot"].answers = [Outcome("unavailable", "timeout")] * 10_000
    await act(process, acknowledge)
    taken_at = world.now
    calls = 0
    while world.now < taken_at + 25 * HOUR_MS:
        await process.page()
        if world.now < taken_at + 24 * HOUR_MS:
            calls = len(world.channels["robot"].calls)
        world.wait(600)
    assert page_states(world, "acknowledge")[0][0] == "obsolete"
    assert len(world.channels["robot"].calls) == calls > 100, "and not called any more"


async def test_an_answer_that_comes_late_does_not_overwrite_a_page_that_is_settled() -> None:
    world = World()
    slow = SlowChannel(answers=[Outcome("unavailable", "502")])
    world.channels["robot"] = slow
    frozen = world.process()
    complaints(world)
    await frozen.consume()
    await frozen.evaluator.round()
    await frozen.pager.round()
    await until_called(slow, 1)
    world.wait(10)  # its lease is over: another process takes the account, and pages
    world.channels["robot"] = FakeChannel()
    other = world.process()
    await other.page()
    assert page_states(world) == [("sent", 1)]
    slow.may.set()
    await frozen.pager.finish()
    assert page_states(world) == [("sent", 1)]
    world.wait(30)
    await other.page()
    assert len(world.channels["robot"].calls) == 1, "what was sent is not sent again"


async def test_an_answer_to_an_earlier_try_does_not_count_as_one_to_a_later() -> None:
    world = World()
    slow = SlowChannel()
    world.channels["robot"] = slow
    frozen = world.process()
    complaints(world)
    await frozen.consume()
    await frozen.evaluator.round()
    await frozen.pager.round()
    await until_called(slow, 1)
    world.wait(10)
    world.channels["robot"] = FakeChannel(answers=[Outcome("refused", "gone")])
    await world.process().page()
    slow.may.set()
    await frozen.pager.finish()
    assert page_states(world) == [("refused", 1)]


async def until_called(channel: FakeChannel, calls: int) -> None:
    async with asyncio.timeout(30):
        while len(channel.calls) < calls:
            await asyncio.sleep(0)


async def read_by_the_evaluator(world: World) -> list[tuple[int, int]]:
    """The spans of event time that one judgement asks for."""
    process = world.process()
    spans: list[tuple[int, int]] = []
    negatives = world.book.negatives

    async def noted(account: str, since: int, until: int) -> Any:
        spans.append((since, until))
        return await negatives(account, since, until)

    world.book.negatives = noted  # type: ignore[method-assign] # to look over its shoulder
    await process.evaluator.judge(ACCOUNT, world.counters.counts.get(ACCOUNT, 0))
    world.book.negatives = negatives  # type: ignore[method-assign] # as before
    return spans


async def test_without_an_incident_the_evaluator_reads_its_horizon_and_an_hour_ahead() -> None:
    world = World()
    horizon = Thresholds().horizon_ms
    assert await read_by_the_evaluator(world) == [(NOON - horizon, NOON + AHEAD_MS)]


async def test_with_an_open_incident_it_reads_from_the_incidents_start() -> None:
    world = World()
    complaints(world)
    await world.process().work()
    world.wait(8 * 3600)
    (span,) = await read_by_the_evaluator(world)
    assert span == (NOON, world.now + AHEAD_MS)
    world.wait(12 * 3600)
    (span,) = await read_by_the_evaluator(world)
    assert span == (NOON, world.now + AHEAD_MS)


async def test_it_never_reads_more_than_a_day_however_long_an_incident_lasts() -> None:
    world = World()
    complaints(world)
    await world.process().work()
    world.wait(30 * 3600)
    (span,) = await read_by_the_evaluator(world)
    assert span[0] == world.now - 24 * HOUR_MS


async def test_a_young_incident_does_not_shorten_the_horizon() -> None:
    world = World()
    complaints(world)
    await world.process().work()
    (span,) = await read_by_the_evaluator(world)
    assert span[0] == NOON - Thresholds().horizon_ms


async def test_comments_from_a_clock_that_runs_ahead_count_up_to_an_hour() -> None:
    world = World()
    process = world.process()
    for person in range(5):
        world.say(person, f"吃完食物中毒了，第{person}家店", at=NOON + AHEAD_MS)
    await process.work()
    assert [one.people for one in world.incidents] == [], "an hour ahead is not yet"
    for person in range(5, 10):
        world.say(person, f"吃完食物中毒了，第{person}家店", at=NOON + AHEAD_MS - 1)
    await process.work()
    assert [one.people for one in world.incidents] == [5]
