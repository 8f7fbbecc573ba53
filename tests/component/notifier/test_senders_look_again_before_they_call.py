"""Between a decision and its call the world goes on: what came in meanwhile counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.notifier.domain import records
from services.notifier.domain.account import Slot
from services.notifier.domain.pushes import PushState
from services.notifier.loops.mass import SLOT_TAKEN
from shared.errors import TransientError
from shared.events import IncidentOpened, IncidentResolved
from shared.kafka.handler import Change
from tests.component.notifier.test_mass_sends_survive_crashes import audience
from tests.component.notifier.test_pushes_are_held_or_dropped import (
    NIGHT,
    QUIET,
    follow,
    incident,
    write,
)
from tests.support.notifier_world import ACCOUNT, HOUR, Crash, World


def before_the_wave_is_real(world: World, happens: Any) -> None:
    """Have something happen once, after the rows are marked and before the account is asked."""
    accounts = world.books.accounts
    change = accounts.change

    async def late(ids: Any, decide: Any, **more: Any) -> Any:
        if world.observer.steps[-1:] == ["wave_marked"]:
            accounts.change = change  # type: ignore[method-assign] # once
            await happens()
        return await change(ids, decide, **more)

    accounts.change = late  # type: ignore[method-assign] # the moment before the slot is taken


async def promote(world: World) -> None:
    await audience(world, "f1", "f2", "f3")
    await world.campaign("m1", channel="wechat_mass_send", audience_tag="vip", promotion=True)
    await world.planner.step()


async def test_an_incident_that_opens_while_a_wave_is_gathered_stops_it() -> None:
    world = World()
    await promote(world)

    async def opens() -> None:
        await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))

    before_the_wave_is_real(world, opens)
    await world.run()
    assert world.mass.calls == []
    assert set(world.states().values()) == {PushState.HELD}
    assert {row.reason for row in world.queries.rows()} == {"promotions_paused"}
    await world.deliver(world.incidents, incident(IncidentResolved, world, 2, pause=False))
    await world.run()
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def test_a_wave_that_is_refused_on_fresh_state_leaves_no_debit_behind() -> None:
    world = World()
    await promote(world)

    async def opens() -> None:
        await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))

    before_the_wave_is_real(world, opens)
    await world.run()
    fans = await world.single_sender._desk.read_fans(f"{ACCOUNT}:f{n}" for n in (1, 2, 3))
    assert [fan.ledger.debits for fan in fans.values()] == [(), (), ()]


async def test_a_slot_that_is_taken_while_a_wave_is_gathered_is_not_taken_twice() -> None:
    world = World(subscription=True)
    await promote(world)

    async def another_sends() -> None:
        slot = Slot("by-hand", world.clock.wall, world.clock.wall)
        writer = world.write(records.SendingDocuments())
        await writer.change([ACCOUNT], lambda _id, known: Change(replace(known, slots=(slot,))))

    before_the_wave_is_real(world, another_sends)
    await world.run()
    assert world.mass.calls == []
    assert {row.reason for row in world.queries.rows()} == {SLOT_TAKEN}


async def test_a_store_that_cannot_be_asked_right_before_a_call_means_no_call() -> None:
    world = World()
    await world.campaign()
    for openid in ("f1", "f2", "f3"):
        await follow(world, openid)
        await write(world, openid)
    fans = world.stores[records.FANS]
    read = fans.read

    async def away(_ids: Any) -> Any:
        raise TransientError("away")

    async def goes_away(_seconds: float) -> None:
        fans.read = away  # type: ignore[assignment, method-assign] # while the calls wait for their turn

    world.single_sender._rest = goes_away
    with pytest.raises(TransientError):
        await world.run()
    assert len(world.platform.accepted) == 1, "only the first call had not to wait"
    fans.read = read  # type: ignore[method-assign] # as before
    world.single_sender._rest = no_wait
    for _ in range(3):
        world.clock.advance(2_000)
        await world.run()
    assert len(world.platform.accepted) == 3
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def no_wait(_seconds: float) -> None:
    """As the world itself."""


async def test_a_push_to_an_audience_keeps_the_quiet_hours_also_after_a_fans_act() -> None:
    world = World(now=NIGHT, quiet=QUIET, reply_within=60_000)
    await world.campaign("answer")
    await world.campaign("audience", audience_tag="new")
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    rows = {row.campaign: (row.state, row.reason) for row in world.queries.rows()}
    assert rows == {
        "answer": (PushState.SENT, ""),
        "audience": (PushState.HELD, "quiet_hours"),
    }


@pytest.mark.parametrize("late_by", [0, 1])
async def test_an_answer_may_break_the_quiet_hours_up_to_its_last_millisecond(late_by: int) -> None:
    world = World(now=NIGHT, quiet=QUIET, reply_within=60_000)
    await world.campaign()
    await write(world)
    acted = world.clock.wall // 1000 * 1000
    await world.tag("f1", "new")
    world.clock.advance(acted + 60_000 + late_by - world.clock.wall)
    await world.run()
    assert world.row("f1").state is (PushState.HELD if late_by else PushState.SENT)


async def test_a_refusal_is_noted_in_the_row_before_it_is_credited() -> None:
    """Credited first and crashed, a row would end as unknown that nothing is charged for."""
    places = 0
    while True:
        world = World()
        await world.campaign()
        for openid in ("f1", "f2"):
            await follow(world, openid)
        world.platform.faults = ["refused_busy"] * 2
        world.fuse.left = places + 1
        try:
            await world.loop.step()
        except Crash:
            places += 1
        else:
            break
        world.restart()
        world.clock.advance(31_000)
        await world.loop.step()
        desk = world.single_sender._desk
        for row in world.queries.rows():
            if row.state in {PushState.SENT, PushState.UNKNOWN, PushState.CALLING}:
                fan = (await desk.read_fans([row.fan]))[row.fan]
                assert fan.ledger.debit_of(row.id) is not None, row.state
    assert places > 10, "the crash points were not reached"


async def test_a_page_of_an_audience_moves_only_the_cursor_that_it_was_read_at() -> None:
    world = World()
    await audience(world, *(f"f{n}" for n in range(4)))
    campaign = await world.campaign("m1", channel="wechat_mass_send", audience_tag="vip")
    planner, with_tag = world.planner, world.planner._fans.with_tag

    async def overtaken(*args: Any) -> Any:
        planner._fans.with_tag = with_tag  # type: ignore[method-assign] # once
        found = await with_tag(*args)
        await planner.step()  # another process plans the same page, and is done
        assert (await plan_of(world)).done
        return found[:1]

    planner._fans.with_tag = overtaken  # type: ignore[assignment, method-assign] # a slow page
    await planner.step()
    assert campaign.plan.cursor == ""
    assert (await plan_of(world)).cursor == f"{ACCOUNT}:f3"


async def plan_of(world: World) -> Any:
    (found,) = await world.campaign_queries.page("", 10)
    return found.plan


async def test_held_for_want_of_a_window_it_is_looked_at_again_after_an_hour() -> None:
    world = World()
    await world.campaign()
    await follow(world, "f1", "old")
    world.clock.advance(2 * 60_000)
    await world.tag("f1", "old", "new", at=world.clock.wall - 2 * 60_000)
    await world.run()
    row = world.row("f1")
    assert (row.reason, row.look_at - world.clock.wall) == ("window_closed", HOUR)
