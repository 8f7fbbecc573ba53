"""Apache Kafka as deploy/compose.yaml configures it: by password only, and with clear words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from shared.kafka.replay import replay
from shared.kafka.security import LogSecurity
from shared.kafka.session import LogSession
from shared.settings import ServiceSettings
from shared.testing.memory_log import record_of
from shared.testing.memory_store import MemoryGuardedStore, MemoryPartitionBooks
from shared.testing.settings import settings_for_tests
from shared.testing.silent_observer import SilentObserver
from tests.support.counting_handler import POISON, CountingHandler, click
from tests.support.parts import start_or_skip
from tests.support.secured_log import SecuredLog

pytestmark = pytest.mark.real

TOPIC = "fan-events.v1"
PATIENCE_S = 60.0
CANARY = "a-password-that-nobody-may-read"


class SegmenterLike(ServiceSettings):
    service: ClassVar[str] = "segmenter"


class NotingObserver(SilentObserver):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def failure(self, group: str, step: str, error: BaseException) -> None:
        self.told.append(str(error))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredLog]:
    log = SecuredLog(tmp_path_factory.mktemp("secured"))
    start_or_skip(log)
    yield log
    log.stop()


def settings_of(log: SecuredLog, **fields: Any) -> SegmenterLike:
    known: dict[str, Any] = {
        "kafka_bootstrap_servers": log.bootstrap_servers,
        "kafka_security_protocol": "SASL_PLAINTEXT",
        "kafka_username": "segmenter",
        "kafka_password": SecretStr(log.passwords["segmenter"]),
    }
    return settings_for_tests(SegmenterLike, **(known | fields))


async def test_a_service_with_its_password_creates_topics_produces_and_consumes(
    secured: SecuredLog,
) -> None:
    settings = settings_of(secured)
    session = LogSession(settings, SilentObserver())
    handler = CountingHandler()
    store, books = MemoryGuardedStore(), MemoryPartitionBooks()
    session.consume(handler, TOPIC, store=store, books=books)
    async with asyncio.timeout(PATIENCE_S):
        await session.start()
        try:
            await session.publisher.publish([record_of(click("a"), "c1", source="/ingest")])
            await session.publisher.publish(
                [record_of(click("a", key=POISON), "c2", source="/ingest")]
            )
            while not handler.after_ids:
                await asyncio.sleep(0.05)
            assert await session.reachable()
        finally:
            await session.stop()
    letters: dict[str, int] = {}
    async with asyncio.timeout(PATIENCE_S):
        while not letters:
            letters = await replay(
                secured.bootstrap_servers,
                TOPIC,
                "segmenter",
                dry_run=True,
                security=LogSecurity.of(settings),
            )
    assert sum(letters.values()) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kafka_password": SecretStr(CANARY)}, "refuses this user or password"),
        ({"kafka_username": "nobody"}, "FAN_KAFKA_USERNAME"),
        ({"kafka_sasl_mechanism": "SCRAM-SHA-256"}, "FAN_KAFKA_SASL_MECHANISM"),
        (
            {
                "kafka_security_protocol": "PLAINTEXT",
                "kafka_username": "",
                "kafka_password": SecretStr(""),
            },
            "FAN_KAFKA_SECURITY_PROTOCOL",
        ),
    ],
)
async def test_whoever_is_not_let_in_is_told_why_and_tries_again(
    secured: SecuredLog, fields: dict[str, Any], words: str
) -> None:
    observer = NotingObserver()
    session = LogSession(settings_of(secured, **fields), observer)
    starting = asyncio.create_task(session.start())
    async with asyncio.timeout(PATIENCE_S):
        while len(observer.told) < 2:
            await asyncio.sleep(0.05)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await session.stop()
    assert all(words in told for told in observer.told)
    assert CANARY not in str(observer.told)


def test_the_replay_command_reads_the_password_from_the_environment(secured: SecuredLog) -> None:
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("FAN_")}
    done = subprocess.run(
        [sys.executable, "-m", "shared.kafka.replay", TOPIC, "notifier", "--dry-run"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
        env=inherited | {
            "FAN_KAFKA_BOOTSTRAP_SERVERS": secured.bootstrap_servers,
            "FAN_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "FAN_KAFKA_USERNAME": "notifier",
            "FAN_KAFKA_PASSWORD": secured.passwords["notifier"],
        },
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "found\t0\n"), done.stderr
