"""An observer that only adds up, for tests and benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from shared.errors import DeadLetterReason
from shared.observe.observer import PauseReason, StopReason


class SilentObserver:
    """See `shared.observe.observer.Observer`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.dead: Counter[DeadLetterReason] = Counter()
        self.stopped: dict[int, StopReason] = {}
        self.failures: list[tuple[str, str]] = []
        self.lags: dict[int, int] = {}
        self.lag_ages: dict[int, float] = {}
        self.expired: list[tuple[int, int]] = []

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
        """Add up."""
        self.counts["batches"] += 1
        self.counts["applied"] += applied
        self.counts["duplicates"] += duplicates
        self.counts["skipped"] += skipped
        self.counts["redelivered"] += redelivered
        self.dead.update(dead_lettered)

    def race_lost(self, group: str, documents: int) -> None:
        """Add up."""
        self.counts["races_lost"] += documents

    def announced(self, group: str, events: int, seconds: float) -> None:
        """Add up."""
        self.counts["announced"] += events

    def partition_paused(self, group: str, partition: int, reason: PauseReason) -> None:
        """Add up."""
        self.counts[f"paused_{reason}"] += 1

    def partition_resumed(self, group: str, partition: int) -> None:
        """Add up."""
        self.counts["resumed"] += 1

    def partition_stopped(self, group: str, partition: int, reason: StopReason) -> None:
        """Remember."""
        self.stopped[partition] = reason

    def records_expired(self, group: str, partition: int, records: int) -> None:
        """Remember each telling: (partition, how many)."""
        self.expired.append((partition, records))

    def partition_revoked(self, group: str, partition: int) -> None:
        """Add up."""
        self.counts["revoked"] += 1

    def committed(self, group: str, partition: int, offset: int) -> None:
        """Add up."""
        self.counts["commits"] += 1

    def lag(self, group: str, partition: int, records: int, seconds: float) -> None:
        """Remember the newest."""
        self.lags[partition] = records
        self.lag_ages[partition] = seconds

    def failure(self, group: str, step: str, error: BaseException) -> None:
        """Remember the kind; the text stays out."""
        self.failures.append((step, type(error).__name__))

    def step(self, group: str, name: str) -> None:
        """Add up."""
        self.counts[f"step_{name}"] += 1
