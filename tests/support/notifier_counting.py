"""Counts what a world asks of its store: one for each round trip that a real store would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from shared.store.mongo import READ_AT_ONCE
from tests.support.notifier_world import World

_QUERIES = {
    "due": 2,  # one for each part of the queue
    "unqueued": 2,
    "first_look": 2,
}


def count_round_trips(world: World) -> Counter[str]:
    """Begin to count; the counter names collection and operation."""
    counted: Counter[str] = Counter()
    for name, store in world.stores.items():
        _count(store, "read", lambda ids, name=name: _reads(counted, name, ids))
        _count(store, "write", lambda _, name=name: counted.update([f"{name} write"]))
    for query in (*_QUERIES, "calling", "of_attempt", "waiting_for_fans", "held_for"):
        times = _QUERIES.get(query, 1)
        _count(world.queries, query, lambda *_, q=query, n=times: counted.update([f"find {q}"] * n))
    _count(world.campaign_queries, "with_audience", lambda _: counted.update(["find campaigns"]))
    _count(world.leases, "acquire", lambda *_: counted.update(["lease"]))
    return counted


def _reads(counted: Counter[str], name: str, ids: Sequence[str]) -> None:
    counted[f"{name} read"] += -(-len(ids) // READ_AT_ONCE)


def _count(owner: Any, method: str, note: Callable[..., object]) -> None:
    inner = getattr(owner, method)

    async def counting(*args: Any, **more: Any) -> Any:
        note(*args)
        return await inner(*args, **more)

    setattr(owner, method, counting)
