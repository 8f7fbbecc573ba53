"""From a comment to a page that somebody acknowledges, on fakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.sentiment.domain.incidents.changes import acknowledge, resolve, resume_promotions
from services.sentiment.domain.incidents.usual import HOUR_MS
from services.sentiment.domain.paging.page_text import PageMessage
from services.sentiment.domain.paging.pages import Outcome
from shared.errors import TransientError
from shared.events import FanUnfollowed
from shared.kafka.handler import Announcement, Change
from shared.testing.memory_log import record_of
from tests.component.sentiment.incident_world import ACCOUNT, NOON, Process, World

POISONED = "吃完食物中毒了"


def complaints(world: World, people: int = 5) -> None:
    for person in range(people):
        world.say(person, f"{POISONED}，第{person}家店", at=NOON + person * 1000)


async def act(process: Process, decision: Any, *, who: str = "王") -> None:
    """What a button of the page does."""
    incident = process.world.incidents[-1].id

    def decide(_id: str, state: Any) -> Any:
        done = decision(state, incident, who, process.world.now)
        return done and Change(done.state, tuple(Announcement(e, c) for e, c in done.events))

    await process.incidents.change([ACCOUNT], decide)


async def test_enough_people_make_one_incident_one_event_and_one_page() -> None:
    world = World()
    process = world.process()
    complaints(world)
    world.wait(5)
    await process.work(rounds=3)
    assert [one.status for one in world.incidents] == ["open"]
    assert [kind for kind, _ in world.announced()] == ["IncidentOpened"]
    assert len(world.channels["robot"].accepted) == 1
    assert world.channels["pager"].accepted == []
    assert process.latencies == [3.0]  # the third person made it an incident


async def test_the_page_says_what_how_many_against_which_usual_and_where_to_click() -> None:
    world = World()
    complaints(world)
    await world.process().work()
    (page,) = world.channels["robot"].accepted
    assert "食品安全" in page.text.summary
    assert "5 人" in page.text.summary
    assert any("暂无历史数据：按配置的先验判断" in fact for fact in page.text.facts)
    assert len(page.text.samples) == 3
    assert all(POISONED in sample for sample in page.text.samples)
    assert page.text.link.startswith("https://staff.example/i/wechat:gh_brand:food_safety:1")


async def test_the_texts_of_a_batch_are_scored_at_once() -> None:
    world = World()
    process = world.process()
    complaints(world, people=40)
    await process.consume()
    assert process.model.batches == [40]


async def test_a_comment_that_the_model_cannot_score_is_set_aside_alone() -> None:
    world = World()
    complaints(world)
    world.say(99, "崩溃")
    await world.process().work()
    dead = world.publisher.of("fan-events.v1.sentiment.dlq")
    assert len(dead) == 1
    assert world.incidents[0].people == 5


async def test_a_comment_read_twice_is_one_comment() -> None:
    world = World()
    for _ in range(4):
        world.say(1, POISONED, comment="same")
    await world.process().work()
    assert len(world.stores["comments"].documents) == 1
    assert world.incidents == ()


async def test_one_person_with_many_comments_is_no_incident() -> None:
    world = World()
    for number in range(20):
        world.say(1, f"{POISONED}{number}", comment=f"c{number}")
    await world.process().work()
    assert world.incidents == ()


async def test_a_comment_that_comes_while_the_account_is_judged_is_judged_next() -> None:
    world = World()
    complaints(world, people=2)
    process = world.process()
    await process.work()
    assert world.incidents == ()
    bell = world.counters.counts[ACCOUNT]
    world.say(7, POISONED)
    await process.consume()
    await process.evaluator.judge(ACCOUNT, bell)  # judged with the bell as it was before
    state = world.stores["incidents"].documents[ACCOUNT]
    assert state["seen"] == bell < world.counters.counts[ACCOUNT]
    await process.evaluator.round()
    assert len(world.incidents) == 1
    assert world.stores["incidents"].documents[ACCOUNT]["seen"] == world.counters.counts[ACCOUNT]


async def test_an_account_is_judged_without_a_bell_too() -> None:
    world = World()
    first = world.process()
    world.say(50, "很好")
    await first.work()
    complaints(world)
    await first.consume()
    world.counters.counts[ACCOUNT] = 1  # as if the bells had been lost
    world.wait(6)
    await first.evaluator.round()
    assert len(world.incidents) == 1


async def test_it_escalates_until_a_person_acknowledges_and_then_says_so() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    for _ in range(20):
        world.wait(20)
        await process.work()
    steps = [(page.step, page.mention) for page in world.channels["robot"].accepted]
    assert steps == [(0, ()), (1, ("@all",)), (2, ("@all",)), (3, ("@all",))]
    await act(process, acknowledge)
    world.wait(1000)
    await process.work(rounds=2)
    assert [page.action for page in world.channels["pager"].accepted] == [
        "trigger",
        "trigger",
        "trigger",
        "acknowledge",
    ]
    assert {page.dedup_key for page in world.channels["pager"].accepted} == {world.incidents[0].id}
    assert world.channels["robot"].accepted[-1].action == "acknowledge"
    names = [kind for kind, _ in world.announced()]
    assert names == ["IncidentOpened", *["IncidentEscalated"] * 3, "IncidentAcknowledged"]


async def test_a_resolved_incident_lets_promotions_resume_and_tells_the_pagers() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    assert world.incidents[0].pause_promotions
    await act(process, resolve)
    await process.work(rounds=2)
    assert not world.incidents[0].pause_promotions
    assert world.channels["robot"].accepted[-1].action == "resolve"
    assert process.events[-1].number == 1  # the button's own event was told by its route


async def test_promotions_can_resume_before_the_incident_is_over() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    await act(process, resume_promotions)
    (incident,) = world.incidents
    assert (incident.status, incident.pause_promotions, incident.number) == (
        "acknowledged",
        False,
        2,
    )


async def test_an_acknowledged_incident_ends_by_itself_when_it_is_calm() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    await act(process, acknowledge)
    world.wait(45 * 60)
    await process.work(rounds=2)
    assert world.incidents[0].resolution == "no_more_comments"
    assert world.announced()[-1][0] == "IncidentResolved"


@pytest.mark.parametrize("result", ["unavailable", "throttled"])
async def test_a_channel_that_fails_is_called_again_with_the_same_key(result: Any) -> None:
    world = World()
    world.channels["robot"].answers = [Outcome(result, "x"), Outcome(result, "x", 5.0)]
    process = world.process()
    complaints(world)
    await process.work()
    assert world.channels["robot"].accepted == []
    for _ in range(12):
        world.wait(1)
        await process.work()
    assert len(world.channels["robot"].accepted) == 1
    assert len(world.channels["robot"].calls) == 3
    assert len({call.page for call in world.channels["robot"].calls}) == 1
    assert len({call.dedup_key for call in world.channels["robot"].calls}) == 1


async def test_a_channel_is_not_called_again_before_the_time_it_asked_for() -> None:
    world = World()
    world.channels["robot"].answers = [Outcome("throttled", "429", 30.0)]
    process = world.process()
    complaints(world)
    await process.work()
    world.wait(29)
    await process.work()
    assert len(world.channels["robot"].calls) == 1
    world.wait(2)
    await process.work()
    assert len(world.channels["robot"].calls) == 2


async def test_for_how_long_a_page_has_been_due_is_told_until_some_process_got_it_through() -> None:
    world = World()
    world.channels["robot"].answers = [Outcome("unavailable", "x", 20.0)]
    first, second = world.process(), world.process()
    complaints(world)
    await first.work()
    world.wait(10)
    await first.work()
    assert first.oldest_page_s == pytest.approx(10, abs=1)
    world.wait(11)
    await second.work()
    assert len(world.channels["robot"].accepted) == 1
    await first.work()
    assert first.oldest_page_s == 0


async def test_when_every_channel_of_a_step_refuses_the_next_step_is_due_at_once() -> None:
    world = World()
    world.channels["robot"].answers = [Outcome("refused", "93000")]
    process = world.process()
    complaints(world)
    await process.work(rounds=2)
    assert [page.step for page in world.channels["pager"].accepted] == [1]


async def test_a_channel_that_raises_does_not_stop_the_others() -> None:
    world = World()

    async def broken(_message: object) -> Outcome:
        raise ValueError

    world.channels["robot"].send = broken  # type: ignore[method-assign, assignment] # broken on purpose
    process = world.process()
    complaints(world)
    await process.work()
    world.wait(61)
    await process.work()
    assert [page.step for page in world.channels["pager"].accepted] == [1]


async def test_pages_go_out_and_escalate_while_the_log_is_away_and_the_events_follow() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.consume()
    world.publisher.failures = [TransientError("the log is away")] * 1_000
    async with asyncio.timeout(30):  # each would wait for the log, and so for ever
        await process.work()
        assert len(world.channels["robot"].accepted) == 1
        world.wait(61)
        await process.work()
    assert [page.step for page in world.channels["pager"].accepted] == [1]
    world.publisher.failures.clear()
    await process.incidents.stop()
    assert [kind for kind, _ in world.announced()] == ["IncidentOpened", "IncidentEscalated"]


async def test_another_process_does_not_page_until_the_lease_has_run_out() -> None:
    world = World()
    first, second = world.process(), world.process()
    complaints(world)
    await first.consume()
    await first.evaluator.round()
    await second.work()
    assert world.channels["robot"].calls == []
    world.wait(7)
    await second.work()
    assert len(world.channels["robot"].accepted) == 1


async def test_a_channel_gets_the_pages_of_an_incident_one_at_a_time() -> None:
    world = World()
    robot = world.channels["robot"]
    robot.answers = [Outcome("throttled", "429", 61.0)]
    process = world.process()
    complaints(world)
    await process.work()
    world.wait(62)  # now the first page is due again, and so is the next step's
    at_work, most = 0, 0
    accept = robot.send

    async def slow(message: PageMessage) -> Outcome:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        return await accept(message)

    robot.send = slow  # type: ignore[method-assign]  # watched
    await process.work(rounds=3)
    assert most == 1
    assert [page.step for page in robot.accepted] == [0, 1]


async def test_a_row_that_another_process_made_is_left_as_it_is() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    before = world.rows.all()
    assert [row.state for row in before] == ["sent"]
    await process.pager._make_rows([row.wanted for row in before])
    assert world.rows.all() == before


async def test_two_processes_that_judge_at_once_open_one_incident() -> None:
    world = World()
    first, second = world.process(), world.process()
    complaints(world)
    await first.consume()
    bell = world.counters.counts[ACCOUNT]
    await first.evaluator.judge(ACCOUNT, bell)
    await second.evaluator.judge(ACCOUNT, bell)
    await second.incidents.stop()
    assert len(world.incidents) == 1
    assert [kind for kind, _ in world.announced()] == ["IncidentOpened"]


async def test_history_is_folded_once_and_then_the_page_names_it() -> None:
    world = World()
    process = world.process()
    world.say(1, "服务差", at=NOON - 72 * HOUR_MS)
    world.wait(20 * 60)  # pollers are given a quarter of an hour after each hour
    await process.work()
    for _ in range(3):
        await process.historian.round()
    usual = world.stores["usual"].documents[ACCOUNT]
    assert usual["hours"] == 72
    assert usual["folded_upto"] == NOON // HOUR_MS * HOUR_MS
    complaints(world)
    await process.work()
    assert world.incidents[0].reason.source == "hour_of_day"


async def test_a_fan_who_leaves_takes_the_words_along() -> None:
    world = World()
    process = world.process()
    complaints(world)
    await process.work()
    world.wait(5)
    left = FanUnfollowed(
        occurred_at=world.now,
        platform="wechat",
        account="gh_brand",
        fan="openid2",
        authenticated_by="wechat_safe",
    )
    world.consumer.append(record_of(left, "left"))
    await process.consume()
    texts = [one.get("text", "") for one in world.stores["comments"].documents.values()]
    assert sum(1 for text in texts if text) == 4


async def test_words_that_are_found_after_their_author_left_are_not_kept() -> None:
    world = World()
    process = world.process()
    left = FanUnfollowed(
        occurred_at=NOON + 1_500,
        platform="wechat",
        account="gh_brand",
        fan="openid1",
        authenticated_by="wechat_safe",
    )
    world.consumer.append(record_of(left, "left"))
    await process.consume()
    complaints(world, 3)  # the second person's was written half a second before the leaving
    world.say(1, "又来了，还是这么难吃", at=NOON + 9_000, comment="later")
    await process.consume()
    texts = [one.get("text", "") for one in world.stores["comments"].documents.values()]
    assert sorted(text[-4:] for text in texts if text) == ["第0家店", "第2家店", "这么难吃"]


async def test_no_document_holds_the_fans_own_id() -> None:
    world = World()
    complaints(world)
    await world.process().work()
    everything = [
        {name: value for name, value in document.items() if name != "l"}
        for store in world.stores.values()
        for document in store.documents.values()
    ]
    assert "openid" not in repr(everything)
