"""One timer ends every wait in its time, and no earlier."""

from __future__ import annotations

import asyncio
import time

from shared.kafka.deadlines import LOOK_EVERY_S, Deadlines


async def test_a_wait_without_an_end_ends_with_a_timeout() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.05)
    future: asyncio.Future[None] = loop.create_future()
    began = time.monotonic()
    deadlines.watch(future, began)
    assert isinstance(await _failure_of(future), TimeoutError)
    assert time.monotonic() - began >= 0.05


async def test_only_those_whose_time_is_over_are_ended() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.05)
    old, young = loop.create_future(), loop.create_future()
    deadlines.watch(old, time.monotonic() - 60)
    deadlines.watch(young, time.monotonic() + 3_600)
    assert isinstance(await _failure_of(old), TimeoutError)
    assert not young.done()
    young.set_result(1)
    deadlines.stop()


async def test_what_ended_by_itself_is_let_go_and_keeps_its_result() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(3_600)
    done, waiting = loop.create_future(), loop.create_future()
    deadlines.watch(done, time.monotonic())
    deadlines.watch(waiting, time.monotonic())
    done.set_result("acknowledged")
    await asyncio.sleep(LOOK_EVERY_S * 2)
    assert [future for _, future in deadlines._waiting] == [waiting]
    waiting.set_result("acknowledged")
    async with asyncio.timeout(30):
        while deadlines._timer is not None:
            await asyncio.sleep(LOOK_EVERY_S)
    assert done.result() == waiting.result() == "acknowledged"
    assert not deadlines._waiting


async def _failure_of(future: asyncio.Future[None]) -> BaseException | None:
    async with asyncio.timeout(30):
        await asyncio.wait({future})
    return future.exception()
