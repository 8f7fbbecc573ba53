"""What one loop remembers inside a document: watermarks, rings of seen ids, outbox. Pure.

Stored under `l.<loop>` of the document::

    at:  [{e: epoch, t: topic, p: partition, o: last offset, n: applied, d: duplicates}]
    ids: [{s: source, i: [ids], t: [their event times], x: time of the newest id dropped}]
    out: [{i, y: type, s: source, m: time, t: topic, k: key, b: value, r: traceparent}]
    own: `topic|partition` of the last record while `out` is not empty, else null
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.store.ports import owner_text

RING_SIZE = 256
"""Ids remembered for each source of a document."""
OUTBOX_LIMIT = 1_000
"""Announcements that may wait in one document before its partition pauses."""
NOTHING_DROPPED = -1
NO_PARTITION = owner_text("", -1)

Told = Literal["new", "duplicate", "too_old"]


@dataclass(slots=True)
class Entry:
    """One announcement in an outbox. `progress` is known to this process only."""

    id: str
    type: str
    source: str
    time: int
    topic: str
    key: str
    value: bytes
    traceparent: str
    progress: Literal["waiting", "sent", "acknowledged"] = "waiting"


class Ring:
    """The newest ids of one source, ordered by event time, and how far back they reach.

    The id with the oldest time leaves first, so that one wrong clock can't make everything else
    look late.
    """

    __slots__ = ("dropped", "ids", "members", "times")

    def __init__(self, ids: list[str], times: list[int], dropped: int) -> None:
        self.ids = ids
        self.times = times
        self.dropped = dropped
        self.members = set(ids)

    def tell(self, event_id: str, time: int) -> Told:
        """Whether the event is new; `too_old` where its id may have been dropped."""
        if event_id in self.members:
            return "duplicate"
        return "too_old" if time <= self.dropped else "new"

    def add(self, event_id: str, time: int) -> None:
        """Remember an id that was told to be new."""
        self.members.add(event_id)
        if not self.times or time >= self.times[-1]:
            self.ids.append(event_id)
            self.times.append(time)
        else:
            place = bisect_right(self.times, time)
            self.ids.insert(place, event_id)
            self.times.insert(place, time)
        if len(self.ids) > RING_SIZE:
            self.members.discard(self.ids.pop(0))
            self.dropped = max(self.dropped, self.times.pop(0))


@dataclass(slots=True)
class Mark:
    """How far a loop has applied one partition to this document, and its share of the books."""

    epoch: str
    topic: str
    partition: int
    offset: int = -1
    applied: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class Bookkeeping:
    """All that one loop remembers in one document."""

    marks: list[Mark] = field(default_factory=list)
    rings: dict[str, Ring] = field(default_factory=dict)
    outbox: list[Entry] = field(default_factory=list)
    owner: str = NO_PARTITION
    """Whose owner announces what a crash left; see `shared.store.ports.owner_text`."""

    def mark(self, epoch: str, topic: str, partition: int) -> Mark:
        """The watermark of one partition of one incarnation of the log."""
        for mark in self.marks:
            if mark.partition == partition and mark.topic == topic and mark.epoch == epoch:
                return mark
        mark = Mark(epoch, topic, partition)
        self.marks.append(mark)
        return mark

    def ring(self, source: str) -> Ring:
        """The ring of one source."""
        ring = self.rings.get(source)
        if ring is None:
            ring = self.rings[source] = Ring([], [], NOTHING_DROPPED)
        return ring

    def drop_acknowledged(self) -> list[Entry]:
        """Take out what the log has acknowledged, right before a write; answers what left."""
        if not self.outbox:
            return []
        gone = [entry for entry in self.outbox if entry.progress == "acknowledged"]
        if gone:
            self.outbox = [e for e in self.outbox if e.progress != "acknowledged"]
        return gone


def load(raw: Mapping[str, Any] | None) -> Bookkeeping:
    """Bookkeeping from `l.<loop>`; a document that this loop never wrote has none."""
    if not raw:
        return Bookkeeping()
    return Bookkeeping(
        marks=[Mark(m["e"], m["t"], m["p"], m["o"], m["n"], m["d"]) for m in raw["at"]],
        rings={r["s"]: Ring(r["i"], r["t"], r["x"]) for r in raw["ids"]},
        outbox=[
            Entry(e["i"], e["y"], e["s"], e["m"], e["t"], e["k"], bytes(e["b"]), e["r"])
            for e in raw["out"]
        ],
        owner=raw["own"] or NO_PARTITION,
    )


def dump(book: Bookkeeping) -> dict[str, Any]:
    """BSON values of `l.<loop>`."""
    return {
        "at": [
            {
                "e": m.epoch,
                "t": m.topic,
                "p": m.partition,
                "o": m.offset,
                "n": m.applied,
                "d": m.duplicates,
            }
            for m in book.marks
        ],
        "ids": [
            {"s": source, "i": ring.ids, "t": ring.times, "x": ring.dropped}
            for source, ring in book.rings.items()
        ],
        "out": [_entry(e) for e in book.outbox] if book.outbox else [],
        "own": book.owner if book.outbox else None,
    }


def _entry(e: Entry) -> dict[str, Any]:
    return {
        "i": e.id,
        "y": e.type,
        "s": e.source,
        "m": e.time,
        "t": e.topic,
        "k": e.key,
        "b": e.value,
        "r": e.traceparent,
    }
