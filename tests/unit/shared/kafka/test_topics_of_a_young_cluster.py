"""Creating topics on a cluster that is still starting is tried again, not given up."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.errors import TransientError
from shared.kafka.topics import create_topics


async def test_a_cluster_without_a_controller_is_a_passing_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def connected(_self: Any) -> None: ...

    async def without_controller(_self: Any, _topics: Any) -> None:
        raise AttributeError("'NoneType' object has no attribute 'nodeId'")

    monkeypatch.setattr(AIOKafkaAdminClient, "start", connected)
    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", without_controller)
    monkeypatch.setattr(AIOKafkaAdminClient, "close", connected)
    with pytest.raises(TransientError, match="FAN_CREATE_TOPICS=false"):
        await create_topics("127.0.0.1:1")
