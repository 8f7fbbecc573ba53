"""A robot that takes twenty messages a minute: a new grave page passes forty acknowledgements."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.sentiment.channels.wecom_robot import WECOM_ROBOT, WecomRobot, WecomRobotConfig
from services.sentiment.domain.documents import dump_incidents
from services.sentiment.domain.incidents.changes import acknowledge, resolve
from services.sentiment.domain.incidents.incident import AccountIncidents
from services.sentiment.domain.paging.escalation import Policy, Step
from shared.kafka.handler import Announcement, Change
from tests.component.sentiment.incident_world import ACCOUNT
from tests.component.sentiment.timed_world import Running, TimedWorld, seconds, until
from tests.support.virtual_time import run
from tests.unit.sentiment.incidents.builders import incident

MANY = 40
POLICY = Policy((Step(0.0, ("robot",)), Step(100_000.0, ("robot",))))


class Robot:
    """WeCom's side: twenty in any minute, the rest is refused with 45009 and lost."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, str]] = []
        self._minute: deque[float] = deque()

    def answer(self, request: httpx.Request) -> httpx.Response:
        now = seconds()
        while self._minute and now - self._minute[0] >= 60:
            self._minute.popleft()
        if len(self._minute) >= 20:
            return httpx.Response(200, json={"errcode": 45009, "errmsg": "api freq out of limit"})
        self._minute.append(now)
        body = json.loads(request.content)
        self.messages.append((now, body[body["msgtype"]]["content"]))
        return httpx.Response(200, json={"errcode": 0, "errmsg": "ok"})


class RobotWorld(TimedWorld):
    """With a robot, and with many incidents that are open and were paged long ago."""

    def __init__(self) -> None:
        super().__init__()
        self.robot = Robot()
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.robot.answer))
        config = WecomRobotConfig(key=SecretStr("k"))
        robot: Any = WecomRobot(config, client, clock=seconds)
        self.channels = {**self.channels, "robot": robot}
        many = tuple(
            incident(id=f"{ACCOUNT}:price:{number}", subject="price", severity=1, samples=())
            for number in range(MANY)
        )
        state = AccountIncidents(seen=0, ordinal=MANY, incidents=many)
        self.stores["incidents"].documents[ACCOUNT] = {
            "_id": ACCOUNT,
            "v": 1,
            "l": {},
            **dump_incidents(state),
        }
        self.limits = {"robot": WECOM_ROBOT.limits(config)}

    async def change(self, process: Running, number: int, decision: Any) -> None:
        def decide(_id: str, state: Any) -> Any:
            done = decision(state, f"{ACCOUNT}:price:{number}", "王", self.now)
            return done and Change(done.state, tuple(Announcement(e, c) for e, c in done.events))

        await process.process.incidents.change([ACCOUNT], decide, announced=False)
        process.process.pager.wake()


async def paged_in_rest(world: RobotWorld) -> Running:
    """A process that paged the many incidents, and minutes went by."""
    await world.counters.raise_by({ACCOUNT: 1})
    process = Running(world, POLICY)
    await asyncio.sleep(600)
    assert len(world.robot.messages) == MANY
    return process


def grave_page(world: RobotWorld) -> float | None:
    return next((at for at, text in world.robot.messages if "食品安全" in text), None)


@pytest.mark.parametrize("decision", [acknowledge, resolve])
def test_forty_acknowledgements_do_not_hold_a_new_grave_page(decision: Any) -> None:
    async def scenario() -> tuple[float, int]:
        world = RobotWorld()
        process = await paged_in_rest(world)
        for number in range(MANY):
            await world.change(process, number, decision)
        began = seconds()
        for person in range(5):
            world.say(person, f"食物中毒了{person}")
        await process.consume()
        await until(lambda: grave_page(world))
        at = grave_page(world)
        assert at is not None
        await asyncio.sleep(120)
        told = sum(
            text.count("已确认】") + text.count("已结束】")
            for _, text in world.robot.messages[MANY:]
        )
        await process.end()
        return at - began, told

    waited, told = run(scenario())
    assert waited <= 5
    assert told == MANY  # folded, but each is told


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    clicks=st.lists(
        st.tuples(st.floats(0, 90), st.integers(0, MANY - 1), st.sampled_from("ar")), max_size=120
    ),
    at_s=st.floats(0, 100),
)
def test_whatever_staff_click_a_new_grave_page_leaves_within_five_seconds(
    clicks: list[tuple[float, int, str]], at_s: float
) -> None:
    async def scenario() -> float:
        world = RobotWorld()
        process = await paged_in_rest(world)
        began = seconds()

        async def click(after_s: float, number: int, kind: str) -> None:
            await asyncio.sleep(after_s)
            await world.change(process, number, acknowledge if kind == "a" else resolve)

        clicking = [asyncio.create_task(click(*one)) for one in clicks]
        await asyncio.sleep(at_s)
        for person in range(5):
            world.say(person, f"食物中毒了{person}")
        await process.consume()
        await until(lambda: grave_page(world))
        await asyncio.gather(*clicking)
        await process.end()
        return (grave_page(world) or 1e9) - began - at_s

    assert run(scenario()) <= 5


def test_word_of_an_acknowledgement_that_the_end_overtook_is_not_told() -> None:
    async def scenario() -> list[str]:
        world = RobotWorld()
        process = await paged_in_rest(world)
        await world.change(process, 0, acknowledge)
        await asyncio.sleep(1)
        await world.change(process, 1, acknowledge)
        await asyncio.sleep(1)
        await world.change(process, 1, resolve)
        await asyncio.sleep(60)
        await process.end()
        return [text for _, text in world.robot.messages[MANY:]]

    first, second = run(scenario())
    assert "已确认" in first
    assert "已结束" in second
    assert "已确认" not in second
