"""Fetch and build the real parts ahead of the tests: ``python -m deploy.local.parts``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.parts.cache import cache_dir
from deploy.local.parts.errors import PartError
from deploy.local.parts.kafka import kafka_jars
from deploy.local.parts.store import compiled_store

PARTS: tuple[tuple[str, Callable[[], Path]], ...] = (
    ("Apache Kafka (Maven, some seconds)", kafka_jars),
    ("the compiled store (cargo, some minutes the first time)", compiled_store),
)


def main() -> int:
    """Fetch all; the exit status tells of a failure only in CI, where every part must be had."""
    in_ci = bool(os.environ.get("CI"))
    print(f"Real parts are kept in {cache_dir()} (FAN_CACHE).", flush=True)
    consequence = "That is an error in CI." if in_ci else "Tests that need it will be skipped."
    failures = 0
    for title, fetch in PARTS:
        started = time.monotonic()
        print(f"  {title} …", flush=True)
        try:
            fetch()
        except PartError as error:
            failures += 1
            print(f"  missing: {error}\n  {consequence}", flush=True)
        else:
            print(f"  ready after {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failures and in_ci else 0


if __name__ == "__main__":
    sys.exit(main())
