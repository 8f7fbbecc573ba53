"""Before each call campaign, account and fan are read again; none begins long after a decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from services.notifier.domain import records
from services.notifier.domain.fan import Fan, prefer
from services.notifier.domain.pushes import PushState
from services.notifier.domain.reactions import CallOutcome, Receipt
from services.notifier.loops.last_look import LOOK_LASTS_MS
from services.notifier.loops.single import SingleSender
from shared.errors import TransientError
from shared.events import IncidentOpened
from shared.kafka.handler import Change
from shared.platforms.outcomes import Accepted, Reaction, Reason, Refused
from tests.component.notifier.test_mass_sends_survive_crashes import audience
from tests.component.notifier.test_notifier_staff_api import api_of
from tests.component.notifier.test_pushes_are_held_or_dropped import incident, write
from tests.component.notifier.test_single_pushes_survive_crashes import followed, wrote
from tests.support.notifier_time import PassingTime
from tests.support.notifier_world import ACCOUNT, World

FANS = [f"f{number:03}" for number in range(200)]
RATE = 20.0
ANSWERED_WITHIN_MS = 2_000


class Paced:
    """Many pushes that wait for their turn to be called, at a pace, while time passes.

    Args:
        read_s: how long each read of the store takes.
    """

    def __init__(self, *, read_s: float = 0.0) -> None:
        self.world = World()
        self.time = PassingTime(self.world.clock)
        self.calls: list[int] = []
        self.answered_at = 0
        self.stop_after = 0
        self.read_s = read_s
        self.world.single._answer = self._answer

    async def prepare(self, **campaign: Any) -> None:
        await self.world.campaign(**campaign)
        at = self.world.clock.wall
        for openid in FANS:
            await self.world.deliver(self.world.fan_events, followed(openid, at))
            await self.world.deliver(self.world.fan_events, wrote(openid, at))
        for openid in FANS:
            await self.world.tag(openid, "new", at=at)
        if self.read_s:
            for store in self.world.stores.values():
                self._slow(store, self.read_s)

    async def send_while(self, decide: Callable[[], Awaitable[object]]) -> list[int]:
        """Send until nothing is due, and decide meanwhile.

        Answers how much later than the decision's answer calls began, for those that did.
        """
        world = self.world
        sender = SingleSender(
            world._desk(world.rules),
            world.single,
            rate=RATE,
            rest=self.time.rest,
            new_attempt=iter(f"attempt-{n}" for n in range(10_000)).__next__,
        )

        async def send() -> None:
            while await sender.step(await world._desk(world.rules).read_account()):
                pass

        async def decide_meanwhile() -> None:
            await self.time.rest(3.3)  # some dozen calls into a batch
            await decide()
            self.answered_at = world.clock.mono

        await self.time.until(send(), decide_meanwhile())
        assert self.calls, "nothing was sent before the decision"
        return [at - self.answered_at for at in self.calls if at > self.answered_at]

    def _answer(self, openids: tuple[str, ...], key: str) -> CallOutcome:
        self.calls.append(self.world.clock.mono)
        if self.stop_after and len(self.calls) == self.stop_after:
            return Refused(Reason.NOT_AUTHORISED, Reaction.STOP, 48001)
        return Accepted(Receipt(key), self.world.platform.date)

    def _slow(self, store: Any, seconds: float) -> None:
        read = store.read

        async def reading(ids: Any) -> Any:
            await self.time.rest(seconds)
            return await read(ids)

        store.read = reading


@pytest.mark.parametrize("read_s", [0.0, 0.1, 0.9])
async def test_none_begins_two_seconds_after_cancelling_was_answered(read_s: float) -> None:
    paced = Paced(read_s=read_s)
    await paced.prepare()

    async def cancel() -> None:
        async with api_of(paced.world) as api:
            assert (await api.post("/v1/campaigns/c1/cancel")).json()["cancelled"] is True

    late = await paced.send_while(cancel)
    assert max(late, default=0) <= ANSWERED_WITHIN_MS
    assert read_s or not late, "a store that answers at once is asked right before each call"
    reasons = {row.reason for row in paced.world.queries.rows() if row.state is PushState.DROPPED}
    assert reasons == {"cancelled"}


@pytest.mark.parametrize("read_s", [0.0, 0.1])
async def test_none_begins_two_seconds_after_promotions_were_paused(read_s: float) -> None:
    paced = Paced(read_s=read_s)
    await paced.prepare(promotion=True)
    world = paced.world

    async def pause() -> None:
        await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))

    late = await paced.send_while(pause)
    assert max(late, default=0) <= ANSWERED_WITHIN_MS
    assert read_s or not late
    held = {row.reason for row in world.queries.rows() if row.state is PushState.HELD}
    assert held == {"promotions_paused"}


async def test_none_begins_after_its_fan_opted_out() -> None:
    paced = Paced()
    await paced.prepare()
    world = paced.world

    async def opt_all_out() -> None:
        def opt_out(_key: str, fan: Fan) -> Change[Fan]:
            return Change(replace(fan, facts=prefer(fan.facts, True, world.clock.wall)))

        keys = [f"{ACCOUNT}:{openid}" for openid in FANS]
        await world.write(records.FactDocuments()).change(keys, opt_out)

    assert await paced.send_while(opt_all_out) == []
    dropped = {row.reason for row in paced.world.queries.rows() if row.state is PushState.DROPPED}
    assert dropped == {"opted_out"}


async def test_a_channel_that_the_platform_closed_gets_no_more_calls_of_the_batch() -> None:
    paced = Paced()
    await paced.prepare()
    paced.stop_after = 3

    async def nothing() -> None:
        return None

    await paced.send_while(nothing)
    assert len(paced.calls) <= RATE / 2, "no more than were begun together with it"
    held = {row.reason for row in paced.world.queries.rows() if row.state is PushState.HELD}
    assert held >= {"channel_stopped_not_authorised"}


async def test_a_store_that_is_away_at_the_last_look_means_no_call() -> None:
    world = World()
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    reach = world.observer.step

    def lose_the_store(name: str) -> None:
        reach(name)
        if name == "committed":
            world.stores["fans"].failures.append(TransientError("away"))

    world.observer.step = lose_the_store  # type: ignore[method-assign] # the moment before a look
    await world.loop.step()
    assert not world.single.calls
    world.observer.step = reach  # type: ignore[method-assign] # it is back
    await world.run()
    assert len(world.single.calls) == 1
    world.check_books()


@pytest.mark.parametrize("late_by", [0, 1])
async def test_a_look_whose_answer_comes_late_is_good_for_no_call(late_by: int) -> None:
    world = World()
    await world.campaign()
    await write(world)
    await world.tag("f1", "new")
    desk = world.single_sender._desk
    read_campaigns = desk.read_campaigns

    async def answer_late(campaigns: Any) -> Any:
        found = await read_campaigns(campaigns)
        if world.observer.steps[-1:] == ["committed"]:
            world.clock.advance(LOOK_LASTS_MS + late_by)
        return found

    desk.read_campaigns = answer_late  # type: ignore[method-assign] # a slow store
    await world.loop.step()
    assert len(world.single.calls) == (0 if late_by else 1)
    desk.read_campaigns = read_campaigns  # type: ignore[method-assign] # as before
    world.clock.advance(2_000)
    await world.run()
    assert len(world.single.calls) == 1
    world.check_books()


async def test_what_was_decided_between_commitment_and_first_call_is_obeyed() -> None:
    world = World()
    await world.campaign(promotion=True)
    await write(world)
    await world.tag("f1", "new")
    desk = world.single_sender._desk
    commit = desk.commit

    async def pause_meanwhile(*args: Any, **more: Any) -> Any:
        committed = await commit(*args, **more)
        await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
        return committed

    desk.commit = pause_meanwhile  # type: ignore[method-assign] # the moment after
    await world.run()
    assert not world.platform.accepted
    assert world.row("f1").reason == "promotions_paused"


@pytest.mark.parametrize("what", ["cancel", "pause", "opt_out"])
async def test_a_wave_is_looked_at_again_right_before_it_becomes_real(what: str) -> None:
    world = World()
    await audience(world, "f1", "f2", "f3")
    await world.campaign("m1", channel="wechat_mass_send", audience_tag="vip", promotion=True)
    await world.planner.step()
    desk = world.mass_sender._desk
    commit = desk.commit

    async def decide_meanwhile(*args: Any, **more: Any) -> Any:
        committed = await commit(*args, **more)
        match what:
            case "cancel":
                async with api_of(world) as api:
                    await api.post("/v1/campaigns/m1/cancel")
            case "pause":
                await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
            case _:
                world.clock.advance(1_000)
                await write(world, "f2", text="退订")
        return committed

    desk.commit = decide_meanwhile  # type: ignore[method-assign] # the moment after
    await world.run()
    named = {openid for openids, _ in world.mass.calls for openid in openids}
    assert named == ({"f1", "f3"} if what == "opt_out" else set())
    world.check_books()


async def test_a_repeated_wave_is_not_called_when_a_pause_came_while_its_fans_were_read() -> None:
    world = World()
    await audience(world, "f1", "f2")
    await world.campaign("m1", channel="wechat_mass_send", audience_tag="vip", promotion=True)
    world.platform.faults = ["lost_before"]
    await world.run()
    assert len(world.mass.calls) == 1
    waves = world.mass_sender._waves
    who = waves._who_still_may

    async def pause_meanwhile(*args: Any, **more: Any) -> Any:
        found = await who(*args, **more)
        await world.deliver(world.incidents, incident(IncidentOpened, world, 1, pause=True))
        return found

    waves._who_still_may = pause_meanwhile  # type: ignore[method-assign] # once the fans are read
    world.clock.advance(62_000)
    world.mass.date = world.platform.now
    await world.loop.step()
    assert len(world.mass.calls) == 1


async def test_a_wave_is_not_called_when_the_store_took_long_to_make_it_real() -> None:
    world = World()
    await audience(world, "f1", "f2", "f3")
    await world.campaign("m1", channel="wechat_mass_send", audience_tag="vip")
    await world.planner.step()
    opened = world.mass_sender._open

    async def slowly(*args: Any) -> Any:
        wave = await opened(*args)
        async with api_of(world) as api:
            await api.post("/v1/campaigns/m1/cancel")
        world.clock.advance(ANSWERED_WITHIN_MS + 1)
        return wave

    world.mass_sender._open = slowly  # type: ignore[method-assign, assignment] # a slow store
    await world.loop.step()
    world.mass_sender._open = opened  # type: ignore[method-assign]
    world.mass.date = world.platform.now
    for _ in range(4):
        world.clock.advance(62_000)
        await world.run()
    assert world.mass.calls == []
    assert {(row.state, row.reason) for row in world.queries.rows()} == {
        (PushState.DROPPED, "cancelled")
    }
    world.check_books()
