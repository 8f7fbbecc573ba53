"""Which offset of a partition may be committed, while announcements are on their way."""

from __future__ import annotations

import asyncio

from shared.kafka.partition import Partition


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def test_a_batch_that_is_through_early_waits_for_those_before_it() -> None:
    first, second, third = _future(), _future(), _future()
    partition = Partition(0)
    partition.in_flight.extend([(10, first), (20, second), (30, third)])
    assert partition.advance() == -1
    second.set_result(None)
    assert partition.advance() == -1
    first.set_result(None)
    assert partition.advance() == 20
    third.set_result(None)
    assert partition.advance() == 30


async def test_what_was_cancelled_or_failed_is_never_committed_nor_what_comes_after_it() -> None:
    failed, cancelled, after = _future(), _future(), _future()
    failed.set_exception(RuntimeError("a bug"))
    cancelled.cancel()
    after.set_result(None)
    for broken in (failed, cancelled):
        partition = Partition(0)
        partition.in_flight.extend([(10, broken), (20, after)])
        assert partition.advance() == -1
