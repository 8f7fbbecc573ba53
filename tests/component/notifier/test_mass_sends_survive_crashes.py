"""Mass sends: waves of at least two, one key each, repeated until known; nobody gets one twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.notifier.domain.pushes import PushState
from services.notifier.loops.mass import ALONE, SLOT_TAKEN
from shared.events import MassSendFinished
from tests.component.notifier.test_single_pushes_survive_crashes import followed
from tests.support.notifier_world import ACCOUNT, HOUR, NOON, Crash, World

DAY = 24 * HOUR


async def audience(world: World, *openids: str, tag: str = "vip") -> None:
    for openid in openids:
        at = world.platform.act(openid, "subscribe")
        await world.deliver(world.fan_events, followed(openid, at))
        await world.tag(openid, tag, at=at)


async def mass_campaign(world: World, name: str = "m1", tag: str = "vip") -> None:
    await world.campaign(name, channel="wechat_mass_send", audience_tag=tag)


async def test_a_campaign_to_a_tag_goes_out_as_one_wave_that_names_each_fan_once() -> None:
    world = World()
    await audience(world, "f1", "f2", "f3")
    await mass_campaign(world)
    await world.run()
    assert [openids for openids, _ in world.mass.calls] == [("f1", "f2", "f3")]
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def test_an_accepted_wave_announces_its_article_with_the_number_of_fans() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.run()
    found = await world.announced("MassSendAccepted")
    assert len(found) == 1
    (_, key), *_ = world.mass.calls
    value = found[0].value or b""
    assert f'"article":"a{key}"'.encode() in value
    assert b'"fans":2' in value
    assert found[0].key == ACCOUNT.encode()


async def test_a_crash_anywhere_repeats_the_wave_with_its_key_and_ends_as_sent() -> None:
    places = 0
    while True:
        world = World()
        await audience(world, "f1", "f2", "f3")
        await mass_campaign(world)
        world.fuse.left = places + 1
        try:
            await world.run()
        except Crash:
            places += 1
        else:
            break
        world.restart()
        for _ in range(3):
            world.clock.advance(61_000)
            await world.run()
        world.check_books()
        assert set(world.states().values()) == {PushState.SENT}
        assert len(world.platform.waves) == 1
        account = await world.single_sender._desk.read_account()
        assert account.wave is None
    assert places > 20, "the crash points were not reached"


@pytest.mark.parametrize("faults", [["lost_after"], ["lost_before"], ["lost_before", "lost_after"]])
async def test_a_lost_answer_is_asked_again_with_the_same_key(faults: list[str]) -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    world.platform.faults = list(faults)
    await world.run()
    assert set(world.states().values()) == {PushState.CALLING}
    for _ in range(4):
        world.clock.advance(3 * 60_000)
        await world.run()
    assert len({key for _, key in world.mass.calls}) == 1
    assert len(world.mass.calls) == len(faults) + 1
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def test_a_wave_unknown_for_as_long_as_its_key_is_checked_ends_as_unknown() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    world.platform.faults = ["lost_after", *["lost_before"] * 500]
    await world.run()
    for _ in range(24):
        world.clock.advance(HOUR)
        await world.run()
    assert set(world.states().values()) == {PushState.UNKNOWN}
    last = max(at for at, _, _ in world.platform.accepted)
    assert world.clock.wall - last >= 23 * HOUR
    world.check_books()


async def test_a_refused_wave_gives_everything_back_and_goes_again_under_another_key() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    world.platform.faults = ["refused_busy"]
    await world.run()
    fans = await world.single_sender._desk.read_fans(["wechat:brand:f1"])
    assert fans["wechat:brand:f1"].ledger.debits == ()
    world.clock.advance(6_000)
    await world.run()
    assert len({key for _, key in world.mass.calls}) == 2
    assert set(world.states().values()) == {PushState.SENT}
    world.check_books()


async def test_a_refusal_of_a_repeated_call_says_nothing_about_the_first() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    world.platform.faults = ["lost_before", "refused_busy"]
    await world.run()
    world.clock.advance(61_000)
    await world.run()
    assert set(world.states().values()) == {PushState.CALLING}
    world.clock.advance(10 * 60_000)
    await world.run()
    assert len({key for _, key in world.mass.calls}) == 1
    assert set(world.states().values()) == {PushState.SENT}


async def test_a_single_fan_waits_for_a_second_and_then_both_go() -> None:
    world = World()
    await world.campaign(channel="wechat_mass_send")
    await audience(world, "f1", tag="new")
    await world.run()
    assert world.row("f1").reason == ALONE
    fans = await world.single_sender._desk.read_fans(["wechat:brand:f1"])
    assert fans["wechat:brand:f1"].ledger.debits == ()
    world.clock.advance(7_000)
    await audience(world, "f2", tag="new")
    await world.run()
    assert [openids for openids, _ in world.mass.calls] == [("f1", "f2")]
    world.check_books()


async def test_a_subscription_account_sends_once_a_day_and_the_rest_waits_for_the_next() -> None:
    world = World(subscription=True)
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.run()
    await mass_campaign(world, "m2")
    await world.run()
    second = [row for row in world.queries.rows() if row.campaign == "m2"]
    assert {row.reason for row in second} == {SLOT_TAKEN}
    assert len(world.platform.waves) == 1
    for _ in range(30):
        world.clock.advance(HOUR)
        world.mass.date = world.platform.now
        await world.run()
    assert len(world.platform.waves) == 2
    assert not world.platform.over_quota


async def test_a_fan_of_a_service_account_gets_four_mass_sends_a_month_and_no_fifth() -> None:
    world = World()
    await audience(world, "f1", "f2")
    for number in range(6):
        await mass_campaign(world, f"m{number}")
    await world.run()
    assert len(world.platform.waves) == 4
    assert not world.platform.over_quota
    held = [row for row in world.queries.rows() if row.state is PushState.HELD]
    assert {row.reason for row in held} == {"month_spent"}
    for _ in range(40):
        world.clock.advance(DAY)
        world.mass.date = world.platform.now
        await world.run()
    assert len(world.platform.waves) == 6
    assert not world.platform.over_quota


async def test_mass_sends_wait_while_the_platforms_clock_is_not_sure() -> None:
    world = World(now=NOON + 12 * HOUR - 60_000)
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.run()
    assert {row.reason for row in world.queries.rows()} == {"clock_unsure"}
    assert world.mass.asked
    world.clock.advance(4 * 60_000)
    world.mass.date = world.platform.now
    await world.run()
    assert set(world.states().values()) == {PushState.SENT}


async def test_without_any_answer_of_the_platform_no_mass_send_goes() -> None:
    world = World()
    world.mass.date = None
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.run()
    assert {row.reason for row in world.queries.rows()} == {"clock_unsure"}
    world.mass.date = world.platform.now
    world.clock.advance(1_000)
    await world.run()
    assert set(world.states().values()) == {PushState.SENT}


async def test_an_older_holder_who_wakes_can_make_no_wave_real() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await mass_campaign(world)
    await world.planner.step()
    await world.loop.step()  # a first tenure that has done all of it
    old_sender, old_account = world.mass_sender, await world.mass_sender._desk.read_account()
    await audience(world, "f3", "f4", tag="late")
    world.restart()
    world.clock.advance(31_000)
    await world.run()
    await mass_campaign(world, "m2", tag="late")
    await world.planner.step()
    await old_sender.step(replace(old_account, wave=None))
    assert len(world.platform.waves) == 1
    world.clock.advance(6 * 60_000)
    world.mass.date = world.platform.now
    for _ in range(3):
        await world.run()
        world.clock.advance(61_000)
        world.mass.date = world.platform.now
    assert len(world.platform.waves) == 2
    world.check_books()


async def test_the_platforms_counts_are_kept_beside_the_mass_send() -> None:
    world = World()
    event = MassSendFinished(
        occurred_at=world.clock.wall,
        platform="wechat",
        account="brand",
        authenticated_by="wechat_safe",
        message_id="w1",
        status="send success",
        total=2,
        filtered=2,
        sent=1,
        errors=1,
    )
    await world.deliver(world.fan_events, event)
    await world.deliver(world.fan_events, event)
    found = (await world.single_sender._desk.read_fans([ACCOUNT]))[ACCOUNT]
    assert [(job.message_id, job.sent, job.errors) for job in found.facts.jobs] == [("w1", 1, 1)]
