"""Apache Kafka and the compiled store for a bench, away from the measured core, and its workers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.pinning import cores, pin
from deploy.local.parts.kafka import KafkaCluster
from deploy.local.parts.store import CompiledStore

WORKER_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class RealParts:
    """Where they listen."""

    bootstrap_servers: str
    mongodb_url: str
    folder: Path


@contextmanager
def real_parts(folder: Path) -> Iterator[RealParts]:
    """Start both, pinned to the cores that are not measured.

    Raises:
        PartMissingError: Java, Maven or cargo is missing; the message says what to do.
    """
    log = KafkaCluster(1, folder / "kafka", folder / "logs")
    store = CompiledStore(folder / "store", folder / "logs")
    try:
        bootstrap_servers, url = log.start(), store.start()
        others = cores()[1]
        for node in log.nodes:
            pin(node.pid, others)
        yield RealParts(bootstrap_servers, url, folder)
    finally:
        store.stop()
        log.stop()


def worker(
    module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a worker on the measured core; answers the line of JSON that it printed.

    Raises:
        RuntimeError: it failed; the message ends with what it said.
    """
    core = ",".join(map(str, cores()[0]))
    command = ["taskset", "-c", core, sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=WORKER_TIMEOUT_S, check=False,
        env=None if environment is None else dict(environment),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
