"""The runner's observer: counts what happened and logs what staff should know.

Series are made for every group at the start, so that a rate is never missing its first event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import get_args

from shared.errors import DeadLetterReason
from shared.observe import metrics as m
from shared.observe.logs import get_logger
from shared.observe.observer import PauseReason, StopReason

OUTCOMES = ("applied", "duplicate", "skipped", "redelivered", "dead_lettered")
PAUSE_REASONS: tuple[PauseReason, ...] = get_args(PauseReason)
STOP_REASONS: tuple[StopReason, ...] = get_args(StopReason)


class RunnerMetrics:
    """Implements `shared.observe.observer.Observer` for the groups of one service."""

    def __init__(self, meter: m.Meter, groups: Iterable[str]) -> None:
        self._log = get_logger(__name__)
        self._batches = meter.counter(m.BATCHES)
        self._records = meter.counter(m.RECORDS)
        self._batch_seconds = meter.histogram(m.BATCH_SECONDS)
        self._dead_letters = meter.counter(m.DEAD_LETTERS)
        self._expired = meter.counter(m.RECORDS_EXPIRED)
        self._races = meter.counter(m.RACES_LOST)
        self._announced = meter.counter(m.ANNOUNCED)
        self._announce_seconds = meter.histogram(m.ANNOUNCE_SECONDS)
        self._paused = meter.gauge(m.PAUSED_PARTITIONS)
        self._pauses = meter.counter(m.PAUSES)
        self._stopped = meter.gauge(m.STOPPED_PARTITIONS)
        self._committed = meter.gauge(m.COMMITTED_OFFSET)
        self._lag_records = meter.gauge(m.LAG_RECORDS)
        self._lag_seconds = meter.gauge(m.LAG_SECONDS)
        self._failures = meter.counter(m.FAILURES)
        self._pause_of: dict[tuple[str, int], PauseReason] = {}
        self._stop_of: dict[tuple[str, int], StopReason] = {}
        for group in groups:
            self._prepare(group)

    def batch_done(
        self,
        group: str,
        *,
        applied: int,
        duplicates: int,
        skipped: int,
        redelivered: int,
        dead_lettered: Mapping[DeadLetterReason, int],
        seconds: float,
    ) -> None:
        """A batch is durable; `seconds` from its arrival to the write."""
        self._batches.labels(group).inc()
        self._batch_seconds.labels(group).observe(seconds)
        counts = (applied, duplicates, skipped, redelivered, sum(dead_lettered.values()))
        for outcome, count in zip(OUTCOMES, counts, strict=True):
            if count:
                self._records.labels(group, outcome).inc(count)
        for reason, count in dead_lettered.items():
            self._dead_letters.labels(group, reason.value).inc(count)
            self._log.warning(
                "runner.records.set_aside", group=group, reason=reason.value, records=count
            )

    def race_lost(self, group: str, documents: int) -> None:
        """Guarded writes that lost and are read again."""
        self._races.labels(group).inc(documents)

    def announced(self, group: str, events: int, seconds: float) -> None:
        """Announcements were acknowledged `seconds` after their state was written."""
        self._announced.labels(group).inc(events)
        self._announce_seconds.labels(group).observe(seconds)

    def partition_paused(self, group: str, partition: int, reason: PauseReason) -> None:
        """A passing failure; the partition is retried by itself."""
        before = self._pause_of.get((group, partition))
        if before == reason:
            return
        if before is not None:
            self._paused.labels(group, before).dec()
        self._pause_of[group, partition] = reason
        self._paused.labels(group, reason).inc()
        self._pauses.labels(group, reason).inc()
        self._log.warning(
            "runner.partition.paused", group=group, partition=partition, reason=reason
        )

    def partition_resumed(self, group: str, partition: int) -> None:
        """The pause is over."""
        reason = self._pause_of.pop((group, partition), None)
        if reason is not None:
            self._paused.labels(group, reason).dec()
            self._log.info(
                "runner.partition.resumed", group=group, partition=partition, reason=reason
            )

    def partition_stopped(self, group: str, partition: int, reason: StopReason) -> None:
        """A person is needed: the partition stays stopped until a restart."""
        self.partition_resumed(group, partition)
        if (group, partition) not in self._stop_of:
            self._stop_of[group, partition] = reason
            self._stopped.labels(group, reason).inc()
        self._log.error("runner.partition.stopped", group=group, partition=partition, reason=reason)

    def records_expired(self, group: str, partition: int, records: int) -> None:
        """The log dropped offsets before the group had read them; told once for each gap."""
        self._expired.labels(group).inc(records)
        self._log.error("runner.records.expired", group=group, partition=partition, records=records)

    def partition_revoked(self, group: str, partition: int) -> None:
        """The partition went to another member: its gauges mean nothing here any more."""
        self.partition_resumed(group, partition)
        reason = self._stop_of.pop((group, partition), None)
        if reason is not None:
            self._stopped.labels(group, reason).dec()
        for gauge in (self._committed, self._lag_records, self._lag_seconds):
            with suppress(KeyError):
                gauge.remove(group, str(partition))

    def committed(self, group: str, partition: int, offset: int) -> None:
        """The group's offset moved."""
        self._committed.labels(group, partition).set(offset)

    def lag(self, group: str, partition: int, records: int, seconds: float) -> None:
        """How far the group is behind: records, and the age of the oldest one not applied."""
        self._lag_records.labels(group, partition).set(records)
        self._lag_seconds.labels(group, partition).set(seconds)

    def step(self, group: str, name: str) -> None:
        """Nothing: see `shared.testing.crash_points`."""

    def failure(self, group: str, step: str, error: BaseException) -> None:
        """Something failed and will be tried again; `step` is bounded."""
        self._failures.labels(group, step).inc()
        self._log.warning("runner.step.failed", group=group, step=step, exc_info=error)

    def _prepare(self, group: str) -> None:
        for counter in (self._batches, self._expired, self._races, self._announced):
            counter.labels(group)
        for histogram in (self._batch_seconds, self._announce_seconds):
            histogram.labels(group)
        for outcome in OUTCOMES:
            self._records.labels(group, outcome)
        for cause in DeadLetterReason:
            self._dead_letters.labels(group, cause.value)
        for pause in PAUSE_REASONS:
            self._paused.labels(group, pause)
            self._pauses.labels(group, pause)
        for stop in STOP_REASONS:
            self._stopped.labels(group, stop)
