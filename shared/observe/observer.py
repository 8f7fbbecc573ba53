"""The observer port: what the runner and the writers tell, so that they import no metrics.

`group` is the consumer group (`<service>.<topic>`), a bounded label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from shared.errors import DeadLetterReason

PauseReason = Literal["store", "log", "dead_letter_topic", "outbox_full", "handler"]
StopReason = Literal[
    "too_many_dead_letters",
    "log_went_backwards",
    "unknown_codec",
    "corrupt_batch",
    "header_not_utf8",
]


class Observer(Protocol):
    """Receives what happened; implementations count and log, and never raise."""

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

    def race_lost(self, group: str, documents: int) -> None:
        """Guarded writes that lost and are read again."""

    def announced(self, group: str, events: int, seconds: float) -> None:
        """Announcements were acknowledged `seconds` after their state was written."""

    def partition_paused(self, group: str, partition: int, reason: PauseReason) -> None:
        """A passing failure; the partition is retried by itself."""

    def partition_resumed(self, group: str, partition: int) -> None:
        """The pause is over."""

    def partition_stopped(self, group: str, partition: int, reason: StopReason) -> None:
        """A person is needed: the partition stays stopped until a restart."""

    def records_expired(self, group: str, partition: int, records: int) -> None:
        """The log dropped offsets before the group had read them; told once for each gap."""

    def partition_revoked(self, group: str, partition: int) -> None:
        """The partition went to another member: its gauges mean nothing here any more."""

    def committed(self, group: str, partition: int, offset: int) -> None:
        """The group's offset moved."""

    def lag(self, group: str, partition: int, records: int, seconds: float) -> None:
        """How far the group is behind: records, and the age of the oldest one not applied."""

    def failure(self, group: str, step: str, error: BaseException) -> None:
        """Something failed and will be tried again; `step` is bounded."""

    def step(self, group: str, name: str) -> None:
        """A named step was reached. Production does nothing; crash tests kill the process here."""
