"""The log as writers see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.errors import TransientError
from shared.events.envelope import Headers


@dataclass(slots=True)  # not frozen: one is made for every event, in a third of the time
class OutgoingRecord:
    """A record to produce; `topic` without the deployment's prefix. Never changed."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


class RecordTooLargeError(TransientError):
    """The log takes no record of this size.

    Trying again does not help, but who announces a change must not drop it either: for those it is
    a failure like any other, until the topic's limit is raised.
    """


class Publisher(Protocol):
    """Produces with `acks=all`."""

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Return when all are acknowledged, in the order given within a partition.

        Raises:
            TransientError: not all were acknowledged within the publisher's deadline. Some may
                still arrive; producing them again has the same ids.
            RecordTooLargeError: one of them is larger than the log accepts.
        """
