"""Segmenter events a second: against bare aiokafka, and with a store against one update each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bench.events import stream
from bench.figures import Figure, Run, compared
from bench.parts import RealParts, worker
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import create_topics
from shared.testing.memory_log import record_of

EVENTS = 200_000
STORED_EVENTS = 100_000
NAIVE_EVENTS = 1_500
PREFIX = "bench."
TOPIC = f"{PREFIX}fan-events.v1"
PRODUCE_AT_ONCE = 5_000


def segmenting(parts: RealParts, runs: int, tell: Callable[[str], None]) -> list[Figure]:
    """Both comparisons; programs and floors take turns."""
    tell(f"segmenter: producing {EVENTS} events")
    asyncio.run(_produce(parts.bootstrap_servers))
    log, store = parts.bootstrap_servers, parts.mongodb_url
    ours, floors, stored, naive = [], [], [], []
    for number in range(runs):
        tell(f"segmenter: round {number + 1} of {runs}")
        run = f"r{number}"
        floors.append(
            _run(worker("bench.floors.consumer", [log, TOPIC, f"floor-{run}", str(EVENTS)]))
        )
        ours.append(
            _run(worker("bench.workers.segmenter", [log, PREFIX, str(EVENTS), f"dict-{run}"]))
        )
        stored.append(
            _run(
                worker(
                    "bench.workers.segmenter",
                    [log, PREFIX, str(STORED_EVENTS), f"store-{run}", store, f"bench_{run}"],
                )
            )
        )
        naive.append(
            _run(
                worker(
                    "bench.floors.naive",
                    [log, TOPIC, f"naive-{run}", str(NAIVE_EVENTS), store, f"bench_{run}"],
                )
            )
        )
    return [
        compared("segmenter_no_store", "events/s", ours, floors),
        compared("segmenter_store_vs_naive", "events/s", stored, naive),
    ]


def _run(found: dict[str, Any]) -> Run:
    return Run(
        rate=found["events"] / found["seconds"],
        cpu_s=found["cpu_s"] / found["events"] * 100_000,
        facts={"events": found["events"]},
    )


async def _produce(bootstrap_servers: str) -> None:
    await create_topics(bootstrap_servers, topic_prefix=PREFIX)
    publisher = KafkaPublisher(bootstrap_servers, topic_prefix=PREFIX, deadline_s=60)
    await publisher.start()
    records = [record_of(event, event_id) for event_id, event in stream(EVENTS)]
    for first in range(0, len(records), PRODUCE_AT_ONCE):
        await publisher.publish(records[first : first + PRODUCE_AT_ONCE])
    await publisher.stop()
