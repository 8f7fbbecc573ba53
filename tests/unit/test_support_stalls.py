"""A wait is shortened by the stalls of this process at its ends, and by no other."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.stalls import TICK_S, Stalls

STALL_S = 0.4


@pytest.mark.parametrize(
    ("began", "ended", "excused_s"),
    [
        pytest.param(7.0, 12.01, 2.0, id="the answer came in the stall"),
        pytest.param(11.0, 15.0, 1.0, id="the question could not be sent"),
        pytest.param(10.5, 11.5, 1.0, id="nothing but the stall"),
        pytest.param(7.0, 15.0, 0.0, id="the other side's time went on"),
        pytest.param(7.0, 9.0, 0.0, id="before it"),
        pytest.param(13.0, 15.0, 0.0, id="after it"),
    ],
)
def test_only_stalls_at_the_ends_of_a_wait_are_excused(
    began: float, ended: float, excused_s: float
) -> None:
    stalls = Stalls()
    stalls.noted, stalls.due = [(10.0, 12.0)], 20.0
    assert stalls.excused_s(began, ended) == pytest.approx(excused_s)


def test_a_stall_that_the_ticker_has_not_noted_yet_counts() -> None:
    stalls = Stalls()
    stalls.due = 10.0
    assert stalls.excused_s(7.0, 12.0) == pytest.approx(2.0)


async def test_a_real_stall_is_noted() -> None:
    async with Stalls() as stalls:
        began = time.monotonic()
        await asyncio.sleep(4 * TICK_S)
        time.sleep(STALL_S)  # noqa: ASYNC251 - the stall
        ended = time.monotonic()
        at_once = stalls.excused_s(began, ended)
        await asyncio.sleep(4 * TICK_S)
        assert STALL_S - TICK_S <= at_once <= ended - began
        assert STALL_S - TICK_S <= stalls.excused_s(began, ended) <= ended - began
