"""What stands against a push: named, dated where anybody can know, and lifted when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from services.notifier.domain.campaigns import Repeat
from services.notifier.domain.periods import QuietHours
from services.notifier.domain.pushes import PushState
from shared.events import (
    FanUnfollowed,
    IncidentOpened,
    IncidentResolved,
    TagRemoved,
)
from shared.platforms.outcomes import Reaction, Reason, Refused
from tests.component.notifier.test_single_pushes_survive_crashes import followed, wrote
from tests.support.notifier_world import ACCOUNT, HOUR, NOON, World

NIGHT = NOON + 11 * HOUR
"""23:00 in Shanghai."""
QUIET = QuietHours(22 * 60, 8 * 60)


async def follow(world: World, openid: str = "f1", *tags: str) -> None:
    at = world.platform.act(openid, "subscribe")
    await world.deliver(world.fan_events, followed(openid, at))
    await world.tag(openid, *(tags or ("new",)), at=at)


async def write(world: World, openid: str = "f1", text: str = "hi") -> None:
    at = world.platform.act(openid, "message")
    await world.deliver(world.fan_events, wrote(openid, at, text))


def incident(kind: type[Any], world: World, number: int, *, pause: bool) -> Any:
    return kind(
        occurred_at=world.clock.wall,
        platform="wechat",
        account="brand",
        incident="i1",
        subject="food_safety",
        severity=3,
        number=number,
        pause_promotions=pause,
    )


async def test_a_push_waits_for_the_fact_that_caused_it_and_goes_when_it_arrives() -> None:
    world = World()
    await world.campaign()
    at = world.platform.act("f1", "subscribe")
    await world.tag("f1", "new", at=at)
    await world.run()
    assert world.row("f1").reason == "waiting_for_facts"
    await world.deliver(world.fan_events, followed("f1", at))
    await world.run()
    assert world.row("f1").state is PushState.SENT
    world.check_books()


async def test_facts_older_than_the_cause_do_not_decide() -> None:
    world = World()
    await world.campaign()
    await world.deliver(
        world.fan_events,
        FanUnfollowed(
            occurred_at=world.clock.wall - 60_000,
            platform="wechat",
            account="brand",
            fan="f1",
            authenticated_by="wechat_safe",
        ),
    )
    at = world.platform.act("f1", "subscribe")
    await world.tag("f1", "new", at=at)
    await world.run()
    assert world.row("f1").reason == "waiting_for_facts"
    await world.deliver(world.fan_events, followed("f1", at))
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_without_a_window_a_push_waits_and_the_fans_next_act_frees_it_at_once() -> None:
    world = World()
    await world.campaign()
    await follow(world, "f1", "old")
    world.clock.advance(2 * 60_000)
    await world.tag("f1", "old", "new", at=world.clock.wall - 2 * 60_000)
    await world.run()
    assert world.row("f1").reason == "window_closed"
    world.clock.advance(1_000)
    await write(world)
    await world.run()
    assert world.row("f1").state is PushState.SENT
    world.check_books()


async def test_an_act_that_arrives_while_its_push_is_being_held_is_not_missed() -> None:
    world = World()
    await world.campaign()
    await follow(world, "f1", "old")
    world.clock.advance(2 * 60_000)
    await world.tag("f1", "old", "new", at=world.clock.wall - 2 * 60_000)
    rows = world.books.rows
    change = rows.change

    async def acting(ids: Any, decide: Any, **more: Any) -> Any:
        rows.change = change  # type: ignore[method-assign] # once
        await write(world)  # finds no held row yet
        return await change(ids, decide, **more)

    rows.change = acting  # type: ignore[method-assign] # the moment before the hold
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_the_sixth_message_of_a_window_is_held_until_the_fan_acts() -> None:
    world = World()
    for number in range(7):
        await world.campaign(f"c{number}")
    await write(world)
    await world.tag("f1", "new")
    await world.deliver(world.fan_events, followed("f1", world.clock.wall - 10 * 60_000))
    await world.run()
    assert len(world.platform.accepted) == 5
    held = [row for row in world.queries.rows() if row.state is PushState.HELD]
    assert {row.reason for row in held} == {"window_spent"}
    world.clock.advance(2_000)
    await write(world)
    await world.run()
    assert len(world.platform.accepted) == 7
    assert not world.platform.over_quota


async def test_a_lost_answer_counts_as_a_message_of_the_window() -> None:
    world = World()
    for number in range(7):
        await world.campaign(f"c{number}")
    await write(world)
    await world.tag("f1", "new")
    await world.deliver(world.fan_events, followed("f1", world.clock.wall - 10 * 60_000))
    world.platform.faults = ["lost_after"] * 3
    for _ in range(3):
        await world.run()
        world.clock.advance(5 * 60_000)
    assert len(world.platform.accepted) == 5
    assert not world.platform.over_quota


async def test_an_opt_out_while_a_call_waits_for_its_turn_is_obeyed() -> None:
    world = World()
    await world.campaign()
    for openid in ("f1", "f2", "f3"):
        await follow(world, openid)
        await write(world, openid)
    rested: list[float] = []

    async def opt_out_meanwhile(seconds: float) -> None:
        if not rested:
            rested.append(seconds)
            for openid in ("f1", "f2", "f3"):
                await write(world, openid, text="退订")

    world.single_sender._rest = opt_out_meanwhile
    await world.run()
    assert rested
    first = [openid for _, openid, _ in world.platform.accepted]
    assert len(first) == 1, "the first call had not to wait"
    dropped = {"f1", "f2", "f3"} - set(first)
    assert {world.row(one).reason for one in dropped} == {"opted_out"}
    assert {world.row(one).state for one in dropped} == {PushState.DROPPED}
    world.check_books()


@pytest.mark.parametrize("word", ["退订", "TD", " td。", "取消订阅"])
async def test_a_fan_who_opted_out_gets_nothing_until_opting_in_again(word: str) -> None:
    world = World()
    await world.campaign()
    await follow(world)
    await write(world, text=word)
    await world.run()
    assert (world.row("f1").state, world.row("f1").reason) == (PushState.DROPPED, "opted_out")
    assert not world.platform.accepted
    world.clock.advance(2_000)
    await write(world, text="订阅")
    await world.campaign("c2", trigger_tag="later")
    await world.tag("f1", "new", "later")
    await world.run()
    assert len(world.platform.accepted) == 1


async def test_a_fan_who_left_is_forgotten_and_gets_nothing() -> None:
    world = World()
    await world.campaign()
    await follow(world)
    await world.deliver(
        world.fan_events,
        FanUnfollowed(
            occurred_at=world.clock.wall,
            platform="wechat",
            account="brand",
            fan="f1",
            authenticated_by="wechat_safe",
        ),
    )
    await world.run()
    assert world.row("f1").reason == "not_following"
    fan = (await world.single_sender._desk.read_fans(["wechat:brand:f1"]))["wechat:brand:f1"]
    assert fan.facts.windows == {}


async def test_a_fan_who_lost_the_tag_meanwhile_gets_nothing() -> None:
    world = World(now=NIGHT, quiet=QUIET)
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    world.numbers["f1"] += 1
    await world.deliver(
        world.tag_changes,
        TagRemoved(
            occurred_at=world.clock.wall,
            platform="wechat",
            account="brand",
            fan="f1",
            tag="new",
            rule_version="v1",
            because="event",
            cause="c",
            tags=(),
            number=world.numbers["f1"],
        ),
    )
    world.clock.advance(9 * HOUR)
    await world.run()
    assert (world.row("f1").state, world.row("f1").reason) == (PushState.DROPPED, "tag_lost")


async def test_quiet_hours_hold_until_their_end_and_then_it_goes() -> None:
    world = World(now=NIGHT, quiet=QUIET)
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    row = world.row("f1")
    assert (row.reason, row.not_before) == ("quiet_hours", NIGHT + 9 * HOUR)
    world.clock.advance(9 * HOUR - 1)
    await world.run()
    assert not world.platform.accepted
    world.clock.advance(1)
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_an_answer_to_a_fresh_act_may_break_the_quiet_hours_if_configured() -> None:
    world = World(now=NIGHT, quiet=QUIET, reply_within=60_000)
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_a_fans_cap_a_day_holds_until_the_next_day() -> None:
    world = World(cap=2)
    for number in range(3):
        await world.campaign(f"c{number}")
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    (held,) = [row for row in world.queries.rows() if row.state is PushState.HELD]
    assert (held.reason, held.not_before) == ("fan_cap", NOON + 12 * HOUR)
    world.clock.advance(12 * HOUR)
    await world.run()
    assert len(world.platform.accepted) == 3


async def test_promotions_pause_while_an_incident_is_open_and_other_pushes_go() -> None:
    world = World()
    await world.campaign("promotion", promotion=True)
    await world.campaign("service", trigger_tag="new")
    await write(world)
    await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
    await world.tag("f1", "new")
    await world.run()
    states = {row.campaign: (row.state, row.reason) for row in world.queries.rows()}
    assert states["promotion"] == (PushState.HELD, "promotions_paused")
    assert states["service"][0] is PushState.SENT
    await world.deliver(world.incidents, incident(IncidentResolved, world, 3, pause=False))
    await world.deliver(world.incidents, incident(IncidentOpened, world, 2, pause=True))
    await world.run()
    assert {row.state for row in world.queries.rows()} == {PushState.SENT}


async def test_a_cancelled_or_expired_campaign_drops_what_is_left() -> None:
    world = World(now=NIGHT, quiet=QUIET)
    await world.campaign("c1", expires=NIGHT + HOUR)
    await world.campaign("c2", cancelled=False)
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    await world.campaign("c2", cancelled=True)
    world.clock.advance(9 * HOUR)
    await world.run()
    reasons = {row.campaign: row.reason for row in world.queries.rows()}
    assert reasons == {"c1": "expired", "c2": "cancelled"}
    assert not world.platform.accepted


async def test_an_account_without_rights_stops_its_channel_says_so_and_tries_again_later() -> None:
    world = World()
    for number in range(5):
        await world.campaign(f"c{number}")
    await write(world)
    answer = world.platform.message
    world.single._answer = lambda *_: Refused(Reason.NOT_AUTHORISED, Reaction.STOP, 48001)
    await world.tag("f1", "new")
    await world.run()
    assert len(world.single.calls) == 1
    assert world.observer.stops == [(ACCOUNT, "wechat_customer_message", "not_authorised")]
    assert {row.state for row in world.queries.rows()} == {PushState.HELD}
    world.single._answer = answer
    world.clock.advance(HOUR + 1)
    await world.run()
    assert len(world.platform.accepted) == 5
    world_rows = world.queries.rows()
    assert {row.state for row in world_rows} == {PushState.SENT}


async def test_a_platform_that_counts_otherwise_is_believed() -> None:
    world = World()
    await world.campaign()
    world.platform.windows = {}
    await world.deliver(world.fan_events, wrote("f1", world.clock.wall))
    await world.tag("f1", "new")
    await world.run()
    assert world.row("f1").reason == "count_spent"
    world.platform.over_quota.clear()
    await world.run()
    world.clock.advance(2 * HOUR)
    await world.run()
    assert len(world.single.calls) == 1
    await write(world)
    await world.run()
    assert world.row("f1").state is PushState.SENT


async def test_a_repeating_campaign_goes_once_a_day_to_each_fan() -> None:
    world = World()
    await world.campaign(repeat=Repeat.DAY)
    for _ in range(3):
        for _ in range(2):
            await write(world)
            await world.tag("f1", "new")
            await world.run()
        world.clock.advance(24 * HOUR)
    assert len(world.platform.accepted) == 3
    assert len({row.occurrence for row in world.queries.rows()}) == 3


async def test_each_change_of_a_push_is_announced_once_with_a_higher_number() -> None:
    world = World(now=NIGHT, quiet=QUIET)
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    await world.run()
    await world.run()
    world.clock.advance(9 * HOUR)
    await world.run()
    held, sent = await world.announced("PushHeld"), await world.announced("PushSent")
    assert len(held) == len(sent) == 1
    assert b'"number":1' in (held[0].value or b"")
    assert b'"number":2' in (sent[0].value or b"")
    assert held[0].key == b"wechat:brand:f1"
