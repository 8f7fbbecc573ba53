"""Acknowledged webhooks a second, p50 and p99: ingest against a bare ASGI application."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure, Run, compared
from bench.parts import RealParts
from bench.pinning import cores, cpu_seconds, pin
from bench.requests import clicks, write
from deploy.local.brand import Brand
from deploy.local.environment import service_environment
from deploy.local.parts.ports import HOST, free_port, is_listening
from deploy.local.parts.process import Process

REQUESTS = 40_000
WARM_UP = 4_000
CONNECTIONS = 64
START_S = 30.0
LOAD_TIMEOUT_S = 120.0


def ingesting(parts: RealParts, runs: int, tell: Callable[[str], None]) -> list[Figure]:
    """Ingest in safe mode and its floor take turns, each a fresh process on the measured core."""
    brand = Brand.invent()
    brand.write_accounts(parts.folder / "accounts.yaml", "http://127.0.0.1:9")
    path = parts.folder / "requests"
    ours, floors = [], []
    for number in range(runs):
        tell(f"ingest: round {number + 1} of {runs}")
        write(clicks(brand, REQUESTS + WARM_UP), path)
        floors.append(_measure(_floor(parts, brand), path))
        ours.append(_measure(_ingest(parts, brand), path))
    return [compared("ingest", "webhooks/s", ours, floors)]


def _floor(parts: RealParts, brand: Brand) -> tuple[Process, int]:
    port = free_port()
    environment = {
        **os.environ,
        "FLOOR_BOOTSTRAP": parts.bootstrap_servers,
        "FLOOR_TOKEN": brand.wechat_token,
        "FLOOR_TOPIC": "bench-floor.fan-events.v1",
    }
    command = [
        sys.executable, "-m", "uvicorn", "bench.floors.webhook:app", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    return Process("floor", command, parts.folder / "logs", env=environment), port


def _ingest(parts: RealParts, brand: Brand) -> tuple[Process, int]:
    port = free_port()
    environment = {
        **os.environ,
        **brand.environment(),
        **service_environment(
            "ingest",
            brand=brand,
            config=parts.folder,
            bootstrap_servers=parts.bootstrap_servers,
            mongodb_url=parts.mongodb_url,
            database="bench_ingest",
            topic_prefix="bench-ingest.",
            log_epoch="bench",
            port=port,
        ),
    }
    command = [sys.executable, "-m", "services.ingest"]
    return Process("ingest", command, parts.folder / "logs", env=environment), port


def _measure(server: tuple[Process, int], requests: Path) -> Run:
    process, port = server
    process.start()
    try:
        process.wait_until(lambda: is_listening(port) and _answers(port), START_S)
        measured, others = cores()
        pin(process.pid, measured)
        before = cpu_seconds(process.pid)
        command = [
            "taskset", "-c", ",".join(map(str, others)), sys.executable, "-m", "bench.workers.load",
            str(port), str(requests), str(CONNECTIONS), str(WARM_UP),
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LOAD_TIMEOUT_S, check=False
        )
        assert not done.returncode, done.stderr[-2_000:]
        used = cpu_seconds(process.pid) - before
    finally:
        process.stop()
    found = json.loads(done.stdout)
    assert not found["bad"], f"{found['bad']} requests were refused, see {process.log_path}"
    return Run(
        rate=found["requests"] / found["seconds"],
        cpu_s=used / (found["requests"] + WARM_UP) * 100_000,
        facts={"p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"]},
    )


def _answers(port: int) -> bool:
    """Ready, or a floor that knows no /readyz and refuses it."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status != http.HTTPStatus.SERVICE_UNAVAILABLE
    finally:
        connection.close()
