"""aiokafka's consumer, but a partition that can't be read takes nothing with it.

aiokafka 0.14 unpacks the records of all partitions in one call. When one of them can't be unpacked
the call raises, and what it had unpacked of the others is lost, though their positions have moved
(`Fetcher.fetched_records`). FastStream then waits 5 to 15 s and calls again, for ever. Here each
partition is read by itself, an error is its own, and the good records before it are delivered.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol, cast, runtime_checkable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import (
    ConsumerStoppedError,
    IncompatibleBrokerVersion,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.protocol.admin import DescribeGroupsRequest

from shared.kafka.topic_id import ask_topic_id

MAX_RECORDS = 500
"""Records a call, where the caller names no number."""
IDLE_AFTER_S = 2.0
"""Without a record for so long, a consumer asks the log less often."""
IDLE_FETCH_WAIT_MS = 500
"""How long the log may hold a fetch of an idle consumer, and the longest wait of one call. Kafka
answers as soon as there is a record; the embedded log only after this time."""
GATHER_S = 0.025
"""From one small delivery to the next: a few records at a time cost as many reads, writes and
commits as a few hundred."""
SMALL = 100
"""Records of a delivery that is not worth a round trip of its own."""
POSITION_ERRORS = (NoOffsetForPartitionError, OffsetOutOfRangeError)


@runtime_checkable
class ReadListener(Protocol):
    """Is told what reading finds; never raises."""

    async def before_read(self) -> bool:
        """What was handed out before is dealt with: positions tell the truth now.

        Answers whether all of them were taken in; else it is told again before the next read.
        """

    def not_readable(self, place: TopicPartition, error: Exception) -> None:
        """The next record of a partition can't be fetched or unpacked; nothing was handed out."""

    def not_asked(self, place: TopicPartition) -> None:
        """A partition has records, but others filled the delivery: its turn comes."""

    def group_failed(self, error: Exception) -> None:
        """The whole group can't be read."""


class PartitionConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """See the module. The rebalance listener, if it is a `ReadListener`, is told."""

    def __init__(self, *topics: str, **options: Any) -> None:
        super().__init__(*topics, **options)
        self._read_listener: ReadListener | None = None
        self._handed_out: dict[TopicPartition, int] = {}
        self._busy_wait_ms: int = options.get("fetch_max_wait_ms", IDLE_FETCH_WAIT_MS)
        self._read_at = self._gather_until = 0.0
        self._moved = True
        """Whether a position may have moved since the listener took them in."""
        self._doubtful: set[TopicPartition] = set()
        """Partitions with something that can't be unpacked: read one record at a time."""

    def subscribe(self, topics: Any = (), pattern: Any = None, listener: Any = None) -> None:
        """As aiokafka's."""
        self._read_listener = listener if isinstance(listener, ReadListener) else None
        super().subscribe(topics, pattern, listener)

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Any]]:
        """As aiokafka's, partition by partition; with a listener it paces itself.

        It ends as soon as there is a record, and waits longer than `timeout_ms` where there is
        none: FastStream sleeps between two calls that came to nothing.
        """
        listener = self._read_listener
        if listener is None or partitions:
            found = await super().getmany(
                *partitions, timeout_ms=timeout_ms, max_records=max_records
            )
            return cast("dict[TopicPartition, list[Any]]", found)
        if self._closed:
            raise ConsumerStoppedError
        try:
            self._coordinator.check_errors()
            if self._moved:
                self._moved = not await listener.before_read()
            with self._subscription.fetch_context():  # else it counts as not reading any more
                at_most = max_records or MAX_RECORDS
                await self._gather()
                taken = await self._take(listener, at_most)
                if not taken and timeout_ms:
                    await self._until_fetched(IDLE_FETCH_WAIT_MS / 1000)
                    taken = await self._take(listener, at_most)
                self._pace(sum(map(len, taken.values())))
        except KafkaError as error:
            listener.group_failed(error)
            raise
        self._handed_out = {place: records[-1].offset + 1 for place, records in taken.items()}
        return taken

    def where(self, place: TopicPartition) -> tuple[int | None, int]:
        """(position, the offset behind the last record that the last call handed out, or 0)."""
        return self._position(place), self._handed_out.get(place, 0)

    def log_end(self, place: TopicPartition) -> int:
        """The end of the log when it was last read from, beyond open transactions; -1 if never."""
        state = self._state(place)
        return -1 if state is None or state.highwater is None else cast("int", state.highwater)

    async def topic_id(self, topic: str) -> str:
        """See `ask_topic_id`."""
        return await ask_topic_id(self._client, topic)

    def refresh(self) -> None:
        """Look at the topic anew, soon: it may be another one by now."""
        self._client.force_metadata_update()

    async def unheld(self, topic: str) -> int:
        """How many partitions of the topic no member of the group holds; -1 for no topic.

        0 also where the log can't tell who holds what, as the embedded one.

        Raises:
            KafkaError: the log does not answer.
        """
        everything = self.partitions_for_topic(topic)
        if not everything:
            return -1
        node = self._coordinator.coordinator_id
        if node is None:
            return len(everything)
        try:  # on another connection than the one on which a member waits to join
            response = await self._client.send(node, DescribeGroupsRequest([self._group_id]))
        except (NotImplementedError, IncompatibleBrokerVersion):
            return 0
        _error, _group, _state, _type, _protocol, members, *_ = response.groups[0]
        for *_, assignment in (member[:5] for member in members):
            if assignment:
                held = ConsumerProtocol.ASSIGNMENT.decode(assignment).partitions()
                everything = everything - {p.partition for p in held if p.topic == topic}
        return len(everything)

    async def _gather(self) -> None:
        """Let some more records come after a delivery of a few."""
        await asyncio.sleep(max(0.0, self._gather_until - time.monotonic()))

    def _pace(self, records: int) -> None:
        now = time.monotonic()
        if records:
            self._read_at = now
            self._gather_until = now + GATHER_S if records < SMALL else now
        is_busy = now - self._read_at < IDLE_AFTER_S
        wait_ms = self._busy_wait_ms if is_busy else max(self._busy_wait_ms, IDLE_FETCH_WAIT_MS)
        self._fetcher._fetch_max_wait_ms = wait_ms  # noqa: SLF001 -- as below

    async def _take(self, listener: ReadListener, at_most: int) -> dict[TopicPartition, list[Any]]:
        taken: dict[TopicPartition, list[Any]] = {}
        if self._subscription.reassignment_in_progress:
            return taken
        for place in list(self._fetched()):  # what was fetched first comes first
            self._moved = True
            if at_most <= 0:
                listener.not_asked(place)
                continue
            records = await self._read(listener, place, at_most)
            if records:
                taken[place] = records
                at_most -= len(records)
        return taken

    async def _read(self, listener: ReadListener, place: TopicPartition, at_most: int) -> list[Any]:
        records: list[Any] = []
        fetched_records = self._fetcher.fetched_records
        try:
            if place not in self._doubtful:
                found = await fetched_records((place,), 0, max_records=at_most)
                return cast("list[Any]", found.get(place, records))
            while len(records) < at_most:
                found = await fetched_records((place,), 0, max_records=1)
                if not found:
                    self._doubtful.discard(place)
                    break
                records += found[place]
        except Exception as error:  # noqa: BLE001 -- whatever unpacking raises is this partition's
            is_sure = place in self._doubtful or isinstance(error, POSITION_ERRORS)
            self._fetch_again(place)
            if is_sure and not records:
                listener.not_readable(place, error)
        return records

    def _fetch_again(self, place: TopicPartition) -> None:
        """Forget what was fetched: what the failed call had unpacked was not handed out."""
        self._doubtful.add(place)
        position = self._position(place)
        if position is not None:
            self._fetcher.seek_to(place, position)

    def _position(self, place: TopicPartition) -> int | None:
        state = self._state(place)
        if state is None or not state.has_valid_position:
            return None
        return cast("int", state.position)

    def _state(self, place: TopicPartition) -> Any:
        subscription = self._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        return assignment.state_value(place) if assignment is not None else None

    def _fetched(self) -> dict[TopicPartition, Any]:
        """What the background has fetched and nobody has taken yet."""
        fetched = self._fetcher._records  # noqa: SLF001 -- aiokafka is pinned, and has no other way
        return cast("dict[TopicPartition, Any]", fetched)

    async def _until_fetched(self, seconds: float) -> None:
        """Wait for something new from any partition."""
        waiter = self._fetcher._create_fetch_waiter()  # noqa: SLF001 -- the same
        await asyncio.wait([waiter], timeout=seconds)
        if waiter.done():
            waiter.result()  # raises what the group was refused
        else:
            waiter.cancel()
