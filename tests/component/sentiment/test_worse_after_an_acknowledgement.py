"""Acknowledging an incident answers for what was known then, and for nothing that comes after."""

from __future__ import annotations

from typing import Any

import pytest

from services.sentiment.domain.incidents.changes import (
    acknowledge,
    resolve,
    resume_promotions,
)
from services.sentiment.domain.verdict import SeverityReason, Verdict
from tests.component.sentiment.incident_world import NOON, Process, World
from tests.component.sentiment.test_comment_to_page import act

MOULDY, IN_HOSPITAL = "蛋糕发霉了", "吃了住院了"


def by_words(text: str) -> Verdict:
    """Mould is severity 2, a hospital 3."""
    level = 3 if "住院" in text else 2 if "发霉" in text else 0
    return Verdict(
        tone="neg",
        negative=0.97,
        probabilities=(0.97, 0.0, 0.03),
        severity=level,
        kind="complaint",
        aspect="product",
        spans=(),
        reasons=(SeverityReason("food", level, "x"),) if level else (),
    )


def say(world: World, people: range, words: str) -> None:
    for person in people:
        world.say(person, f"{words} {person}", at=world.now + person * 100)
    world.wait(30)


async def opened(world: World, *, pause_from: int = 0, words: str = MOULDY) -> Process:
    process = world.process()
    process.evaluator._pause_from_severity = pause_from
    process.model._verdict = by_words  # type: ignore[method-assign]  # it tells two words apart
    say(world, range(6), words)
    await process.work(rounds=3)
    return process


def triggers(world: World) -> list[tuple[str, int, int]]:
    """(channel, step, severity) of every alarm that was accepted."""
    return [
        (name, page.step, page.severity)
        for name, channel in world.channels.items()
        for page in channel.accepted
        if page.action == "trigger"
    ]


@pytest.mark.parametrize("pause_from", [0, 3])
async def test_what_is_graver_than_was_acknowledged_pages_again_and_pauses_promotions(
    pause_from: int,
) -> None:
    world = World()
    process = await opened(world, pause_from=pause_from)
    await act(process, acknowledge)
    await process.work(rounds=2)
    assert triggers(world) == [("robot", 0, 2)]
    world.wait(300)
    say(world, range(20, 60), IN_HOSPITAL)
    await process.work(rounds=3)
    (incident,) = world.incidents
    assert (incident.status, incident.severity, incident.pause_promotions) == ("open", 3, True)
    assert triggers(world) == [("robot", 0, 2), ("robot", 1, 3)]
    page = world.channels["robot"].accepted[-1]
    assert "已确认后恶化" in page.text.summary
    assert any("王" in fact and "2/3" in fact and "6 人" in fact for fact in page.text.facts)
    assert page.mention == ()  # the first step of the policy again


async def test_after_that_the_escalation_restarts_and_a_second_acknowledgement_ends_it() -> None:
    world = World()
    process = await opened(world)
    await act(process, acknowledge)
    say(world, range(20, 60), IN_HOSPITAL)
    await process.work(rounds=3)
    world.wait(61)
    await process.work(rounds=2)
    assert triggers(world)[-2:] == [("robot", 2, 3), ("pager", 2, 3)]
    summary = world.channels["pager"].accepted[-1].text.summary
    assert "已确认后恶化·第1次升级·无人确认" in summary
    await act(process, acknowledge, who="李")
    await process.work(rounds=2)
    world.wait(600)
    await process.work(rounds=2)
    assert world.incidents[0].acknowledged_by == "李"
    words = [page for page in world.channels["robot"].accepted if page.action != "trigger"]
    assert [page.action for page in words] == ["acknowledge"]  # the first one was overtaken
    assert triggers(world)[-1] == ("pager", 2, 3)


async def test_each_round_has_a_key_of_its_own_and_the_end_names_them_all() -> None:
    world = World()
    process = await opened(world)
    await act(process, acknowledge)
    say(world, range(20, 60), IN_HOSPITAL)
    await process.work(rounds=3)
    await act(process, resolve)
    await process.work(rounds=2)
    first, again, over = (
        page for page in world.channels["robot"].accepted if page.action != "acknowledge"
    )
    assert first.dedup_key != again.dedup_key == over.dedup_key
    assert over.earlier_keys == (first.dedup_key,)


@pytest.mark.parametrize(("more", "pages"), [(range(20, 25), 1), (range(20, 26), 2)])
async def test_people_that_multiply_page_again_and_a_few_more_do_not(
    more: range, pages: int
) -> None:
    world = World()
    process = await opened(world)
    await act(process, acknowledge)
    say(world, more, MOULDY)
    await process.work(rounds=3)
    assert len(triggers(world)) == pages
    assert world.incidents[0].severity == 2


async def test_one_person_with_many_comments_is_no_crowd() -> None:
    world = World()
    process = await opened(world)
    await act(process, acknowledge)
    for number in range(40):
        world.say(1, f"{MOULDY} {number}", comment=f"again{number}")
    await process.work(rounds=3)
    assert len(triggers(world)) == 1


async def test_what_came_late_is_told_though_it_is_calm_by_now() -> None:
    world = World()
    process = await opened(world)
    await act(process, acknowledge)
    for person in range(20, 60):
        world.say(person, f"{IN_HOSPITAL} {person}", at=NOON + 60_000 + person)
    world.wait(3600)  # nobody consumed for an hour
    await process.work(rounds=3)
    assert world.incidents[0].status == "open"
    assert triggers(world)[-1] == ("robot", 1, 3)


async def test_promotions_that_were_let_go_pause_again_when_it_gets_worse() -> None:
    world = World()
    process = await opened(world)
    await act(process, resume_promotions)
    assert not world.incidents[0].pause_promotions
    say(world, range(20, 60), IN_HOSPITAL)
    await process.work(rounds=3)
    assert world.incidents[0].pause_promotions


async def test_promotions_pause_when_the_severity_passes_the_threshold_unacknowledged_too() -> None:
    world = World()
    process = await opened(world, pause_from=3)
    assert not world.incidents[0].pause_promotions
    say(world, range(20, 60), IN_HOSPITAL)
    await process.work(rounds=3)
    assert world.incidents[0].pause_promotions
    assert process.events[-1].pause_promotions  # and it is announced
    assert "严重度上升" in world.channels["robot"].accepted[-1].text.summary


async def test_a_killed_process_leaves_the_second_round_to_the_next_one() -> None:
    for step in ("judged", "incident_written", "page_written", "page_called"):
        world = World()
        process = await opened(world)
        await act(process, acknowledge)
        await process.work(rounds=2)
        doomed = world.process(kill_at=step)
        doomed.model._verdict = by_words  # type: ignore[method-assign]  # as above
        world.wait(7)
        say(world, range(20, 60), IN_HOSPITAL)
        await doomed.work(rounds=3)
        world.wait(7)
        other = world.process()
        await other.work(rounds=3)
        assert set(triggers(world)) == {("robot", 0, 2), ("robot", 1, 3)}, step
        escalated = [one for one in world.announced() if one[0] == "IncidentEscalated"]
        assert len(escalated) == 1, step


async def test_an_incident_acknowledged_by_an_older_version_pages_again_too() -> None:
    world = World()
    process = await opened(world)
    await act(process, acknowledge)
    await process.work(rounds=2)
    stored: Any = world.stores["incidents"].documents["wechat:gh_brand"]
    for one in stored["incidents"]:
        for name in ("known", "round", "round_step", "step_why"):
            del one[name]
    say(world, range(20, 60), IN_HOSPITAL)
    await process.work(rounds=3)
    assert triggers(world)[-1] == ("robot", 1, 3)
