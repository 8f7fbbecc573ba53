"""A topic of its own for each test, with a consumer of the product."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.consumed_topic import ConsumedTopic


@pytest.fixture
async def consumed(
    log: str, store: str, database: str, topic_prefix: str, parts_kind: str
) -> AsyncIterator[ConsumedTopic]:
    world = ConsumedTopic(log, store, database, topic_prefix, parts_kind)
    await world.create()
    yield world
    await world.close()
