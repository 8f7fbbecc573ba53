"""An account whose judgement takes long is judged less often, so that the others get their turn."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.sentiment.incident_world import ACCOUNT, World


@pytest.mark.parametrize(("took_s", "judged_at_once"), [(0.1, 2), (0.5, 1)])
async def test_it_is_judged_again_only_after_four_times_as_long(
    monkeypatch: pytest.MonkeyPatch, took_s: float, judged_at_once: int
) -> None:
    world = World()
    process = world.process()
    read = world.book.negatives
    judged: list[str] = []

    async def read_for_long(*span: Any) -> Any:
        world.wait(took_s)
        return await read(*span)

    async def ring_and_round(person: int) -> int:
        world.say(person, "难吃")
        await process.consume()
        await process.evaluator.round()
        return len(judged)

    monkeypatch.setattr(world.book, "negatives", read_for_long)
    monkeypatch.setattr(process, "evaluated", lambda account, _seconds: judged.append(account))
    assert await ring_and_round(1) == 1
    world.wait(took_s * 4 - 0.2)
    assert await ring_and_round(2) == judged_at_once
    world.wait(0.3)
    await process.evaluator.round()
    assert judged == [ACCOUNT, ACCOUNT]
