"""The floor of the segmenter: bare aiokafka, every record validated and counted, nothing kept.

python -m bench.floors.consumer BOOTSTRAP TOPIC GROUP EVENTS
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import Counter

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.events import EVENT_TYPES


async def main(bootstrap: str, topic: str, group: str, events: int) -> None:
    """Read `events` records and print one line of JSON."""
    validate = {
        name.encode(): model.__pydantic_validator__.validate_json
        for name, model in EVENT_TYPES.items()
    }
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False,
        auto_offset_reset="earliest", max_partition_fetch_bytes=4 * 1_048_576,
    )  # fmt: skip
    await consumer.start()
    seen: Counter[str] = Counter()
    began, cpu = 0.0, 0.0
    while seen.total() < events:
        batches = await consumer.getmany(timeout_ms=1_000, max_records=5_000)
        if batches and not began:
            began, cpu = time.monotonic(), _cpu()
        offsets: dict[TopicPartition, int] = {}
        for partition, records in batches.items():
            for record in records:
                seen[validate[dict(record.headers)["ce_type"]](record.value).key] += 1
            offsets[partition] = records[-1].offset + 1
        if offsets:
            await consumer.commit(offsets)
    seconds, used = time.monotonic() - began, _cpu() - cpu
    await consumer.stop()
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_s": used, "events": events}) + "\n")


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
