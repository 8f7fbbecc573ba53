"""One connection of a service to the log: producer, consumers, order of start and stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar, cast

from aiokafka.errors import KafkaError

from shared.errors import TransientError
from shared.kafka.handler import Handler
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.runner import Runner
from shared.kafka.security import LogSecurity, why_refused
from shared.kafka.subscribe import ConsumerSettings, make_broker, subscribe
from shared.kafka.topics import create_topics
from shared.kafka.writer import CACHED_DOCUMENTS
from shared.observe.observer import Observer
from shared.settings import ServiceSettings
from shared.startup import until_it_answers
from shared.store.ports import GuardedStore, PartitionBooks

LEAVE_S = 5.0
"""Longest wait for a group to take our leave; a log that is away must not hold up a stop."""
GC_THRESHOLDS = (400_000, 50, 100)
"""Batches make and drop many small objects around a large cache: with the default thresholds the
collector takes half of a consumer's time (measured, see ADR 0010)."""

S = TypeVar("S")
_NOT_NOW = "the log answers, and did not do what was asked"


class LogSession:
    """Everything of one service that talks to the log.

    Args:
        settings: bootstrap servers, prefix, epoch, timeouts.
        observer: is told what the runners do.
    """

    def __init__(self, settings: ServiceSettings, observer: Observer) -> None:
        self._security = LogSecurity.of(settings)
        self.publisher = KafkaPublisher(
            settings.kafka_bootstrap_servers,
            topic_prefix=settings.topic_prefix,
            client_id=settings.service,
            security=self._security,
        )
        if settings.crash_at:
            from shared.testing.crash_points import CrashingObserver, CrashingPublisher

            observer = CrashingObserver(observer, settings.crash_at)
            self.publisher = cast(
                "KafkaPublisher",
                CrashingPublisher(self.publisher, observer, f"{settings.service}.publisher"),
            )
        self.observer = observer
        """Pass it on to the service's own writers and loops."""
        self.runners: list[Runner[Any]] = []
        self._settings = settings
        self._observer = observer
        self._broker = make_broker(
            settings.kafka_bootstrap_servers, client_id=settings.service, security=self._security
        )

    def consume(
        self,
        handler: Handler[S],
        topic: str,
        *,
        store: GuardedStore,
        books: PartitionBooks,
        cached_documents: int = CACHED_DOCUMENTS,
    ) -> Runner[S]:
        """Run `handler` over `topic` in the group `<service>.<topic>` once the session starts."""
        settings = self._settings
        runner: Runner[S] = Runner(
            handler,
            store,
            books,
            self.publisher,
            observer=self._observer,
            service=settings.service,
            topic=topic,
            epoch=settings.log_epoch,
            cached_documents=cached_documents,
        )
        subscribe(
            self._broker,
            runner,
            ConsumerSettings(
                topic_prefix=settings.topic_prefix,
                max_records=settings.max_records,
                session_timeout_ms=settings.session_timeout_ms,
                rebalance_timeout_ms=settings.rebalance_timeout_ms,
            ),
        )
        self.runners.append(runner)
        return runner

    async def start(self) -> None:
        """Create topics, connect, begin to consume; waits for the log as long as it takes."""
        await self._until_the_log_answers(self._create_topics)
        await self._until_the_log_answers(self.publisher.start)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        for runner in self.runners:
            await runner.start()
        if self.runners:
            await self._until_the_log_answers(self._broker.start)

    async def stop(self) -> None:
        """Finish what is on its way, commit, leave, disconnect; also after a half-done start."""
        await asyncio.gather(*(runner.stop() for runner in self.runners))
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._broker.stop()
        except TimeoutError as error:  # the group finds out by itself, after the session timeout
            self._observer.failure(self._settings.service, "leave", error)
        await self.publisher.stop()

    async def reachable(self) -> bool:
        """Readiness: whether the log answers."""
        return await self.publisher.reachable()

    async def flowing(self) -> Literal[True] | str:
        """Readiness: True, or kinds of what stands still; see `Observer.partition_stopped`."""
        troubles = sorted({trouble for runner in self.runners for trouble in runner.troubles()})
        return ", ".join(troubles) or True

    def stuck_s(self) -> float:
        """For the watchdog: the longest time without progress of any runner."""
        return max((runner.stuck_s() for runner in self.runners), default=0.0)

    async def _create_topics(self) -> None:
        settings = self._settings
        if settings.create_topics:
            await create_topics(
                settings.kafka_bootstrap_servers,
                topic_prefix=settings.topic_prefix,
                replication_factor=settings.replication_factor,
                consumed=[(runner.topic, settings.service) for runner in self.runners],
                security=self._security,
            )

    async def _until_the_log_answers(self, step: Callable[[], Awaitable[object]]) -> None:
        async def attempt() -> None:
            try:
                await step()
            except (KafkaError, OSError, TransientError) as error:
                servers = self._settings.kafka_bootstrap_servers
                refusal = await why_refused(servers, self._security)
                if refusal is None:  # it lets us in: the step itself says what it lacks
                    refusal = str(error) if isinstance(error, TransientError) else _NOT_NOW
                raise TransientError(refusal) from error

        await until_it_answers(attempt, self._observer, self._settings.service)
