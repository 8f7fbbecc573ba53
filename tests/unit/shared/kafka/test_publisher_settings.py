"""What the producer is told: guarantee 1 rests on it."""

from __future__ import annotations

from shared.kafka.publisher import DEADLINE_S, KafkaPublisher


def test_the_producer_waits_for_all_copies_and_not_for_ever() -> None:
    told = KafkaPublisher("log:9092")._settings
    assert told["acks"] == "all"
    assert not told["enable_idempotence"]  # such a batch would never expire, see ADR 0006
    assert told["request_timeout_ms"] == DEADLINE_S * 1000 < 3_000
